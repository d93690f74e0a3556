"""Corpora by name, and the form of what lies at a path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgclip.errors import DataError, UsageError, unknown_name

from .challenge import open_challenge, open_csn
from .cpsc2018 import open_cpsc2018
from .header_codes import first_header, read_diagnosis
from .manifest import MANIFEST_CSV, is_manifest, open_manifest
from .mimic_iv_ecg import open_mimic_iv_ecg
from .ptb_xl import open_ptb_xl
from .unlabelled import open_records

if TYPE_CHECKING:
    from ecgclip.corpora.corpus import Corpus

CORPORA: dict[str, Callable[..., Corpus]] = {
    "ptb-xl": open_ptb_xl,
    "cpsc2018": open_cpsc2018,
    "challenge": open_challenge,
    "csn": open_csn,
    "mimic-iv-ecg": open_mimic_iv_ecg,
    "manifest": open_manifest,
    "records": open_records,
}
"""Name to opener. `simulate` makes the corpus ``simulated``, which lies at no path."""


def open_corpus(
    name: str,
    path: str | Path,
    *,
    rate: int | None = None,
    split_seed: int | None = None,
    allow_missing: bool = False,
) -> Corpus:
    """Open a corpus by its name; ``auto`` looks at what lies at the path.

    Args:
        name: ``auto`` or one of `CORPORA`.
        path: its folder, manifest or recording.
        rate: recordings to read in Hz, where the corpus has several (``ptb-xl``: 100 or 500).
        split_seed: seed of the split where the corpus states none.
        allow_missing: go on where recordings that the corpus names are absent.

    Raises:
        UsageError: if the name is unknown or an option does not apply to the corpus.
        DataError: if the corpus cannot be read.
    """
    if not Path(path).exists() and name != "records" and name != "auto":
        raise DataError(f"{path}: no such file or folder; --data must name the corpus")
    name = detect_corpus(path) if name == "auto" else name
    if name not in CORPORA:
        raise unknown_name("corpus", name, ["auto", *CORPORA])
    options: dict[str, Any] = {}
    if rate is not None:
        _only(name, "rate", ("ptb-xl",))
        options["rate"] = rate
    if split_seed is not None:
        _only(name, "split_seed", ("cpsc2018", "challenge", "csn", "mimic-iv-ecg", "manifest"))
        options["split_seed"] = split_seed
    if name != "records":
        options["allow_missing"] = allow_missing
    return CORPORA[name](path, **options)


def detect_corpus(path: str | Path) -> str:
    """Which of `CORPORA` lies at a path; cheap, as it reads a directory and one header at most.

    A folder with ``ptbxl_database.csv`` is ``ptb-xl``, with ``record_list.csv`` ``mimic-iv-ecg``, with
    ``REFERENCE.csv`` ``cpsc2018``, with ``manifest.csv`` a ``manifest``; a folder whose first header has
    diagnoses is ``cpsc2018`` (words) or ``challenge`` (SNOMED CT); a CSV with a column ``path`` is a
    ``manifest``; anything else is ``records``.

    Raises:
        DataError: if there is nothing.
    """
    place = Path(path)
    if place.is_dir():
        return _detect_folder(place)
    if place.suffix.lower() == ".csv" and is_manifest(place):
        return "manifest"
    return "records"


def _detect_folder(folder: Path) -> str:
    marks = {"ptbxl_database.csv": "ptb-xl", "record_list.csv": "mimic-iv-ecg", "REFERENCE.csv": "cpsc2018"}
    for file, name in marks.items():
        if (folder / file).is_file():
            return name
    if is_manifest(folder / MANIFEST_CSV):
        return "manifest"
    first = first_header(folder)
    system = read_diagnosis(first).system if first else "none"
    return {"cpsc2018": "cpsc2018", "snomed": "challenge"}.get(system, "records")


def _only(name: str, option: str, corpora: tuple[str, ...]) -> None:
    if name not in corpora:
        raise UsageError(f"{option} does not apply to the corpus {name}, only to {', '.join(corpora)}")
