"""Paired comparisons of two models on the same patients, made from what finished runs keep."""

from .families import MEASURES, Comparison, Measure, compare, compare_family
from .scores import Difference

__all__ = [
    "MEASURES",
    "Comparison",
    "Difference",
    "Measure",
    "compare",
    "compare_family",
]
