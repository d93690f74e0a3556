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
    "Progress": "preparing",
    "Rejected": "shards",
    "SPLITS": "corpus",
    "Shared": "fingerprints",
    "Store": "store",
    "StoreBatch": "store",
    "concatenate": "corpus",
    "detect_corpus": "opening",
    "fingerprint": "fingerprints",
    "fold_of": "corpus",
    "label_set": "label_sets",
    "open_challenge": "challenge",
    "open_corpus": "opening",
    "open_cpsc2018": "cpsc2018",
    "open_csn": "challenge",
    "open_manifest": "manifest",
    "open_mimic_iv_ecg": "mimic_iv_ecg",
    "open_ptb_xl": "ptb_xl",
    "open_records": "unlabelled",
    "open_reports": "reports_alone",
    "prepare": "preparing",
    "refuse_seen": "fingerprints",
    "save_manifest": "manifest",
    "shared_recordings": "fingerprints",
    "simulate": "simulated",
    "split_of": "corpus",
}

__all__ = sorted(_HOME)

if TYPE_CHECKING:
    from .challenge import open_challenge as open_challenge
    from .challenge import open_csn as open_csn
    from .corpus import CODE_SYSTEMS as CODE_SYSTEMS
    from .corpus import COLUMNS as COLUMNS
    from .corpus import SPLITS as SPLITS
    from .corpus import Corpus as Corpus
    from .corpus import concatenate as concatenate
    from .corpus import fold_of as fold_of
    from .corpus import split_of as split_of
    from .cpsc2018 import open_cpsc2018 as open_cpsc2018
    from .fingerprints import Fingerprints as Fingerprints
    from .fingerprints import Shared as Shared
    from .fingerprints import fingerprint as fingerprint
    from .fingerprints import refuse_seen as refuse_seen
    from .fingerprints import shared_recordings as shared_recordings
    from .label_sets import LABEL_SETS as LABEL_SETS
    from .label_sets import LabelSet as LabelSet
    from .label_sets import label_set as label_set
    from .manifest import open_manifest as open_manifest
    from .manifest import save_manifest as save_manifest
    from .mimic_iv_ecg import open_mimic_iv_ecg as open_mimic_iv_ecg
    from .opening import CORPORA as CORPORA
    from .opening import detect_corpus as detect_corpus
    from .opening import open_corpus as open_corpus
    from .preparing import Progress as Progress
    from .preparing import prepare as prepare
    from .ptb_xl import open_ptb_xl as open_ptb_xl
    from .reports_alone import open_reports as open_reports
    from .shards import Rejected as Rejected
    from .simulated import simulate as simulate
    from .store import Store as Store
    from .store import StoreBatch as StoreBatch
    from .unlabelled import open_records as open_records


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
