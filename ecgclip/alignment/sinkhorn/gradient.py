"""Derivatives of `sinkhorn`'s value and plan with respect to cost and weights.

Value, by the envelope theorem: at the optimum its derivative is that of the dual objective with the potentials
held still. In units of ``reg``, with psi(F) = F (held) or (rho / reg) (1 - exp(-F reg / rho)) (relaxed),

    value / reg = sum_i a_i psi_a(F_i) + sum_j b_j psi_b(G_j) + sum a sum b - sum P
    d value / d C = P,        d value / d a_i = reg (psi_a(F_i) + sum b - sum_j b_j exp(F_i + G_j - M_ij))

Plan, by the implicit function theorem on the marginal equations: with r = P 1, c = P^T 1 and an incoming
derivative W = P * dL/dP, the adjoint (lambda, mu) solves

    [ diag(r / alpha)   P              ] [ lambda ]   [ W 1   ]
    [ P^T               diag(c / beta) ] [ mu     ] = [ W^T 1 ]

    dL / dC_ij = -(P_ij / reg) (dL/dP_ij - lambda_i - mu_j),    dL / da_i = sum_j (P_ij / a_i) (dL/dP_ij - mu_j)
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .problem import Problem
from .scaling import log_weights, potential, sweeps

__all__ = ["attach_plan", "attach_value", "marginal_penalty", "schur", "solve_schur", "unrolled"]


def marginal_penalty(potential: Tensor, rho: float, reg: float) -> Tensor:
    """The dual term psi of one marginal, by entry."""
    if math.isinf(rho):
        return potential
    if rho == 0:
        return torch.zeros_like(potential)
    return -(rho / reg) * torch.expm1(-potential * (reg / rho))


def dual_value(problem: Problem, f: Tensor, g: Tensor, plan: Tensor) -> Tensor:
    """Dual objective ``(batch,)`` at potentials in units of ``reg``, summed in float64."""
    there = (problem.a > 0).any(1) & (problem.b > 0).any(1)
    terms = problem.a.double().sum(1) * problem.b.double().sum(1) - plan.sum((1, 2), dtype=torch.float64)
    for weights, own, rho in ((problem.a, f, problem.rho_a), (problem.b, g, problem.rho_b)):
        psi = marginal_penalty(torch.where(weights > 0, own, 0.0).double(), rho, problem.reg)
        terms = terms + (weights.double() * psi).sum(1)
    return (problem.reg * torch.where(there, terms, 0.0)).to(problem.cost.dtype)


def _weight_derivative(problem: Problem, own: Tensor, other: Tensor) -> Tensor:
    """Derivative ``(batch, n)`` of the value by the row weights, given the potentials of rows and columns."""
    mass = problem.b.sum(1, keepdim=True)
    psi = marginal_penalty(own, problem.rho_a, problem.reg)
    if math.isinf(problem.rho_a):
        ratio = torch.ones_like(own)
    elif problem.rho_a > 0:
        ratio = torch.exp(-own * (problem.reg / problem.rho_a))
    else:
        exponent = other[:, None, :] - problem.cost / problem.reg + own[:, :, None]
        ratio = (problem.b[:, None, :] * exponent.exp()).sum(2)
    return torch.where(mass > 0, problem.reg * (psi + mass - ratio), 0.0)


class _Value(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, cost: Tensor, a: Tensor, b: Tensor, value: Tensor, plan: Tensor, d_a: Tensor, d_b: Tensor
    ) -> Tensor:
        ctx.save_for_backward(plan, d_a, d_b)
        return value.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        plan, d_a, d_b = ctx.saved_tensors
        need = ctx.needs_input_grad
        return (
            grad[:, None, None] * plan if need[0] else None,
            grad[:, None] * d_a if need[1] else None,
            grad[:, None] * d_b if need[2] else None,
            None,
            None,
            None,
            None,
        )


def attach_value(problem: Problem, f: Tensor, g: Tensor, plan: Tensor) -> Tensor:
    """The value ``(batch,)`` with its derivative by cost and weights (envelope)."""
    still = problem.detached()
    value = dual_value(still, f, g, plan)
    if not any(t.requires_grad for t in (problem.cost, problem.a, problem.b)):
        return value
    d_a = _weight_derivative(still, f, g)
    d_b = _weight_derivative(still.transposed(), g, f)
    attached: Tensor = _Value.apply(problem.cost, problem.a, problem.b, value, plan, d_a, d_b)
    return attached


def schur(plan: Tensor, inverse_rows: Tensor, columns: Tensor, balanced: bool) -> Tensor:
    """``diag(columns) - P^T diag(inverse_rows) P (batch, m, m)``, made regular where the problem is balanced.

    A balanced problem leaves a constant between the potentials free; adding ``c c^T / sum c`` fixes it.
    """
    live = torch.where(columns > 0, columns, 1.0)
    matrix = torch.diag_embed(live) - torch.bmm(plan.transpose(1, 2), inverse_rows[:, :, None] * plan)
    if balanced:
        scale = columns.sum(1, keepdim=True).clamp(min=torch.finfo(plan.dtype).tiny)
        matrix = matrix + columns[:, :, None] * (columns / scale)[:, None, :]
    return matrix


def solve_schur(matrix: Tensor, right: Tensor) -> Tensor:
    """Solve ``(batch, m, m)`` symmetric positive definite systems; NaN, not an error, where one is not."""
    factor, fault = torch.linalg.cholesky_ex(matrix)
    solution = torch.cholesky_solve(right[:, :, None], factor)[:, :, 0]
    return torch.where((fault == 0)[:, None], solution, math.nan)


class _Plan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, cost: Tensor, a: Tensor, b: Tensor, plan: Tensor, f: Tensor, g: Tensor, problem: Problem
    ) -> Tensor:
        ctx.save_for_backward(plan, f, g)
        ctx.problem = problem
        return plan.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        problem: Problem = ctx.problem
        plan, f, g, grad64 = (t.double() for t in (*ctx.saved_tensors, grad))
        work = plan * grad64
        rows, columns = plan.sum(2), plan.sum(1)
        inverse = torch.where(rows > 0, problem.alpha / rows, 0.0)
        stiff = columns / problem.beta if problem.beta > 0 else torch.full_like(columns, math.inf)
        right = work.sum(1) - torch.bmm((inverse * work.sum(2))[:, None, :], plan)[:, 0]
        if problem.beta > 0:
            matrix = schur(plan, inverse, stiff, problem.balanced)
            ridge = 1e-12 * torch.where(columns > 0, stiff, 0.0)
            mu = solve_schur(matrix + torch.diag_embed(ridge), right)
        else:
            mu = torch.zeros_like(right)
        lam = inverse * (work.sum(2) - torch.bmm(plan, mu[:, :, None])[:, :, 0])
        left = grad64 - lam[:, :, None] - mu[:, None, :]
        d_cost = -(plan / problem.reg) * left
        density = torch.exp(f[:, :, None] + g[:, None, :] - problem.cost.double() / problem.reg)
        d_a = (density * problem.b.double()[:, None, :] * (grad64 - mu[:, None, :])).sum(2)
        d_b = (density * problem.a.double()[:, :, None] * (grad64 - lam[:, :, None])).sum(1)
        d_cost, d_a, d_b = (d.to(grad.dtype) for d in (d_cost, d_a, d_b))
        return d_cost, d_a, d_b, None, None, None, None


def attach_plan(problem: Problem, f: Tensor, g: Tensor, plan: Tensor) -> Tensor:
    """The plan with its derivative by cost and weights (implicit function theorem)."""
    if not any(t.requires_grad for t in (problem.cost, problem.a, problem.b)):
        return plan
    attached: Tensor = _Plan.apply(problem.cost, problem.a, problem.b, plan, f, g, problem.detached())
    return attached


def unrolled(
    problem: Problem, tol: float, max_iter: int, check: int
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Plain iterations in the log domain on autograd's tape.

    Returns value, plan, potentials in units of ``reg``, error and iterations. Each problem freezes once its error,
    looked at every ``check`` iterations, is at most ``tol``.
    """
    scaled = problem.cost / problem.reg
    weights, powers = (log_weights(problem.a), log_weights(problem.b)), (problem.alpha, problem.beta)
    g = torch.zeros_like(problem.b)
    f = potential(weights[1], -scaled, problem.alpha, 2)
    error = torch.full_like(g[:, 0], math.inf).detach()
    iterations = torch.zeros_like(error, dtype=torch.int64)
    for start in range(0, max_iter, check):
        done, count = error <= tol, min(check, max_iter - start)
        if bool(done.all()):
            break
        new_f, new_g = sweeps(scaled, weights, powers, f, count)
        f, g = torch.where(done[:, None], f, new_f), torch.where(done[:, None], g, new_g)
        iterations = iterations + count * (~done)
        with torch.no_grad():
            total = -potential(weights[0], f[:, :, None] - scaled, 1.0, 1)
            new = problem.b * torch.exp(-problem.beta * total + total)
            error = torch.where(done, error, (new - problem.b * torch.exp(g + total)).abs().sum(1))
    density = torch.exp(f[:, :, None] + g[:, None, :] - scaled)
    plan = problem.a[:, :, None] * problem.b[:, None, :] * density
    return dual_value(problem, f, g, plan), plan, f, g, error, iterations
