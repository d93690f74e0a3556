"""Soft many-to-many targets between the pairs of a batch, found by transport."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from ecgclip.alignment.batch import AlignmentBatch
from ecgclip.alignment.sinkhorn import sinkhorn

__all__ = ["SoftTargets"]


class SoftTargets(nn.Module):
    """KL divergence of the batch's similarities from a transport plan between its pairs (OTTER, Wu et al. 2022).

    The plan ``P`` is Sinkhorn's for the cost ``-(x_i . x_j + y_i . y_j + x_i . y_j)``, uniform marginals and no
    gradient. A pair itself and its copies of the same text are left out on both sides: InfoNCE knows them, and so
    they are neither pulled nor pushed. What is made small is ``sum_ij P_ij (log P_ij - log softmax(t x_i . y_j))``
    over the others, rows of ``P`` summing to one, both ways, ``t`` learned from 1 / 0.07.

    Args:
        reg: entropic regularisation of the plan.
    """

    name = "soft_targets"
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, *, reg: float = 0.15) -> None:
        super().__init__()
        self.reg = reg
        self.log_scale = nn.Parameter(torch.tensor(math.log(1.0 / 0.07)))

    def forward(self, batch: AlignmentBatch) -> Tensor:
        """Return the mean of the two directions for ``batch``."""
        keep = batch.has_text
        signal, text = batch.signal[keep], batch.text[keep]
        other = ~batch.text_group[keep][:, keep]
        if not bool(other.any()):
            return signal.sum() * 0.0
        rows, columns = self.targets(signal, text, other)
        logits = self.log_scale.exp().clamp(max=100.0) * signal @ text.T
        return 0.5 * (_divergence(rows, logits, other) + _divergence(columns.T, logits.T, other.T))

    @torch.no_grad()
    def targets(self, signal: Tensor, text: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        """The logarithm of the plan, its rows and its columns summing to one over ``other``: two ``(n, n)``."""
        cost = -(signal @ signal.T + text @ text.T + signal @ text.T)
        cost = torch.where(other, cost, cost.max() + 1.0)
        f, g = sinkhorn(cost, reg=self.reg, tol=1e-2, max_iter=200).potentials
        plan = ((f[:, None] + g[None, :] - cost) / self.reg).masked_fill(~other, -math.inf)
        return _shares(plan, 1), _shares(plan, 0)


def _shares(log_plan: Tensor, dim: int) -> Tensor:
    """Logarithms that sum to one along ``dim``, minus infinity where there is nothing."""
    return (log_plan - log_plan.logsumexp(dim, keepdim=True)).nan_to_num(nan=-math.inf)


def _divergence(log_target: Tensor, logits: Tensor, other: Tensor) -> Tensor:
    """Mean over the rows that have an ``other`` of KL(target || softmax over others)."""
    rows = other.any(1)
    log_target, logits, other = log_target[rows], logits[rows], other[rows]
    log_found = logits.masked_fill(~other, -math.inf).log_softmax(dim=1)
    apart = torch.where(other, log_target, 0.0) - torch.where(other, log_found, 0.0)
    return (log_target.exp() * apart).sum(1).mean()
