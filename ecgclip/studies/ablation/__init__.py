"""A study of variants in phases: explored on some folds, decided, and confirmed once on others."""

from .phases import read_decision
from .study import confirm, explore
from .variants import read_variants

__all__ = [
    "confirm",
    "explore",
    "read_decision",
    "read_variants",
]
