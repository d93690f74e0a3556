"""Processes: each embeds its share of a joined batch, all see the whole of it, gradients are summed."""

from collections.abc import Iterable, Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn

__all__ = ["gather_rows", "share", "sum_gradients"]


def share(count: int, rank: int, processes: int) -> slice:
    """The contiguous part of ``count`` items that belongs to a process."""
    return slice(count * rank // processes, count * (rank + 1) // processes)


def gather_rows(rows: Tensor, counts: Sequence[int]) -> Tensor:
    """Join the rows of all processes in order of rank.

    Args:
        rows: this process's ``(n, ...)``; trailing axes may differ in length and are padded with zeros.
        counts: rows of each process.
    """
    if len(counts) == 1:
        return rows
    shape = torch.tensor(rows.shape[1:], device=rows.device, dtype=torch.int64)
    if shape.numel():
        dist.all_reduce(shape, op=dist.ReduceOp.MAX)
    padded = rows.new_zeros((max(counts), *shape.tolist()))
    padded[tuple(slice(0, n) for n in rows.shape)] = rows
    plain = padded.to(torch.uint8) if padded.dtype == torch.bool else padded
    parts = [torch.empty_like(plain) for _ in counts]
    dist.all_gather(parts, plain.contiguous())
    joined = torch.cat([part[:n] for part, n in zip(parts, counts, strict=True)])
    return joined.bool() if padded.dtype == torch.bool else joined


def sum_gradients(parameters: Iterable[nn.Parameter], processes: int) -> None:
    """Sum gradients over processes in one message, so that each holds the joined batch's.

    A parameter without a gradient in any process keeps none, as it would in one process.
    """
    if processes == 1:
        return
    parameters = [p for p in parameters if p.requires_grad]
    has = torch.stack([p.new_tensor(float(p.grad is not None)) for p in parameters])
    grads = [(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in parameters]
    flat = torch.cat([*grads, has])
    dist.all_reduce(flat)
    there = (flat[-len(parameters) :] > 0).tolist()
    start = 0
    for p, present in zip(parameters, there, strict=True):
        p.grad = flat[start : start + p.numel()].view_as(p).clone() if present else None
        start += p.numel()
