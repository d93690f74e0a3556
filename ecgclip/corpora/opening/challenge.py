"""PhysioNet Challenges 2020 and 2021, and CSN (ecg-arrhythmia): WFDB records with diagnoses in the header.

A recording may also live in its source corpus (``HR…`` are PTB-XL, ``A…`` CPSC 2018): `shared_recordings`
finds such pairs.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ecgclip.corpora.corpus import Corpus, fold_of, split_of
from ecgclip.errors import DataError

from .header_codes import header_paths, read_diagnosis


def open_challenge(
    path: str | Path, *, split_seed: int | None = None, allow_missing: bool = False, name: str = "challenge"
) -> Corpus:
    """Open a folder, however deep, of Challenge records; patients are unknown, each record counts as one.

    Args:
        path: the folder.
        split_seed: split by a hash of the record id under this seed; None leaves the split empty.
        allow_missing: go on where a header stands without its signal file.
        name: what to call the corpus.

    Raises:
        DataError: if there is no header, signal files are absent, or a diagnosis is not readable.
    """
    root = Path(path).resolve()
    headers, missing = _with_signals(header_paths(root), root, name, allow_missing)
    diagnoses = [read_diagnosis(header) for header in headers]
    labelled = {diagnosis.system for diagnosis in diagnoses} - {"none"}
    system = labelled.pop() if len(labelled) == 1 else "none"
    ids = _record_ids(headers, root)
    folds = [-1 if split_seed is None else fold_of(record, split_seed) for record in ids]
    table = pd.DataFrame(
        {
            "record_id": ids,
            "path": [str(header.with_suffix("")) for header in headers],
            "fold": folds,
            "split": [split_of(fold) for fold in folds],
            "codes": [list(diagnosis.codes) for diagnosis in diagnoses],
            "code_system": [d.system if d.system != "none" else system for d in diagnoses],
        }
    )
    return Corpus(table, name=name, missing=missing)


def open_csn(path: str | Path, *, split_seed: int | None = None, allow_missing: bool = False) -> Corpus:
    """Open CSN (ecg-arrhythmia 1.0.0), which has the Challenges' form; see `open_challenge`."""
    return open_challenge(path, split_seed=split_seed, allow_missing=allow_missing, name="csn")


def _record_ids(headers: list[Path], root: Path) -> list[str]:
    """File names; paths below the root where a file name occurs twice."""
    ids = [header.stem for header in headers]
    if len(set(ids)) == len(ids):
        return ids
    return [header.relative_to(root).with_suffix("").as_posix() for header in headers]


def _with_signals(
    headers: list[Path], root: Path, name: str, allow_missing: bool
) -> tuple[list[Path], tuple[str, ...]]:
    """Leave out headers whose signal file is absent, when told to."""
    files: dict[Path, set[str]] = {}
    for folder in {header.parent for header in headers}:
        files[folder] = {entry.name for entry in folder.iterdir()}
    bare = [header for header in headers if not _has_signal(header, files[header.parent])]
    if bare and (not allow_missing or len(bare) == len(headers)):
        raise DataError(
            f"{name}: {len(bare)} of {len(headers)} recordings in {root} have a header and no signal file, "
            f"for example {bare[0]}; complete the corpus, or go on by allow_missing=True (--allow-missing)"
        )
    gone = set(bare)
    return [header for header in headers if header not in gone], tuple(str(header) for header in bare)


def _has_signal(header: Path, names: set[str]) -> bool:
    return header.stem + ".mat" in names or header.stem + ".dat" in names or _multi_segment(header)


def _multi_segment(header: Path) -> bool:
    with open(header, encoding="utf-8", errors="replace") as lines:
        first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    return "/" in first.split()[0] if first else False
