"""Owns the recipe schema, THE loop, checkpoints, resume and processes."""

from typing import TYPE_CHECKING, Any

_HOME = {"Recipe": "recipe", "Run": "run_folder", "load_recipe": "recipe", "pretrain": "pretraining"}

__all__ = sorted(_HOME)

if TYPE_CHECKING:
    from .pretraining import pretrain as pretrain
    from .recipe import Recipe as Recipe
    from .recipe import load_recipe as load_recipe
    from .run_folder import Run as Run


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ecgclip.training' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"ecgclip.training.{_HOME[name]}"), name)
    globals()[name] = value
    return value
