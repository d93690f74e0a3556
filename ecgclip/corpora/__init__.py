"""Owns tables of recordings, reports, labels, patients and splits, and the prepared store."""

from typing import TYPE_CHECKING, Any

_HOME = {
    "CODE_SYSTEMS": "corpus",
    "COLUMNS": "corpus",
    "CORPORA": "opening",
    "Corpus": "corpus",
    "Fingerprints": "fingerprints",
    "LABEL_SETS": "label_sets",
    "LabelSet": "label_sets",
    "Progress": "store",
    "Rejected": "store",
    "SPLITS": "corpus",
    "Shared": "fingerprints",
    "Store": "store",
    "StoreBatch": "store",
    "concatenate": "corpus",
    "detect_corpus": "opening",
    "fingerprint": "fingerprints",
    "fold_of": "corpus",
    "label_set": "label_sets",
    "open_challenge": "opening",
    "open_corpus": "opening",
    "open_cpsc2018": "opening",
    "open_csn": "opening",
    "open_manifest": "opening",
    "open_mimic_iv_ecg": "opening",
    "open_ptb_xl": "opening",
    "open_records": "opening",
    "open_reports": "opening",
    "prepare": "store",
    "refuse_seen": "fingerprints",
    "save_manifest": "opening",
    "shared_recordings": "fingerprints",
    "simulate": "simulated",
    "split_of": "corpus",
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
    from .fingerprints import Fingerprints as Fingerprints
    from .fingerprints import Shared as Shared
    from .fingerprints import fingerprint as fingerprint
    from .fingerprints import refuse_seen as refuse_seen
    from .fingerprints import shared_recordings as shared_recordings
    from .label_sets import LABEL_SETS as LABEL_SETS
    from .label_sets import LabelSet as LabelSet
    from .label_sets import label_set as label_set
    from .opening import CORPORA as CORPORA
    from .opening import detect_corpus as detect_corpus
    from .opening import open_challenge as open_challenge
    from .opening import open_corpus as open_corpus
    from .opening import open_cpsc2018 as open_cpsc2018
    from .opening import open_csn as open_csn
    from .opening import open_manifest as open_manifest
    from .opening import open_mimic_iv_ecg as open_mimic_iv_ecg
    from .opening import open_ptb_xl as open_ptb_xl
    from .opening import open_records as open_records
    from .opening import open_reports as open_reports
    from .opening import save_manifest as save_manifest
    from .simulated import simulate as simulate
    from .store import Progress as Progress
    from .store import Rejected as Rejected
    from .store import Store as Store
    from .store import StoreBatch as StoreBatch
    from .store import prepare as prepare


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
