"""What `sinkhorn` is asked, in the form that it computes with: checked, batched, in float32 or float64."""

import math
import warnings
from dataclasses import dataclass, replace

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ecgclip.errors import DataError, UsageError

__all__ = ["Problem", "SinkhornWarning", "pose", "warn_unconverged"]

Relaxation = float | tuple[float | None, float | None] | None


class SinkhornWarning(RuntimeWarning):
    """Some problems of a batch stopped before their marginal error reached the tolerance."""


@dataclass(frozen=True, eq=False)
class Problem:
    """A batch of transport problems.

    ``cost (batch, n, m)``, ``a (batch, n)``, ``b (batch, m)`` as the caller gave them, with their gradients;
    ``rho_a`` and ``rho_b`` are the penalties of the marginals, infinite where a marginal is held.
    """

    cost: Tensor
    a: Tensor
    b: Tensor
    reg: float
    rho_a: float
    rho_b: float

    @property
    def alpha(self) -> float:
        """Exponent of the row update: 1 holds the row marginal, 0 forgets it."""
        return 1.0 if math.isinf(self.rho_a) else self.rho_a / (self.rho_a + self.reg)

    @property
    def beta(self) -> float:
        """Exponent of the column update."""
        return 1.0 if math.isinf(self.rho_b) else self.rho_b / (self.rho_b + self.reg)

    @property
    def balanced(self) -> bool:
        """Whether both marginals are held."""
        return math.isinf(self.rho_a) and math.isinf(self.rho_b)

    def detached(self) -> "Problem":
        """The same problem without gradients; of a balanced one, the masses agree to the last digit."""
        cost, a, b = self.cost.detach(), self.a.detach(), self.b.detach()
        if self.balanced:
            mass = b.sum(1, keepdim=True)
            b = b * torch.where(mass > 0, a.sum(1, keepdim=True) / mass, 1.0)
        return replace(self, cost=cost, a=a, b=b)

    def transposed(self) -> "Problem":
        """Rows and columns exchanged."""
        return Problem(self.cost.transpose(1, 2), self.b, self.a, self.reg, self.rho_b, self.rho_a)


def _penalties(reg_m: Relaxation) -> tuple[float, float]:
    """``(rho_a, rho_b)`` of ``reg_m``: one number for both sides or a pair; None or infinity holds a side."""
    pair = reg_m if isinstance(reg_m, tuple | list) else (reg_m, reg_m)
    if len(pair) != 2:
        raise UsageError(f"reg_m={reg_m!r}: expected a number, None, or a pair (rows, columns)")
    first, second = (math.inf if side is None else float(side) for side in pair)
    if not (first >= 0 and second >= 0):
        raise UsageError(
            f"reg_m={reg_m!r}: a marginal penalty is at least 0, None where the marginal is held"
        )
    return first, second


def _weights(weights: Tensor | ArrayLike | None, like: Tensor, size: int, mask: Tensor | None) -> Tensor:
    """Weights ``(batch, size)``: as given or uniform, zero where the mask says absent."""
    batch = like.shape[0]
    if weights is None:
        present = (
            torch.ones(batch, size, dtype=like.dtype, device=like.device) if mask is None else mask.to(like)
        )
        return present / present.sum(1, keepdim=True).clamp(min=1)
    given = torch.as_tensor(weights).to(like)
    given = given.expand(batch, size) if given.dim() < 2 else given
    if given.shape != (batch, size):
        raise UsageError(f"weights of shape {tuple(given.shape)}: expected ({batch}, {size}) or ({size},)")
    return given if mask is None else torch.where(mask, given, 0.0)


def _mask(mask: Tensor | ArrayLike | None, like: Tensor, size: int) -> Tensor | None:
    if mask is None:
        return None
    present = torch.as_tensor(mask).to(like.device, torch.bool)
    if present.shape[-1:] != (size,) or present.dim() > 2:
        raise UsageError(f"mask of shape {tuple(present.shape)}: expected ({like.shape[0]}, {size})")
    return present.expand(like.shape[0], size)


def _check_values(problem: Problem, broken: Tensor | None) -> None:
    """Refuse what has no solution, with one look at the device."""
    if broken is not None and bool(broken.any()):
        raise DataError("cost / reg is not finite between entries of positive weight: mask them or raise reg")
    mass_a, mass_b = problem.a.sum(1), problem.b.sum(1)
    apart = (mass_a - mass_b).abs() > 1e-3 * torch.maximum(mass_a, mass_b)
    negative = [~((w >= 0) & w.isfinite()).all() for w in (problem.a, problem.b)]
    bad_a, bad_b, unequal = torch.stack([*negative, apart.any()]).tolist()
    if bad_a or bad_b:
        raise DataError(f"weights {'a' if bad_a else 'b'} hold a negative or non-finite value")
    if unequal and problem.balanced:
        raise DataError(
            "weights a and b of a problem differ in mass: normalise them, or relax a marginal with reg_m"
        )


def pose(
    cost: Tensor | ArrayLike,
    a: Tensor | ArrayLike | None,
    b: Tensor | ArrayLike | None,
    reg: float,
    reg_m: Relaxation,
    row_mask: Tensor | ArrayLike | None,
    column_mask: Tensor | ArrayLike | None,
) -> Problem:
    """Check the arguments of `sinkhorn` and bring them to ``(batch, n, m)`` in float32, float64 kept."""
    if not (reg > 0 and math.isfinite(reg)):
        raise UsageError(f"reg={reg!r}: expected a positive number")
    given = torch.as_tensor(cost)
    given = given if given.dtype == torch.float64 else given.to(torch.float32)
    if given.dim() == 2:
        given = given[None]
    if given.dim() != 3 or 0 in given.shape[1:]:
        raise UsageError(
            f"cost of shape {tuple(given.shape)}: expected (n, m) or (batch, n, m), none of n, m zero"
        )
    rows, columns = _mask(row_mask, given, given.shape[1]), _mask(column_mask, given, given.shape[2])
    rho_a, rho_b = _penalties(reg_m)
    weights_a = _weights(a, given, given.shape[1], rows)
    weights_b = _weights(b, given, given.shape[2], columns)
    problem = Problem(given, weights_a, weights_b, float(reg), rho_a, rho_b)
    peak = given.detach().abs().amax() if given.numel() else given.new_zeros(())
    if bool((peak / reg).isfinite()):
        _check_values(problem, None)
        return problem
    broken = ~(given.detach() / reg).isfinite()
    live = (weights_a > 0)[:, :, None] & (weights_b > 0)[:, None, :]
    _check_values(problem, broken & live)
    return replace(problem, cost=torch.where(broken, 0.0, given))


def warn_unconverged(converged: Tensor, error: Tensor, tol: float, max_iter: int) -> None:
    """Say once how many problems missed the tolerance and by how much."""
    missed = int((~converged).sum())
    if missed:
        warnings.warn(
            f"sinkhorn: {missed} of {converged.numel()} problems stopped after {max_iter} iterations with a marginal "
            f"error of up to {float(error.max()):.1e} (tol {tol:.1e}): raise max_iter, reg or tol",
            SinkhornWarning,
            stacklevel=3,
        )
