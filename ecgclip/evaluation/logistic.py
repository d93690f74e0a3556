"""Many L2 logistic regressions on the same features at once: one a label, fold and penalty.

Column k minimises over its coefficients ``b`` and intercept ``a``

    sum_i w_ik log(1 + exp(-(2 y_ik - 1) (a + x_i b))) / W_k  +  |b|^2 / (2 C_k W_k),    W_k = sum_i w_ik,

scikit-learn's objective divided by ``C_k W_k``: the intercept is not penalised. Where a column has scores ``s_ik``
to start from, ``(1 + g_k) s_ik`` joins its logits and ``g_k^2 / (2 PRIOR_PENALTY W_k)`` its objective.
Features are rotated to their principal axes, where the Hessian is nearly diagonal, and each column runs its own
L-BFGS (Nocedal 1980) from that diagonal; all columns share the two matrix products of a step.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .metrics import Floats

__all__ = ["Axes", "Regressions", "fit_logistic"]

PRIOR_PENALTY = 1.0
_MEMORY = 8
_BACKTRACKS = 30


@dataclass(frozen=True)
class Regressions:
    """What was fitted, a column each.

    Attributes:
        coefficients: ``(dim, k)``.
        intercepts: ``(k,)``.
        slopes: ``(k,)`` of the scores that columns started from.
        converged: ``(k,)`` whether the column reached its tolerance.
    """

    coefficients: Floats
    intercepts: Floats
    slopes: Floats
    converged: NDArray[np.bool_]

    def decision(self, features: Floats, prior: Floats | None = None) -> Floats:
        """Logits ``(n, k)`` of ``(n, dim)`` features, and of ``(n, k)`` scores where the fit started from some."""
        logits = np.asarray(features @ self.coefficients + self.intercepts)
        return logits if prior is None else logits + self.slopes * prior


@dataclass(frozen=True)
class Axes:
    """Features on their principal axes, found once for all regressions on them.

    Attributes:
        design: ``(n, rank + 1)``, a column of ones last.
        rotation: ``(dim, rank)``.
        scales: ``(rank,)`` singular values.
    """

    design: Floats
    rotation: Floats
    scales: Floats

    @classmethod
    def of(cls, features: Floats) -> "Axes":
        """The axes of ``(n, dim)`` features."""
        u, s, vt = np.linalg.svd(features, full_matrices=False)
        rank = int((s > s.max(initial=0.0) * 1e-10).sum())
        design = np.hstack([u[:, :rank] * s[:rank], np.ones((len(features), 1))])
        return cls(design, vt[:rank].T, s[:rank])


@dataclass(frozen=True)
class _Problem:
    """Rotated features with a column of ones, and what differs between columns."""

    design: Floats  # (n, rank + 1)
    targets: Floats  # (n, k)
    weights: Floats  # (n, k), each column sums to one
    prior: Floats  # (n, k), scores that columns start from; zero where they start from none
    penalty: Floats  # (rank + 2, k), zero for the intercept, last that of the prior's slope
    scale: Floats  # (rank + 2, k), what the inverse Hessian is taken for at first

    def select(self, columns: NDArray[np.intp]) -> "_Problem":
        """Some of the columns."""
        every = (self.targets, self.weights, self.prior, self.penalty, self.scale)
        return _Problem(self.design, *(each[:, columns] for each in every))

    def loss(self, theta: Floats) -> tuple[Floats, Floats]:
        """Objective ``(k,)`` and gradient ``(rank + 2, k)``."""
        logits = self.design @ theta[:-1] + (1.0 + theta[-1]) * self.prior
        value = np.einsum("nk,nk->k", self.weights, np.logaddexp(0.0, logits) - self.targets * logits)
        value += 0.5 * np.einsum("dk,dk->k", self.penalty * theta, theta)
        residual = self.weights * (0.5 * (1.0 + np.tanh(0.5 * logits)) - self.targets)
        slope = np.einsum("nk,nk->k", residual, self.prior)
        return value, np.vstack([self.design.T @ residual, slope]) + self.penalty * theta


def _direction(gradient: Floats, scale: Floats, pairs: list[tuple[Floats, Floats]]) -> Floats:
    """L-BFGS two-loop recursion for every column; ``pairs`` of step and gradient change, oldest first."""
    q: Floats = gradient.copy()
    alphas = []
    for step, change in reversed(pairs):
        alpha = np.einsum("dk,dk->k", step, q) / np.einsum("dk,dk->k", step, change)
        q -= alpha * change
        alphas.append(alpha)
    q *= scale
    for (step, change), alpha in zip(pairs, reversed(alphas), strict=True):
        beta = np.einsum("dk,dk->k", change, q) / np.einsum("dk,dk->k", step, change)
        q += (alpha - beta) * step
    return np.negative(q)


def _search(
    problem: _Problem, theta: Floats, value: Floats, gradient: Floats, direction: Floats
) -> tuple[Floats, Floats, Floats]:
    """Backtrack each column from a full step until it falls by Armijo's rule."""
    slope = np.einsum("dk,dk->k", gradient, direction)
    step = np.ones_like(value)
    new_value, new_gradient = problem.loss(theta + direction)
    for _ in range(_BACKTRACKS):
        high = np.flatnonzero(new_value > value + 1e-4 * step * slope + 1e-15 * np.abs(value))
        if high.size == 0:
            break
        step[high] *= 0.5
        trial = theta[:, high] + step[high] * direction[:, high]
        new_value[high], new_gradient[:, high] = problem.select(high).loss(trial)
    return step * direction, new_value, new_gradient


def _minimise(problem: _Problem, theta: Floats, tol: float, max_iter: int) -> NDArray[np.bool_]:
    """Run every column until its expected gain is below ``tol``; ``theta`` is updated in place."""
    active = np.arange(theta.shape[1])
    value, gradient = problem.loss(theta)
    pairs: list[tuple[Floats, Floats]] = []
    for _ in range(max_iter):
        gain = np.einsum("dk,dk->k", problem.scale * gradient, gradient)
        keep = np.flatnonzero(gain > tol)
        if keep.size < active.size:
            active, problem, value, gradient = (
                active[keep],
                problem.select(keep),
                value[keep],
                gradient[:, keep],
            )
            pairs = [(step[:, keep], change[:, keep]) for step, change in pairs]
        if active.size == 0:
            break
        direction = _direction(gradient, problem.scale, pairs)
        step, value, new_gradient = _search(problem, theta[:, active], value, gradient, direction)
        theta[:, active] += step
        change = new_gradient - gradient
        gradient = new_gradient
        moved = np.einsum("dk,dk->k", step, change) > 1e-300
        if not moved.all():  # a column at the floor of float64 is done
            keep = np.flatnonzero(moved)
            active, problem, value, gradient = (
                active[keep],
                problem.select(keep),
                value[keep],
                gradient[:, keep],
            )
            pairs = [(s[:, keep], c[:, keep]) for s, c in pairs]
            step, change = step[:, keep], change[:, keep]
        pairs = [*pairs[-(_MEMORY - 1) :], (step, change)]
    converged = np.ones(theta.shape[1], dtype=bool)
    converged[active] = False
    return converged


def fit_logistic(
    features: Floats | Axes,
    targets: NDArray[np.bool_],
    penalties: Floats,
    *,
    weights: Floats | None = None,
    prior: Floats | None = None,
    tol: float = 1e-10,
    max_iter: int = 300,
) -> Regressions:
    """Fit one regression a column.

    Args:
        features: ``(n, dim)``, centred or nearly so, or their axes where more regressions are to come.
        targets: ``(n, k)``.
        penalties: ``(k,)`` inverse strength C of each column, as scikit-learn counts it.
        weights: ``(n, k)`` weight of a record in a column (0 leaves it out); ones unless given.
        prior: ``(n, k)`` scores that each column starts from, standardised; coefficients only correct them.
        tol: expected further gain in mean log loss at which a column stops.
        max_iter: steps at most.
    """
    axes = features if isinstance(features, Axes) else Axes.of(features)
    n, rank = len(axes.design), len(axes.scales)
    y = targets.astype(np.float64)
    w = np.ones_like(y) if weights is None else np.asarray(weights, dtype=np.float64)
    total = w.sum(axis=0)
    w = w / total
    start = np.zeros_like(y) if prior is None else np.asarray(prior, dtype=np.float64)
    penalty = np.vstack(
        [np.tile(1.0 / (penalties * total), (rank, 1)), np.zeros(y.shape[1]), 1.0 / (PRIOR_PENALTY * total)]
    )
    share = np.clip((w * y).sum(axis=0), 1e-6, 1 - 1e-6)
    spread = np.append(axes.scales**2 / n, 1.0)[:, None] * np.ones_like(share)
    curvature = np.vstack([spread, (w * start**2).sum(axis=0)]) * (share * (1 - share))
    theta = np.zeros((rank + 2, y.shape[1]))
    theta[rank] = np.log(share / (1 - share))
    problem = _Problem(axes.design, y, w, start, penalty, 1.0 / (curvature + penalty))
    converged = _minimise(problem, theta, tol, max_iter)
    return Regressions(axes.rotation @ theta[:rank], theta[rank], 1.0 + theta[-1], converged)
