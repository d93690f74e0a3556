"""Owns tables of recordings, reports, labels, patients and splits, and the prepared store."""

from typing import TYPE_CHECKING, Any

_HOME = {
    "CODE_SYSTEMS": "corpus",
    "LABEL_SETS": "label_sets",
    "COLUMNS": "corpus",
    "SPLITS": "corpus",
    "Corpus": "corpus",
    "LabelSet": "label_sets",
    "concatenate": "corpus",
    "fold_of": "corpus",
    "label_set": "label_sets",
    "open_ptb_xl": "ptb_xl",
    "split_of": "corpus",
    "simulate": "simulated",
}

__all__ = sorted(_HOME)

if TYPE_CHECKING:
    from .corpus import CODE_SYSTEMS as CODE_SYSTEMS
    from .corpus import COLUMNS as COLUMNS
    from .corpus import SPLITS as SPLITS
    from .corpus import Corpus as Corpus
    from .corpus import concatenate as concatenate
    from .corpus import fold_of as fold_of
    from .corpus import split_of as split_of
    from .label_sets import LABEL_SETS as LABEL_SETS
    from .label_sets import LabelSet as LabelSet
    from .label_sets import label_set as label_set
    from .ptb_xl import open_ptb_xl as open_ptb_xl
    from .simulated import simulate as simulate


def __getattr__(name: str) -> Any:
    """Load the module that owns ``name`` (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'ecgclip.corpora' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"ecgclip.corpora.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
