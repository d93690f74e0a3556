"""A fixed number of Sinkhorn's iterations on autograd's tape, in units of ``reg`` (see `sinkhorn`).

With M = C / reg, an iteration sets G and then F to its optimum given the other,

    G_j = -beta log sum_i a_i exp(F_i - M_ij),      F_i = -alpha log sum_j b_j exp(G_j - M_ij)

in the log domain. Nothing here looks at the device.
"""

import torch
from torch import Tensor

__all__ = ["log_weights", "potential", "sweeps"]


def log_weights(weights: Tensor) -> Tensor:
    """Logarithm with a finite stand-in for log 0, so that derivatives stay finite."""
    return torch.where(weights > 0, torch.where(weights > 0, weights, 1.0).log(), -1e30)


def potential(log_weight: Tensor, exponent: Tensor, power: float, dim: int) -> Tensor:
    """Optimal potential of a side given the other, 0 where nothing faces it.

    Args:
        log_weight: log weights of the other side, ``(batch, n)`` or ``(batch, m)``.
        exponent: the other side's potential minus M, ``(batch, n, m)``.
        power: alpha or beta.
        dim: the other side's dimension, 1 or 2.
    """
    total = torch.logsumexp(exponent + log_weight.unsqueeze(3 - dim), dim)
    return torch.where(total > -1e29, -power * total, 0.0)


def sweeps(
    scaled: Tensor, weights: tuple[Tensor, Tensor], powers: tuple[float, float], f: Tensor, count: int
) -> tuple[Tensor, Tensor]:
    """Take ``count`` iterations in the log domain from ``f``.

    Args:
        scaled: M ``(batch, n, m)``.
        weights: logarithms of a ``(batch, n)`` and b ``(batch, m)``, finite (`log_weights`).
        powers: alpha and beta.
        f: ``(batch, n)``.
        count: iterations, at least one.

    Returns:
        F ``(batch, n)`` and G ``(batch, m)``; F is optimal for G.
    """
    (log_a, log_b), (alpha, beta) = weights, powers
    g = torch.zeros_like(log_b)
    for _ in range(count):
        g = potential(log_a, f[:, :, None] - scaled, beta, 1)
        f = potential(log_b, g[:, None, :] - scaled, alpha, 2)
    return f, g
