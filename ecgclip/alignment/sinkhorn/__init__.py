"""Entropic optimal transport: the solver, its derivatives, and the prices of many small problems at once."""

from .divergence import sinkhorn_divergence
from .prices import Measures, kernel_of, token_weights
from .solver import SinkhornResult, SinkhornWarning, sinkhorn

__all__ = [
    "Measures",
    "SinkhornResult",
    "SinkhornWarning",
    "kernel_of",
    "sinkhorn",
    "sinkhorn_divergence",
    "token_weights",
]
