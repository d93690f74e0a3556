"""One side of a joined batch: embedded in portions, gathered over processes, and the gradient's way back."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .processes import gather_rows, share

__all__ = ["Joined", "Tensors"]

Tensors = tuple[Tensor, ...]


class Portions:
    """Embeddings of this process's rows, computed in portions, and the way back.

    Args:
        embed: gives the tensors of portion ``k``, rows first.
        count: number of portions; one keeps its graph, several are embedded again on the way back.
    """

    def __init__(self, embed: Callable[[int], Tensors], count: int) -> None:
        self._embed = embed
        if count == 1:
            self._graph: list[Tensors] | None = [embed(0)]
            parts = self._graph
        else:
            self._graph = None
            with torch.no_grad():
                parts = [embed(k) for k in range(count)]
        self._rows = [len(part[0]) for part in parts]
        self.values = tuple(_join([part[k].detach() for part in parts]) for k in range(len(parts[0])))

    def backward(self, gradients: Sequence[Tensor | None]) -> None:
        """Carry ``gradients`` on the joined values back to the parameters."""
        start = 0
        for k, rows in enumerate(self._rows):
            outputs = self._graph[k] if self._graph is not None else self._embed(k)
            pairs = [
                (out, grad[start : start + rows][tuple(slice(0, n) for n in out.shape)])
                for out, grad in zip(outputs, gradients, strict=True)
                if grad is not None and out.requires_grad
            ]
            if pairs:
                torch.autograd.backward([out for out, _ in pairs], [grad for _, grad in pairs])
            start += rows


class Joined:
    """The rows of all processes as leaves of the loss.

    Args:
        embed: gives the tensors of portion ``k`` of this process's rows.
        total: rows of all processes.
        micro: rows of a portion.
        rank: number of this process.
        processes: how many there are.
    """

    def __init__(
        self, embed: Callable[[slice], Tensors], total: int, micro: int, rank: int, processes: int
    ) -> None:
        parts = [share(total, k, processes) for k in range(processes)]
        counts = [part.stop - part.start for part in parts]
        self._own = parts[rank]
        self._portions = Portions(
            lambda k: embed(slice(k * micro, (k + 1) * micro)), max(1, -(-counts[rank] // micro))
        )
        self.leaves = [_leaf(gather_rows(value, counts)) for value in self._portions.values]

    def backward(self) -> None:
        """Carry the gradient of the leaves back to the parameters, this process's rows only."""
        self._portions.backward([None if v.grad is None else v.grad[self._own] for v in self.leaves])


def _leaf(value: Tensor) -> Tensor:
    return value.detach().requires_grad_(value.is_floating_point())


def _join(parts: list[Tensor]) -> Tensor:
    """Concatenate rows; the second axis is padded with zeros to the longest."""
    if parts[0].dim() < 2 or len({part.shape[1] for part in parts}) == 1:
        return torch.cat(parts) if len(parts) > 1 else parts[0]
    longest = max(part.shape[1] for part in parts)
    wide = [part.new_zeros((len(part), longest, *part.shape[2:])) for part in parts]
    for target, part in zip(wide, parts, strict=True):
        target[:, : part.shape[1]] = part
    return torch.cat(wide)
