"""The recipe: every choice of a training, in strict sections."""

from .loading import load_recipe
from .schema import Local, LocalTerm, OnDisk, Recipe, Simulated
from .section import Section
from .terms import build_term, refuse_term

__all__ = [
    "Local",
    "LocalTerm",
    "OnDisk",
    "Recipe",
    "Section",
    "Simulated",
    "build_term",
    "load_recipe",
    "refuse_term",
]
