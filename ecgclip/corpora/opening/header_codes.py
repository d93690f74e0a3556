"""Comments of WFDB headers: diagnosis codes as the PhysioNet Challenges write them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ecgclip.corpora.label_sets import facts
from ecgclip.errors import DataError

_UNKNOWN = {"", "unknown", "unknows", "nan", "none"}


@dataclass(frozen=True)
class Diagnosis:
    """Codes of a header's ``#Dx:`` line and their system: ``snomed``, ``cpsc2018`` or ``none``."""

    codes: tuple[str, ...]
    system: str


def header_paths(folder: Path) -> list[Path]:
    """Headers below a folder, sorted; segments and layouts of multi-segment records are left out.

    Raises:
        DataError: if the folder is absent or holds no header.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; --data must name the folder that holds the .hea files")
    found: list[Path] = []
    parts: set[Path] = set()
    for root, folders, names in os.walk(folder):
        folders.sort()
        headers = [Path(root, name) for name in sorted(names) if name.endswith(".hea")]
        parts.update(part for header in headers for part in _segments(header))
        found += headers
    kept = [header for header in found if header.with_suffix("") not in parts]
    if not kept:
        raise DataError(f"{folder}: holds no WFDB header (.hea); name the folder of the recordings")
    return kept


def first_header(folder: Path) -> Path | None:
    """The first header below a folder, found without reading any other."""
    for root, folders, names in os.walk(folder):
        folders.sort()
        if headers := sorted(name for name in names if name.endswith(".hea")):
            return Path(root, headers[0])
    return None


def read_diagnosis(header: Path) -> Diagnosis:
    """Codes of one header: SNOMED CT numbers, or the nine words of CPSC 2018 as Challenge 2020 wrote them.

    Raises:
        DataError: if the header cannot be read, or the line holds words that are neither.
    """
    codes = [code for line in _comments(header) for code in _codes(line) if code.lower() not in _UNKNOWN]
    codes = list(dict.fromkeys(codes))
    if not codes:
        return Diagnosis((), "none")
    if all(code.isdigit() for code in codes):
        return Diagnosis(tuple(codes), "snomed")
    words = facts()["sets"]["cpsc2018"]
    if all(code in words for code in codes):
        return Diagnosis(tuple(codes), "cpsc2018")
    odd = next(code for code in codes if not code.isdigit() and code not in words)
    raise DataError(
        f"{header}: #Dx: has {odd!r}; expected SNOMED CT numbers, or the words {', '.join(words)}"
    )


def _comments(header: Path) -> list[str]:
    return [line for line in _lines(header) if line.startswith("#")]


def _lines(header: Path) -> list[str]:
    try:
        return header.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise DataError(f"{header}: cannot be read ({error.strerror or error})") from error


def _codes(comment: str) -> list[str]:
    key, found, value = comment.lstrip("# ").partition(":")
    if not found or key.strip().lower() != "dx":
        return []
    return [code.strip() for code in value.split(",")]


def _segments(header: Path) -> list[Path]:
    """Records that a multi-segment header (``name/3 …``) is made of."""
    lines = [line for line in _lines(header) if line.strip() and not line.startswith("#")]
    if not lines or "/" not in lines[0].split()[0]:
        return []
    return [header.parent / line.split()[0] for line in lines[1:] if line.split()[0] != "~"]
