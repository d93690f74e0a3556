"""Corpora as they lie on disk, each opened as one table: by name or by the form of what lies at a path."""

from .challenge import open_challenge, open_csn
from .cpsc2018 import open_cpsc2018
from .manifest import MANIFEST_CSV, open_manifest, save_manifest
from .mimic_iv_ecg import open_mimic_iv_ecg
from .ptb_xl import open_ptb_xl
from .registry import CORPORA, detect_corpus, open_corpus
from .reports_alone import open_reports
from .unlabelled import open_records

__all__ = [
    "CORPORA",
    "MANIFEST_CSV",
    "detect_corpus",
    "open_challenge",
    "open_corpus",
    "open_cpsc2018",
    "open_csn",
    "open_manifest",
    "open_mimic_iv_ecg",
    "open_ptb_xl",
    "open_records",
    "open_reports",
    "save_manifest",
]
