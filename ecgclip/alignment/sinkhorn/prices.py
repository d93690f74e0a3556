"""A fixed number of Sinkhorn's iterations for one row measure against many column measures, in the kernel domain.

The columns of one kernel K = exp(-C / reg) are shared by R problems that differ in the weights of the columns alone,
such as the reports of a batch, each with its own statements; a dustbin of constant cost is one more column of each.
With u = exp(F) and v = exp(G), an iteration (see `sinkhorn`) is two products of matrices for all R at once,

    v = (K^T (a u))^-beta,      u = (K (b v) + k_0 b_0 v_0)^-alpha

and the way back goes through the iterations taken: the same products, and one for the derivative by K. No tensor of
the kernel's size is kept an iteration, and nothing looks at the device while they run.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["Measures", "kernel_of", "token_weights"]

_RANGE = {torch.float32: 40.0, torch.float64: 600.0}  # largest M that floating numbers of each kind bear here
_STACKED = 8  # problems up to which the derivative by the kernel is one product over all iterations


def kernel_of(similarity: Tensor, reg: float) -> Tensor:
    """``exp(-(1 - similarity) / reg)``, in float64 where float32 is too narrow for costs up to 2."""
    wide = 2.0 / reg > _RANGE[torch.float32]
    scaled = (similarity.double() if wide else similarity) / reg - 1.0 / reg
    return scaled.clamp(min=-_RANGE[scaled.dtype]).exp() if wide else scaled.exp()


@dataclass(frozen=True, eq=False)
class Measures:
    """Column measures with a dustbin.

    Attributes:
        weights: ``(batch or 1, r, m)`` weights of the columns in each of r measures.
        none: mass of the dustbin.
        none_cost: its cost over reg.
        slots: ``(t,)`` positions in ``r * m`` of the weights that are not zero, where few are; None for all.
    """

    weights: Tensor
    none: float
    none_cost: float
    slots: Tensor | None = None

    def pick(self, values: Tensor) -> Tensor:
        """Values ``(batch, r, m)`` at the slots: ``(batch, t)``, or unchanged where all are."""
        return values if self.slots is None else values.flatten(1)[:, self.slots]

    def lay(self, values: Tensor, like: Tensor) -> Tensor:
        """Slots back as ``(batch, r, m)``, zero elsewhere."""
        if self.slots is None:
            return values
        laid = torch.zeros_like(like).flatten(1)
        laid[:, self.slots] = values
        return laid.view_as(like)


def token_weights(
    kernel: Tensor, a: Tensor, measures: Measures, powers: tuple[float, float], iterations: int
) -> Tensor:
    """The rows' weights times exp(F): ``(batch, r, n)``, differentiable by the kernel.

    Args:
        kernel: ``(batch, n, m)``.
        a: ``(batch, n)`` weights of the rows.
        measures: of the columns.
        powers: alpha and beta.
        iterations: none leaves F optimal for G = 0.
    """
    if powers[0] == 0.0:
        return a[:, None].to(kernel.dtype).expand(-1, measures.weights.shape[1], -1)
    found: Tensor = _Prices.apply(kernel, a.to(kernel.dtype), measures, powers, iterations)
    return a[:, None].to(kernel.dtype) * found


def _power(total: Tensor, power: float) -> Tensor:
    return total.reciprocal() if power == 1.0 else total.pow(-power)


class _Prices(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, kernel: Tensor, a: Tensor, measures: Measures, powers: tuple[float, float], iterations: int
    ) -> Tensor:
        alpha, beta = powers
        turned, a = kernel.transpose(1, 2), a[:, None]
        k0 = math.exp(-min(measures.none_cost, _RANGE[kernel.dtype]))
        weights = measures.weights.to(kernel.dtype)
        laid = weights.expand(len(kernel), -1, -1)
        picked = measures.pick(weights)
        row = torch.bmm(laid, turned) + k0 * measures.none
        u = _power(row, alpha)
        kept = [row, u]
        for _ in range(iterations):
            column = torch.bmm(a * u, kernel)
            total, total_none = measures.pick(column), k0 * (a * u).sum(2)
            v, v_none = _power(total, beta), _power(total_none, beta)
            laid = measures.lay(picked * v, column)
            row = torch.bmm(laid, turned) + (k0 * measures.none * v_none)[:, :, None]
            u = _power(row, alpha)
            kept += [total, total_none, v, v_none, row, u]
        ctx.save_for_backward(kernel, a, weights, *kept)
        ctx.measures, ctx.powers, ctx.k0 = measures, powers, k0
        return u

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        kernel, a, weights, first_row, first_u, *kept = ctx.saved_tensors
        (alpha, beta), k0, measures = ctx.powers, ctx.k0, ctx.measures
        turned, picked = kernel.transpose(1, 2), measures.pick(weights)
        like = weights.expand(len(kernel), -1, -1)
        by_kernel = _Outer()
        for step in range(len(kept) // 6 - 1, -1, -1):
            total, total_none, v, v_none, row, u = kept[6 * step : 6 * step + 6]
            before = kept[6 * step - 1] if step else first_u
            d_row = -alpha * grad * u / row
            by_kernel.add(d_row, measures.lay(picked * v, like))
            d_v = picked * measures.pick(torch.bmm(d_row, kernel))
            d_total = measures.lay(-beta * d_v * v / total, like)
            d_none = -beta * (k0 * measures.none) * d_row.sum(2) * v_none / total_none
            by_kernel.add(a * before, d_total)
            grad = a * (torch.bmm(d_total, turned) + k0 * d_none[:, :, None])
        by_kernel.add(-alpha * grad * first_u / first_row, like)
        return by_kernel.total(), None, None, None, None


class _Outer:
    """Sum of products ``left^T @ right`` of ``(batch, r, n)`` with ``(batch, r, m)``."""

    def __init__(self) -> None:
        self._pairs: list[tuple[Tensor, Tensor]] = []
        self._sum: Tensor | None = None

    def add(self, left: Tensor, right: Tensor) -> None:
        """Add a product; few rows wait to be multiplied together."""
        if left.shape[1] <= _STACKED:
            self._pairs.append((left, right))
        elif self._sum is None:
            self._sum = torch.bmm(left.transpose(1, 2), right)
        else:
            self._sum.baddbmm_(left.transpose(1, 2), right)

    def total(self) -> Tensor:
        """The sum ``(batch, n, m)``."""
        if self._sum is not None:
            return self._sum
        left, right = (torch.cat([pair[k] for pair in self._pairs], dim=1) for k in (0, 1))
        return torch.bmm(left.transpose(1, 2), right)
