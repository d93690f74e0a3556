"""MIMIC-IV-ECG: ``record_list.csv`` and the machine's statements ``report_0`` to ``report_17``.

Gow et al., MIMIC-IV-ECG: Diagnostic Electrocardiogram Matched Subset, PhysioNet (2023). The two tables are
joined by ``study_id``, never by row: their orders differ. The corpus has no labels.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ecgclip.corpora.corpus import Corpus, fold_of, keep_present, split_of
from ecgclip.errors import DataError

from .csv_tables import readable_csv

_REPORTS = tuple(f"report_{number}" for number in range(18))
SEPARATOR = ". "
"""Between two statements of a record, each of which the machine wrote in a column of its own."""


def open_mimic_iv_ecg(path: str | Path, *, split_seed: int = 0, allow_missing: bool = False) -> Corpus:
    """Open MIMIC-IV-ECG, split by patient: a hash of ``subject_id`` under ``split_seed`` gives fold 1 to 10.

    Args:
        path: the folder that holds ``record_list.csv``, ``machine_measurements.csv`` and ``files/``.
        split_seed: seed of the split; folds 1 to 8 train, 9 validates, 10 tests.
        allow_missing: go on where recordings that the list names are absent.

    Raises:
        DataError: if a table or a recording is absent, or a study stands in a table twice.
    """
    root = Path(path).resolve()
    studies = _read(root / "record_list.csv", ("subject_id", "study_id", "path"))
    measured = _read(root / "machine_measurements.csv", ("study_id", "report_0"))
    reports = dict(zip(measured["study_id"], _join_reports(measured), strict=True))
    folds = {subject: fold_of(subject, split_seed) for subject in studies["subject_id"].unique()}
    table = pd.DataFrame(
        {
            "record_id": studies["study_id"],
            "path": [str(root / name) for name in studies["path"]],
            "report": [reports.get(study, "") for study in studies["study_id"]],
            "patient_id": studies["subject_id"],
            "fold": studies["subject_id"].map(folds),
            "split": [split_of(folds[subject]) for subject in studies["subject_id"]],
        }
    )
    present, missing = keep_present(
        table, "mimic-iv-ecg", endings=(".hea", ".dat"), allow_missing=allow_missing
    )
    return Corpus(present, name="mimic-iv-ecg", missing=missing)


def _read(path: Path, needed: tuple[str, ...]) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"{path}: no such file; --data must be the folder of MIMIC-IV-ECG that holds it")
    wanted = {*needed, *_REPORTS}
    with readable_csv(path, "MIMIC-IV-ECG's own table"):
        rows = pd.read_csv(path, dtype=str, keep_default_na=False, usecols=lambda name: name in wanted)
    absent = [column for column in needed if column not in rows.columns]
    if absent:
        raise DataError(f"{path}: no column {absent[0]!r}; use MIMIC-IV-ECG's own table")
    twice = rows["study_id"][rows["study_id"].duplicated()]
    if len(twice):
        raise DataError(f"{path}: study {twice.iloc[0]} stands in two rows; use MIMIC-IV-ECG's own table")
    return rows


def _join_reports(measured: pd.DataFrame) -> list[str]:
    """One text a study; empty columns between statements are left out."""
    columns = [column for column in _REPORTS if column in measured.columns]
    return [
        SEPARATOR.join(text.strip().rstrip(".") for text in texts if text.strip())
        for texts in measured[columns].itertuples(index=False, name=None)
    ]
