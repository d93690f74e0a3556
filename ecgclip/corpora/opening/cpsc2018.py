"""CPSC 2018 (China Physiological Signal Challenge), as first published and in the PhysioNet Challenges' form.

As first published: MATLAB structs and ``REFERENCE.csv`` with up to three labels 1 to 9 a recording, all of
which count. Patients are unknown; each recording counts as one. Recordings are 6 to 60 s at 500 Hz.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ecgclip.corpora.corpus import Corpus, fold_of, keep_present, split_of
from ecgclip.corpora.label_sets import facts
from ecgclip.errors import DataError

from .challenge import open_challenge
from .csv_tables import readable_csv

_LABELS = ("First_label", "Second_label", "Third_label")


def open_cpsc2018(path: str | Path, *, split_seed: int | None = None, allow_missing: bool = False) -> Corpus:
    """Open CPSC 2018 in either form; the folder's ``REFERENCE.csv`` decides which.

    Args:
        path: the folder; as first published it holds ``REFERENCE.csv`` and the ``.mat`` files beside it or
            one folder below.
        split_seed: split by a hash of the record id under this seed; None leaves the split empty.
        allow_missing: go on where recordings that the list names are absent.

    Raises:
        DataError: if recordings are absent, or a label is none of 1 to 9.
    """
    root = Path(path).resolve()
    reference = root / "REFERENCE.csv"
    if not reference.is_file():
        return open_challenge(root, split_seed=split_seed, allow_missing=allow_missing, name="cpsc2018")
    with readable_csv(reference, "the official REFERENCE.csv"):
        rows = pd.read_csv(reference, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    absent = {"Recording", "First_label"} - set(rows.columns)
    if absent:
        raise DataError(f"{reference}: no column {sorted(absent)[0]!r}; use the official REFERENCE.csv")
    where = {file.stem: file for pattern in ("*.mat", "*/*.mat") for file in sorted(root.glob(pattern))}
    words = {label["reference_id"]: word for word, label in facts()["sets"]["cpsc2018"].items()}
    ids = rows["Recording"].str.strip().to_list()
    folds = [-1 if split_seed is None else fold_of(record, split_seed) for record in ids]
    columns = [column for column in _LABELS if column in rows.columns]
    table = pd.DataFrame(
        {
            "record_id": ids,
            "path": [str(where.get(record, root / f"{record}.mat")) for record in ids],
            "fold": folds,
            "split": [split_of(fold) for fold in folds],
            "codes": [
                _words(labels, words, reference, line)
                for line, labels in enumerate(rows[columns].itertuples(index=False, name=None), start=2)
            ],
            "code_system": "cpsc2018",
        }
    )
    present, missing = keep_present(table, "cpsc2018", endings=("",), allow_missing=allow_missing)
    return Corpus(present, name="cpsc2018", missing=missing)


def _words(labels: tuple[str, ...], words: dict[int, str], reference: Path, line: int) -> list[str]:
    """Codes of a row's labels, each once."""
    codes: list[str] = []
    for label in labels:
        text = str(label).strip().removesuffix(".0")
        if not text:
            continue
        if not text.isdigit() or int(text) not in words:
            raise DataError(f"{reference} line {line}: label {text!r} is none of 1 to 9")
        codes.append(words[int(text)])
    if not codes:
        raise DataError(
            f"{reference} line {line}: the recording has no label; expected one to three of 1 to 9"
        )
    return list(dict.fromkeys(codes))
