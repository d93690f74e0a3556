"""What the report reader makes of a corpus's reports, each distinct report read once a process."""

from __future__ import annotations

import hashlib
from functools import cache, lru_cache
from typing import Literal

_KEPT = 100_000


@lru_cache(maxsize=_KEPT)
def canonical_statements(report: str) -> tuple[str, ...]:
    """Distinct statements of a report, as canonical findings where the term file reads them."""
    return _texts(report, "canonical")


@lru_cache(maxsize=_KEPT)
def raw_statements(report: str) -> tuple[str, ...]:
    """Distinct statements of a report in its own, cleaned words."""
    return _texts(report, "raw")


def _texts(report: str, kind: Literal["canonical", "raw"]) -> tuple[str, ...]:
    if not report.strip():
        return ()
    from ecgclip.reports import read_report

    return tuple(read_report(report).texts(kind))


@cache
def reader_version() -> str:
    """12 hex characters that change with the report reader: its term file and its code."""
    from importlib.resources import files

    digest = hashlib.sha256()
    for file in sorted((files("ecgclip") / "reports").iterdir(), key=lambda entry: entry.name):
        if file.name.endswith((".py", ".yaml")):
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:12]
