"""Recordings without anything else: one file, or a folder of them."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from ecgclip.corpora.corpus import Corpus
from ecgclip.errors import DataError

from .header_codes import header_paths

ENDINGS = (".hea", ".dat", ".mat")
"""Files that say their own rate and leads; CSV and NumPy recordings need both stated, by `read_record`."""


def open_records(path: str | Path) -> Corpus:
    """Open one recording, or all WFDB recordings and CPSC structs below a folder, without labels.

    Args:
        path: a recording, with or without its ending, or a folder.

    Raises:
        DataError: if there is none.
    """
    root = Path(path).resolve()
    files = _find(root) if root.is_dir() else [recording_file(root)]
    ids = [file.stem for file in files]
    if len(set(ids)) < len(ids):
        ids = [file.relative_to(root).with_suffix("").as_posix() for file in files]
    return Corpus(pd.DataFrame({"record_id": ids, "path": [str(file) for file in files]}), name=root.stem)


def recording_file(path: Path) -> Path:
    """The file of one recording: its header where there is one.

    Raises:
        DataError: if there is no such recording.
    """
    stem = path.with_suffix("") if path.suffix in ENDINGS else path
    header = stem.with_name(stem.name + ".hea")
    if header.is_file():
        return header
    if path.is_file():
        return path
    struct = stem.with_name(stem.name + ".mat")
    if struct.is_file():
        return struct
    raise DataError(f"{path}: no such recording; expected a WFDB header (.hea), a .mat, or a folder of them")


def _find(folder: Path) -> list[Path]:
    structs = [
        Path(root, name)
        for root, _, names in sorted(os.walk(folder))
        for name in sorted(names)
        if name.endswith(".mat") and name[:-4] + ".hea" not in names
    ]
    try:
        headers = header_paths(folder)
    except DataError:
        if not structs:
            raise
        headers = []
    return sorted([*headers, *structs])
