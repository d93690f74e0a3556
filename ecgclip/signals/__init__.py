"""Owns the way from a recording to model input: rate, band, R-peaks, windows, batches, augmentation.

What needs torch (`SignalBatch`, `collate`, `Augmentation`) loads it when first touched.
"""

from typing import TYPE_CHECKING, Any

from .keys import augmentation_keys as augmentation_keys
from .peaks import r_peaks as r_peaks
from .preprocess import Prepared as Prepared
from .preprocess import Preprocessor as Preprocessor
from .preprocess import windows as windows

if TYPE_CHECKING:
    from .augment import Augmentation as Augmentation
    from .batch import SignalBatch as SignalBatch
    from .batch import collate as collate

_HOME = {"Augmentation": "augment", "SignalBatch": "batch", "collate": "batch"}

__all__ = sorted([*_HOME, "Prepared", "Preprocessor", "augmentation_keys", "r_peaks", "windows"])


def __getattr__(name: str) -> Any:
    """Load the torch part of the room that owns ``name`` (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'ecgclip.signals' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"ecgclip.signals.{_HOME[name]}"), name)
    globals()[name] = value
    return value
