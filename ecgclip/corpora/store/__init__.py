"""The prepared store: its shards, how they are filled from a corpus, and how they are read."""

from .preparing import Progress, prepare
from .shards import Rejected
from .statements import reader_version
from .store import MANIFEST, Store, StoreBatch, read_manifest

__all__ = [
    "MANIFEST",
    "Progress",
    "Rejected",
    "Store",
    "StoreBatch",
    "prepare",
    "read_manifest",
    "reader_version",
]
