"""Sinkhorn's iteration in the kernel domain, and Newton's step on it, in units of ``reg`` (see `sinkhorn`).

With K = exp(F0 + G0 - M) and F = F0 + log u, G = G0 + log v an iteration is two products,

    v = e_b (K^T a u)^-beta,     u = e_a (K b v)^-alpha,     e_a = exp((alpha - 1) F0),  e_b = exp((beta - 1) G0)

It holds while u and v stay in floating range; F0 and G0 take them up as they grow (Schmitzer 2019). The plan is
P = (a u) K (b v); after an iteration its row marginal r = P 1 is optimal, its column marginal c = P^T 1 nearly.

Let T be one iteration on log v. Near the optimum it contracts by its Jacobian J, slowly if ``reg`` is small; its
fixed point is found sooner by Newton's step log v += (I - J)^-1 (T(log v) - log v), with

    I - J = diag(c / beta)^-1 (diag(c / beta) - P^T diag(alpha / r) P)

(Brauer et al. 2017), kept whole where it lowers the error, else as long as raises the dual objective most.
"""

import math

import torch
from torch import Tensor

from .gradient import marginal_penalty, schur, solve_schur
from .problem import Problem

__all__ = ["KernelDomain"]

GAIN = 0.9  # a whole Newton step is kept if the error falls below this share;
STEPS = (8.0, 2.0, 0.5)  # else it is shortened to these changes of log v


class KernelDomain:
    """Problems that are still running: kernel, scalings, and the updates on them."""

    def __init__(self, problem: Problem, scaled: Tensor, f: Tensor, g: Tensor) -> None:
        self.problem, self.scaled = problem, scaled
        self.a, self.b = problem.a, problem.b
        self.log_range = 80.0 if scaled.dtype == torch.float32 else 690.0
        self.f0, self.g0 = f, g
        self.kernel = self._kernel(f, g, scaled)
        self.kernel_t = self.kernel.transpose(1, 2).contiguous()
        self.u, self.v = torch.ones_like(f), torch.ones_like(g)

    def _kernel(self, f: Tensor, g: Tensor, scaled: Tensor) -> Tensor:
        """``exp(F + G - M)``, zero below floating range."""
        exponent = (f[:, :, None] + g[:, None, :] - scaled).clamp_(max=self.log_range)
        return exponent.masked_fill_(exponent < -self.log_range, -math.inf).exp_()

    def potentials(self) -> tuple[Tensor, Tensor]:
        """F ``(batch, n)`` and G ``(batch, m)``."""
        return self.f0 + self.u.log(), self.g0 + self.v.log()

    def rows(self, v: Tensor) -> Tensor:
        """The u that is optimal for v."""
        total = torch.bmm((self.b * v)[:, None, :], self.kernel_t)[:, 0]
        return self._power(total, self.problem.alpha, self.f0)

    def columns(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """The v that is optimal for u, and the sums it follows from."""
        total = torch.bmm((self.a * u)[:, None, :], self.kernel)[:, 0]
        return self._power(total, self.problem.beta, self.g0), total

    def _power(self, total: Tensor, power: float, base: Tensor) -> Tensor:
        """exp(-power log total - (1 - power) base), finite whatever comes."""
        total = total.clamp(min=torch.finfo(total.dtype).tiny)
        if power == 1:
            return total.reciprocal()
        return (-power * total.log() - (1 - power) * base).clamp_(max=self.log_range + 5).exp_()

    def sweep(self) -> None:
        """One iteration; the row marginal is optimal afterwards."""
        self.v, _ = self.columns(self.u)
        self.u = self.rows(self.v)

    def error(self, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """L1 change ``(batch,)`` of the column marginal that the next iteration would make, its v, and sum P."""
        new, total = self.columns(u)
        column = self.b * total
        return (column * (new - v).abs()).sum(1), new, (column * v).sum(1)

    def plan(self) -> Tensor:
        """P ``(batch, n, m)``."""
        return (self.a * self.u)[:, :, None] * self.kernel * (self.b * self.v)[:, None, :]

    def newton(self) -> Tensor:
        """Newton step on log v; returns the error ``(batch,)`` after it.

        The whole step is kept if it lowers the error, else the length among ``STEPS`` that raises the dual most.
        """
        error, new, mass = self.error(self.u, self.v)
        plan, problem = self.plan(), self.problem
        row, column = plan.sum(2), plan.sum(1)
        stiff = column / problem.beta
        inverse = torch.where(row > 0, problem.alpha / row, 0.0)
        ahead = torch.where(column > 0, (new / self.v).log(), 0.0)
        step = solve_schur(schur(plan, inverse, stiff, problem.balanced), stiff * ahead)
        if problem.balanced:  # a constant between the potentials is free: the shortest step
            step = step - 0.5 * (step.amax(1, keepdim=True) + step.amin(1, keepdim=True))
        base_u, base_v, longest = self.u, self.v, step.abs().amax(1, keepdim=True)
        todo, best = torch.ones_like(error, dtype=torch.bool), mass
        for limit in (math.inf, *STEPS):
            v = base_v * (step * (limit / longest).clamp(max=1.0)).exp()
            u = self.rows(v)
            tried, _, moved = self.error(u, v)
            if limit == math.inf:
                kept = (tried < GAIN * error) & ~self.strayed(u, v)[0]
                todo = ~kept
            else:
                dual = self._dual(u, v, moved)
                kept = todo & (dual > best) & ~self.strayed(u, v)[0]
                best = torch.where(kept, dual, best)
            self.u, self.v = torch.where(kept[:, None], u, self.u), torch.where(kept[:, None], v, self.v)
            error = torch.where(kept, tried, error)
            if not bool(todo.any()):
                break
            if limit == math.inf:
                best = self._dual(base_u, base_v, mass)
        return error

    def _dual(self, u: Tensor, v: Tensor, mass: Tensor) -> Tensor:
        """Dual objective ``(batch,)`` up to a constant."""
        sides = ((self.a, self.f0, u, self.problem.rho_a), (self.b, self.g0, v, self.problem.rho_b))
        value = -mass.double()
        for weights, base, scaling, rho in sides:
            potential = torch.where(weights > 0, base.double() + scaling.double().log(), 0.0)
            value = value + (weights * marginal_penalty(potential, rho, self.problem.reg)).sum(1)
        return value

    def strayed(self, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Problems ``(batch,)`` whose scalings left the range where the kernel domain holds, or soon may.

        An entry that the kernel rounds to zero may not matter at the present scalings either: for that, the
        largest two together stay 25 below the range.
        """
        log_u, log_v = torch.where(self.a > 0, u.log(), 0.0), torch.where(self.b > 0, v.log(), 0.0)
        widest = torch.maximum(log_u.abs().amax(1), log_v.abs().amax(1))
        together = log_u.amax(1) + log_v.amax(1)
        holds = (widest < self.log_range) & (together < self.log_range - 25)
        return ~holds, holds & ((widest > 0.4 * self.log_range) | (together > 0.4 * self.log_range))

    def take_up(self, chosen: Tensor, f: Tensor, g: Tensor) -> None:
        """Build the kernel of the chosen problems at new potentials, scalings one."""
        self.f0, self.g0 = self.f0.index_copy(0, chosen, f), self.g0.index_copy(0, chosen, g)
        kernel = self._kernel(f, g, self.scaled[chosen])
        self.kernel[chosen], self.kernel_t[chosen] = kernel, kernel.transpose(1, 2)
        self.u, self.v = self.u.index_fill(0, chosen, 1.0), self.v.index_fill(0, chosen, 1.0)

    def keep(self, chosen: Tensor) -> None:
        """Drop the problems that are not chosen."""
        self.a, self.b, self.scaled = self.a[chosen], self.b[chosen], self.scaled[chosen]
        self.kernel, self.kernel_t = self.kernel[chosen], self.kernel_t[chosen]
        self.f0, self.g0, self.u, self.v = self.f0[chosen], self.g0[chosen], self.u[chosen], self.v[chosen]
