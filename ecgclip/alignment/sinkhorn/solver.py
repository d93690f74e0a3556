"""Entropic optimal transport, balanced or with relaxed marginals, for a batch of small problems.

For each problem of the batch, with cost ``C (n, m)``, weights ``a (n,)`` and ``b (m,)``:

    value = min over P >= 0 of  <P, C> + reg KL(P | a b^T) + rho_a KL(P 1 | a) + rho_b KL(P^T 1 | b)

    KL(p | q) = sum p log(p / q) - sum p + sum q

``rho`` infinite holds a marginal exactly, finite relaxes it, 0 forgets it. The optimum has the form

    P_ij = a_i b_j exp((f_i + g_j - C_ij) / reg)

and Sinkhorn's iteration sets each potential to its optimum given the other (Cuturi 2013; Chizat et al. 2018):

    f_i = -alpha reg log sum_j b_j exp((g_j - C_ij) / reg),      alpha = rho_a / (rho_a + reg)
    g_j = -beta  reg log sum_i a_i exp((f_i - C_ij) / reg),      beta  = rho_b / (rho_b + reg)

From here on everything is in units of ``reg``: M = C / reg, F = f / reg, G = g / reg.

Each problem runs in the kernel domain (`kernel`): there an iteration is two products of a matrix with a
vector, and after every few of them a Newton step finds the fixed point that plain iterations approach slowly where
``reg`` is small. Iterations that leave floating range there are taken again in the log domain, as written above.
"""

import math
from dataclasses import dataclass, fields
from typing import Literal

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ecgclip.errors import UsageError, unknown_name

from .gradient import attach_plan, attach_value, unrolled
from .inputs import fit, real_tensor
from .kernel import KernelDomain
from .problem import Problem, Relaxation, SinkhornWarning, marginal_distance, pose, warn_unconverged
from .scaling import log_weights, potential, sweeps

__all__ = ["SinkhornResult", "SinkhornWarning", "sinkhorn"]

SWEEPS = 8  # iterations between looks at the error, each followed by a Newton step
NEWTON_LIMIT = 512  # columns beyond which the Newton system costs more than it saves


@dataclass(frozen=True, eq=False)
class SinkhornResult:
    """What `sinkhorn` found; for one ``(n, m)`` problem the batch axis is dropped everywhere.

    Attributes:
        plan: ``(batch, n, m)``, the mass that moves from row to column; zero where a side is empty, like the value.
        value: ``(batch,)``, the minimum, differentiable by cost and weights. It is computed as the dual objective,
            whose error is of second order in the marginal error.
        converged: ``(batch,)`` bool, whether ``marginal_error`` is at most ``tol``.
        iterations: ``(batch,)`` int64, counted for each problem by itself.
        marginal_error: ``(batch,)``; balanced, the L1 distance of the marginal of the shorter side to its weights
            (the longer is met exactly), and where the given masses differ beyond rounding, the larger distance of
            the two sides to their weights as given; relaxed, the L1 change of the shorter side's marginal that one
            more iteration makes.
        potentials: ``f (batch, n)`` and ``g (batch, m)`` in units of the cost, for a warm start.
    """

    plan: Tensor
    value: Tensor
    converged: Tensor
    iterations: Tensor
    marginal_error: Tensor
    potentials: tuple[Tensor, Tensor]


def _log_sweeps(
    state: KernelDomain, chosen: Tensor, start: tuple[Tensor, Tensor], count: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Iterations in the log domain from ``start``: F, G and the error of the chosen problems."""
    f, scaled = start[0][chosen], state.scaled[chosen]
    b = state.b[chosen]
    log_a, log_b = log_weights(state.a[chosen]), log_weights(b)
    f, g = sweeps(scaled, (log_a, log_b), (state.problem.alpha, state.problem.beta), f, count)
    total = -potential(log_a, f[:, :, None] - scaled, 1.0, 1)
    change = torch.exp((1 - state.problem.beta) * total) - torch.exp(g + total)
    return f, g, (b * change).abs().sum(1)


def _start(
    problem: Problem, scaled: Tensor, potentials: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Tensor]:
    """First F and G: the caller's, or the row minima of M and then the column minima of what is left.

    Where a marginal is relaxed, the constant that may move between F and G is put where the dual is largest
    (Séjourné et al. 2022).
    """
    if potentials is not None:
        return potentials[0] / problem.reg, potentials[1] / problem.reg
    absent = torch.where(problem.b > 0, 0.0, math.inf)[:, None, :]
    f = torch.nan_to_num((scaled + absent).amin(2), posinf=0.0) * (problem.alpha > 0)
    absent = torch.where(problem.a > 0, 0.0, math.inf)[:, :, None]
    g = torch.nan_to_num((scaled - f[:, :, None] + absent).amin(1), posinf=0.0)
    if problem.balanced or problem.alpha == 0 or problem.beta == 0:
        return f, g
    soft_a, soft_b = problem.reg / problem.rho_a, problem.reg / problem.rho_b
    log_a, log_b = problem.a.log(), problem.b.log()
    excess = torch.logsumexp(log_b - soft_b * g, 1) - torch.logsumexp(log_a - soft_a * f, 1)
    shift = torch.nan_to_num(excess / (soft_a + soft_b), posinf=0.0, neginf=0.0)[:, None]
    return f - shift, g + shift


class _Found:
    """Where finished problems are laid down."""

    def __init__(self, scaled: Tensor) -> None:
        self.plan = torch.zeros_like(scaled)
        self.f, self.g = torch.zeros_like(scaled[:, :, 0]), torch.zeros_like(scaled[:, 0])
        self.error = torch.full_like(self.f[:, 0], math.inf)
        self.iterations = torch.zeros_like(self.error, dtype=torch.int64)

    def retire(
        self, state: KernelDomain, running: Tensor, ready: Tensor, error: Tensor, count: int
    ) -> Tensor:
        """Write down the problems that are ready, drop them from the state, and return who still runs."""
        if not bool(ready.any()):
            return running
        where, (f, g) = running[ready], state.potentials()
        self.plan[where] = state.plan()[ready]
        self.f[where], self.g[where], self.error[where] = f[ready], g[ready], error[ready]
        self.iterations[where] = count
        state.keep(~ready)
        return running[~ready]


def _solve(problem: Problem, tol: float, max_iter: int, potentials: tuple[Tensor, Tensor] | None) -> _Found:
    """Run every problem until its error is at most ``tol`` or ``max_iter`` iterations are spent."""
    scaled = (problem.cost / problem.reg).contiguous()
    found = _Found(scaled)
    running = torch.arange(len(scaled), device=scaled.device)
    state = KernelDomain(problem, scaled, *_start(problem, scaled, potentials))
    by_newton = problem.alpha > 0 and problem.beta > 0 and scaled.shape[2] <= NEWTON_LIMIT
    count = 0
    while running.numel():
        start, sweeps = state.potentials(), min(SWEEPS, max_iter - count)
        for _ in range(sweeps):
            state.sweep()
        count += sweeps
        error, _, _ = state.error(state.u, state.v)
        lost, wide = state.strayed(state.u, state.v)
        if bool((lost | wide).any()):
            again, far = lost.nonzero()[:, 0], wide.nonzero()[:, 0]
            f, g = state.potentials()
            state.take_up(far, f[far], g[far])
            f, g, log_error = _log_sweeps(state, again, start, sweeps)
            state.take_up(again, f, g)
            error = error.index_copy(0, again, log_error)
        running = found.retire(state, running, (error <= tol) | (count >= max_iter), error, count)
        if by_newton and running.numel():
            error, count = state.newton(), count + 1
            running = found.retire(state, running, (error <= tol) | (count >= max_iter), error, count)
    return found


def _run(
    problem: Problem,
    grad: str,
    tol: float,
    max_iter: int,
    potentials: tuple[Tensor, Tensor] | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Value, plan, F, G, error and iterations, with the derivatives that ``grad`` asks for."""
    if grad == "unroll":
        return unrolled(problem, tol, max_iter, SWEEPS)
    with torch.no_grad():
        still = problem.detached()
        if problem.cost.shape[1] < problem.cost.shape[2]:
            pair = None if potentials is None else (potentials[1], potentials[0])
            found = _solve(still.transposed(), tol, max_iter, pair)
            plan, f, g = found.plan.transpose(1, 2), found.g, found.f
        else:
            found = _solve(still, tol, max_iter, potentials)
            plan, f, g = found.plan, found.f, found.g
        there = (still.a > 0).any(1, keepdim=True)  # nothing to say of an empty problem
        f, g = torch.where(there, f, 0.0), torch.where(there, g, 0.0)
    value = attach_value(problem, f, g, plan)
    if grad == "implicit":
        plan = attach_plan(problem, f, g, plan)
    return value, plan, f, g, found.error, found.iterations


def sinkhorn(
    cost: Tensor | ArrayLike,
    a: Tensor | ArrayLike | None = None,
    b: Tensor | ArrayLike | None = None,
    *,
    reg: float,
    reg_m: Relaxation = None,
    tol: float = 1e-6,
    max_iter: int = 1000,
    row_mask: Tensor | ArrayLike | None = None,
    column_mask: Tensor | ArrayLike | None = None,
    grad: Literal["envelope", "implicit", "unroll"] = "envelope",
    potentials: tuple[Tensor, Tensor] | None = None,
) -> SinkhornResult:
    """Solve entropic transport problems, each by itself; the equations stand at the head of this module.

    Computed in float32 whatever the autocast, in float64 where ``cost`` is; on the device of ``cost``. Weights that
    are both held are to have one mass. Where they differ, by a thousandth at most, ``b`` is scaled to the mass of
    ``a``: value, plan and derivatives are those of the scaled problem, ``a`` and ``b`` each free to move. The error
    is still measured against ``b`` as given, so that the problem has not converged if its masses are further apart
    than ``tol``; a difference of 16 units in the last place is taken for rounding. A problem one side of which is
    empty is solved by the plan zero.

    Args:
        cost: ``(batch, n, m)`` or ``(n, m)``, a tensor, an array, a table or nested lists (these in float32).
        a: ``(batch, n)`` or ``(n,)`` non-negative weights of the rows; None for uniform over the rows present. A
            row of weight zero takes no part, whatever its cost.
        b: ``(batch, m)`` or ``(m,)`` weights of the columns.
        reg: strength of the entropic term, in units of the cost.
        reg_m: penalty of the marginals: None holds both, a number relaxes both, a pair ``(rows, columns)`` each by
            itself (None or infinity holds a side), as POT counts it.
        tol: marginal error at which a problem stops.
        max_iter: iterations at most.
        row_mask: ``(batch, n)`` bool, True where a row is present; padding elsewhere.
        column_mask: ``(batch, m)`` bool, likewise.
        grad: how derivatives are found. ``envelope``: of the value alone, the plan is detached. ``implicit``: of
            the plan too, by the implicit function theorem at the optimum. ``unroll``: through plain iterations in
            the log domain, memory growing with their number.
        potentials: ``(f, g)`` of an earlier result to start from; ``unroll`` starts afresh.

    Raises:
        UsageError: shapes that do not fit, arrays of anything but real numbers, or a parameter out of its range.
        DataError: a cost that is not finite, a negative weight, or held marginals of different mass where no mask
            leaves a side empty.

    Warns:
        SinkhornWarning: once, if some problems stopped before ``tol``.
    """
    if grad not in ("envelope", "implicit", "unroll"):
        raise unknown_name("grad", grad, ("envelope", "implicit", "unroll"))
    if max_iter < 1 or not tol >= 0:
        raise UsageError(f"max_iter={max_iter}, tol={tol}: expected at least 1 and at least 0")
    given = real_tensor(cost, "cost")
    with torch.autocast(device_type=given.device.type, enabled=False):
        problem = pose(given, a, b, reg, reg_m, row_mask, column_mask)
        start = None if potentials is None else _warm(problem, potentials)
        value, plan, f, g, reached, iterations = _run(problem, grad, tol, max_iter, start)
        error = reached if problem.given_b is None else marginal_distance(problem, plan)
    warn_unconverged(error, reached, tol, max_iter)
    result = SinkhornResult(plan, value, error <= tol, iterations, error, (f * reg, g * reg))
    return _only(result) if given.dim() == 2 else result


def _warm(problem: Problem, potentials: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """The caller's potentials ``(batch, n)`` and ``(batch, m)``."""
    if not isinstance(potentials, tuple | list) or len(potentials) != 2:
        raise UsageError("potentials: expected the pair (f, g) of an earlier result")
    batch, n, m = problem.cost.shape
    f, g = (real_tensor(p, "potentials").detach().to(problem.cost) for p in potentials)
    return fit(f, batch, n, "potentials f"), fit(g, batch, m, "potentials g")


def _only(result: SinkhornResult) -> SinkhornResult:
    """The one problem of a batch of one."""
    first = {f.name: getattr(result, f.name)[0] for f in fields(result) if f.name != "potentials"}
    f, g = result.potentials
    return SinkhornResult(**first, potentials=(f[0], g[0]))
