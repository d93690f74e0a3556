"""What `sinkhorn` is asked, in the form that it computes with: checked, batched, in float32 or float64."""

import math
import warnings
from dataclasses import dataclass, replace

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ecgclip.errors import DataError, UsageError

from .inputs import fit, real_tensor

__all__ = ["Problem", "SinkhornWarning", "marginal_distance", "pose", "sides", "warn_unconverged"]

Relaxation = float | tuple[float | None, float | None] | None

ROUNDING = 16  # masses that differ by as many units in the last place are equal;
UNEQUAL = 1e-3  # held masses that differ by a larger share are refused


class SinkhornWarning(RuntimeWarning):
    """Some problems of a batch stopped before their marginal error reached the tolerance."""


@dataclass(frozen=True, eq=False)
class Problem:
    """A batch of transport problems.

    ``cost (batch, n, m)``, ``a (batch, n)``, ``b (batch, m)`` with their gradients; where both marginals are held,
    ``b`` is scaled to the mass of ``a``, and both are zero where one is empty. ``rho_a`` and ``rho_b`` are the
    penalties of the marginals, infinite where a marginal is held. ``given_b (batch, m)`` is ``b`` before it was
    scaled, None where that changed nothing but rounding.
    """

    cost: Tensor
    a: Tensor
    b: Tensor
    reg: float
    rho_a: float
    rho_b: float
    given_b: Tensor | None = None

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
        """The same problem without gradients."""
        return replace(self, cost=self.cost.detach(), a=self.a.detach(), b=self.b.detach())

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


def _weights(
    weights: Tensor | ArrayLike | None, like: Tensor, size: int, mask: Tensor | None, name: str
) -> Tensor:
    """Weights ``(batch, size)``: as given or uniform, zero where the mask says absent."""
    batch = like.shape[0]
    if weights is None:
        present = (
            torch.ones(batch, size, dtype=like.dtype, device=like.device) if mask is None else mask.to(like)
        )
        return present / present.sum(1, keepdim=True).clamp(min=1)
    given = fit(real_tensor(weights, f"weights {name}").to(like), batch, size, f"weights {name}")
    return given if mask is None else torch.where(mask, given, 0.0)


def _mask(mask: Tensor | ArrayLike | None, like: Tensor, size: int, name: str) -> Tensor | None:
    if mask is None:
        return None
    return fit(real_tensor(mask, name).to(like.device, torch.bool), like.shape[0], size, name)


def sides(
    cost: Tensor,
    a: Tensor | ArrayLike | None,
    b: Tensor | ArrayLike | None,
    row_mask: Tensor | ArrayLike | None,
    column_mask: Tensor | ArrayLike | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Weights ``(batch, n)`` and ``(batch, m)`` of a cost ``(batch, n, m)``, and which problems a mask empties."""
    rows = _mask(row_mask, cost, cost.shape[1], "row_mask")
    columns = _mask(column_mask, cost, cost.shape[2], "column_mask")
    emptied = torch.zeros(len(cost), dtype=torch.bool, device=cost.device)
    for mask in (rows, columns):
        emptied = emptied if mask is None else emptied | ~mask.any(1)
    return (
        _weights(a, cost, cost.shape[1], rows, "a"),
        _weights(b, cost, cost.shape[2], columns, "b"),
        emptied,
    )


def _check_values(problem: Problem, emptied: Tensor, broken: Tensor | None) -> bool:
    """Refuse what has no solution, with one look at the device; True where held masses differ beyond rounding."""
    if broken is not None and bool(broken.any()):
        raise DataError("cost / reg is not finite between entries of positive weight: mask them or raise reg")
    mass_a, mass_b = (w.detach().sum(1, dtype=torch.float64) for w in (problem.a, problem.b))
    apart, larger = (mass_a - mass_b).abs(), torch.maximum(mass_a, mass_b)
    rounding = ROUNDING * torch.finfo(problem.cost.dtype).eps
    unlike = [((apart > share * larger) & ~emptied).any() for share in (UNEQUAL, rounding)]
    negative = [~((w >= 0) & w.isfinite()).all() for w in (problem.a, problem.b)]
    bad_a, bad_b, unequal, differ = torch.stack([*negative, *unlike]).tolist()
    if bad_a or bad_b:
        raise DataError(f"weights {'a' if bad_a else 'b'} hold a negative or non-finite value")
    if unequal and problem.balanced:
        raise DataError(
            "weights a and b of a problem differ in mass: normalise them, or relax a marginal with reg_m"
        )
    return bool(differ) and problem.balanced


def _even(problem: Problem) -> Problem:
    """Both sides zero where one is empty; both of the mass of ``a`` where both are held, on autograd's tape."""
    there = ((problem.a > 0).any(1) & (problem.b > 0).any(1))[:, None]
    a, b = torch.where(there, problem.a, 0.0), torch.where(there, problem.b, 0.0)
    if problem.balanced:
        b = b * (a.sum(1, keepdim=True) / torch.where(there, b.sum(1, keepdim=True), 1.0))
    return replace(problem, a=a, b=b)


def pose(
    cost: Tensor,
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
    given = cost if cost.dtype == torch.float64 else cost.to(torch.float32)
    if given.dim() == 2:
        given = given[None]
    if given.dim() != 3 or 0 in given.shape[1:]:
        raise UsageError(
            f"cost of shape {tuple(cost.shape)}: expected (n, m) or (batch, n, m), none of n, m zero"
        )
    rho_a, rho_b = _penalties(reg_m)
    weights_a, weights_b, emptied = sides(given, a, b, row_mask, column_mask)
    problem = Problem(given, weights_a, weights_b, float(reg), rho_a, rho_b)
    peak = given.detach().abs().amax() if given.numel() else given.new_zeros(())
    broken = None if bool((peak / reg).isfinite()) else ~(given.detach() / reg).isfinite()
    live = None if broken is None else broken & (weights_a > 0)[:, :, None] & (weights_b > 0)[:, None, :]
    differ = _check_values(problem, emptied, live)
    if broken is not None:
        problem = replace(problem, cost=torch.where(broken, 0.0, given))
    return replace(_even(problem), given_b=weights_b.detach() if differ else None)


def marginal_distance(problem: Problem, plan: Tensor) -> Tensor:
    """The larger L1 distance ``(batch,)`` of a marginal of the plan to its weights as given."""
    given_b = problem.b if problem.given_b is None else problem.given_b
    there = (problem.a > 0).any(1)
    rows = (plan.detach().sum(2, dtype=torch.float64) - problem.a.detach()).abs().sum(1)
    columns = (plan.detach().sum(1, dtype=torch.float64) - given_b).abs().sum(1)
    return torch.where(there, torch.maximum(rows, columns), 0.0).to(problem.cost.dtype)


def warn_unconverged(error: Tensor, reached: Tensor, tol: float, max_iter: int) -> None:
    """Say once how many problems missed the tolerance, by how much, and why.

    Args:
        error: ``(batch,)`` distance from the weights as given.
        reached: ``(batch,)`` error at which the iterations stopped, masses made equal.
        tol: the tolerance.
        max_iter: iterations at most.
    """
    if not int((~(error <= tol)).sum()):
        return
    short, causes = ~(reached <= tol), []
    uneven = ~short & ~(error <= tol)
    if bool(short.any()):
        causes.append(
            f"{int(short.sum())} of {error.numel()} problems stopped after {max_iter} iterations with a marginal "
            f"error of up to {float(error[short].max()):.1e} (tol {tol:.1e}): raise max_iter, reg or tol"
        )
    if bool(uneven.any()):
        causes.append(
            f"{int(uneven.sum())} of {error.numel()} problems hold weights a and b whose masses differ, a marginal "
            f"error of up to {float(error[uneven].max()):.1e} (tol {tol:.1e}): normalise them, or raise tol"
        )
    warnings.warn(f"sinkhorn: {'; '.join(causes)}", SinkhornWarning, stacklevel=3)
