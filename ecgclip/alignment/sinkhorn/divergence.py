"""Sinkhorn divergence: entropic transport without its bias, from three problems (see `sinkhorn`)."""

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ecgclip.errors import UsageError

from .inputs import real_tensor
from .problem import sides
from .solver import sinkhorn

__all__ = ["sinkhorn_divergence"]


def sinkhorn_divergence(
    cost: Tensor | ArrayLike,
    cost_a: Tensor | ArrayLike,
    cost_b: Tensor | ArrayLike,
    a: Tensor | ArrayLike | None = None,
    b: Tensor | ArrayLike | None = None,
    *,
    reg: float,
    reg_m: float | None = None,
    tol: float = 1e-6,
    max_iter: int = 1000,
    row_mask: Tensor | ArrayLike | None = None,
    column_mask: Tensor | ArrayLike | None = None,
) -> Tensor:
    """Debiased entropic cost, zero where both sides are the same measure.

    ``S = V(a, b) - V(a, a) / 2 - V(b, b) / 2 + reg (sum a - sum b)^2 / 2`` with V the value of `sinkhorn` (Feydy et
    al. 2019; Séjourné et al. 2019 for relaxed marginals); the last term is zero where masses agree. Zero too where
    a side is empty.

    Args:
        cost: ``(batch, n, m)`` or ``(n, m)`` between the two sides.
        cost_a: ``(batch, n, n)`` among the rows, symmetric.
        cost_b: ``(batch, m, m)`` among the columns, symmetric.
        a: weights of the rows.
        b: weights of the columns.
        reg: strength of the entropic term.
        reg_m: penalty of both marginals, None holds them.
        tol: marginal error at which a problem stops.
        max_iter: iterations at most.
        row_mask: ``(batch, n)`` bool, True where a row is present.
        column_mask: ``(batch, m)`` bool, likewise.

    Returns:
        ``(batch,)``, or a scalar for ``(n, m)``; differentiable by the costs and weights.
    """
    if isinstance(reg_m, tuple | list):
        raise UsageError("reg_m: the divergence relaxes both sides alike, give one number")
    problems = ((cost, a, b, row_mask, column_mask), (cost_a, a, a, row_mask, row_mask))
    value, own_a, own_b = (
        sinkhorn(c, x, y, reg=reg, reg_m=reg_m, tol=tol, max_iter=max_iter, row_mask=p, column_mask=q).value
        for c, x, y, p, q in (*problems, (cost_b, b, b, column_mask, column_mask))
    )
    divergence = value - 0.5 * own_a - 0.5 * own_b
    given = real_tensor(cost, "cost").to(divergence)
    single = given[None] if given.dim() == 2 else given
    masses = [w.sum(1) for w in sides(single, a, b, row_mask, column_mask)[:2]]
    if reg_m is not None:
        divergence = divergence + (0.5 * reg * (masses[0] - masses[1]) ** 2).reshape(divergence.shape)
    there = ((masses[0] > 0) & (masses[1] > 0)).reshape(divergence.shape)
    return torch.where(there, divergence, 0.0)
