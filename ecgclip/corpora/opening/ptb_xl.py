"""PTB-XL: ``ptbxl_database.csv``, ``scp_statements.csv`` and recordings at 100 and 500 Hz.

Wagner et al., PTB-XL, a large publicly available electrocardiography dataset, Sci Data 7:154 (2020).
"""

from __future__ import annotations

import ast
from pathlib import Path

import pandas as pd

from ecgclip.corpora.corpus import Corpus, keep_present, split_of
from ecgclip.corpora.label_sets import facts
from ecgclip.errors import DataError, UsageError

from .csv_tables import readable_csv

_FILES = {100: "filename_lr", 500: "filename_hr"}
_NEEDED = ("ecg_id", "patient_id", "report", "scp_codes", "strat_fold", "filename_lr", "filename_hr")


def open_ptb_xl(path: str | Path, *, rate: int = 100, allow_missing: bool = False) -> Corpus:
    """Open PTB-XL: folds 1 to 8 train, 9 validates, 10 tests.

    Args:
        path: the corpus's folder, which holds ``ptbxl_database.csv``.
        rate: 100 or 500, the recordings to read, in Hz.
        allow_missing: go on where recordings that the table names are absent.

    Raises:
        UsageError: if ``rate`` is another.
        DataError: if files are absent, the tables are damaged, or a fold splits a patient.
    """
    if rate not in _FILES:
        raise UsageError(f"rate {rate!r}: PTB-XL has recordings at 100 and 500 Hz")
    table = ptb_xl_table(path, rate=rate)
    present, missing = keep_present(table, "ptb-xl", endings=(".hea", ".dat"), allow_missing=allow_missing)
    return Corpus(present, name="ptb-xl", missing=missing)


def ptb_xl_table(path: str | Path, *, rate: int = 100) -> pd.DataFrame:
    """The corpus table of PTB-XL, whether its recordings are on disk or not.

    Args:
        path: the folder that holds ``ptbxl_database.csv``.
        rate: 100 or 500, the recordings that the column ``path`` names, in Hz.

    Raises:
        DataError: if the tables are absent or damaged, or a fold splits a patient.
    """
    root = Path(path).resolve()
    rows = _read_table(root / "ptbxl_database.csv")
    statements = root / "scp_statements.csv"
    if statements.is_file():
        check_statements(statements)
    table: pd.DataFrame = pd.DataFrame(
        {
            "record_id": [Path(name).name for name in rows[_FILES[rate]]],
            "path": [str(root / name) for name in rows[_FILES[rate]]],
            "report": rows["report"].fillna("").astype(str),
            "patient_id": [_identifier(value) for value in rows["patient_id"]],
            "fold": rows["strat_fold"].astype(int),
            "split": [split_of(int(fold)) for fold in rows["strat_fold"]],
            "codes": [
                _codes(text, line, root) for line, text in enumerate(rows["scp_codes"].astype(str), start=2)
            ],
            "code_system": "scp",
        }
    )
    check_folds(table, "ptb-xl")
    return table


def check_statements(path: Path) -> None:
    """Refuse a damaged ``scp_statements.csv``: copies with rhythm rows marked diagnostic circulate.

    Raises:
        DataError: if it does not hold 71 statements, of which 44 diagnostic, 19 form and 12 rhythm, in
            23 subclasses and 5 superclasses, with PTB-XL's own codes.
    """
    with readable_csv(path, "PTB-XL's own scp_statements.csv"):
        rows = pd.read_csv(path, index_col=0, dtype=str)
    absent = {"diagnostic", "form", "rhythm", "diagnostic_class", "diagnostic_subclass"} - set(rows.columns)
    if absent:
        raise DataError(f"{path}: no column {sorted(absent)[0]!r}; use PTB-XL's own scp_statements.csv")
    kinds = {kind: pd.to_numeric(rows[kind]).eq(1) for kind in ("diagnostic", "form", "rhythm")}
    diagnostic = rows[kinds["diagnostic"]]
    found = (
        len(rows),
        *(int(kind.sum()) for kind in kinds.values()),
        diagnostic["diagnostic_subclass"].nunique(),
        diagnostic["diagnostic_class"].nunique(),
    )
    if found != (71, 44, 19, 12, 23, 5):
        raise DataError(
            f"{path}: {'/'.join(map(str, found))} statements, diagnostic, form, rhythm, subclasses and "
            "superclasses; PTB-XL has 71/44/19/12/23/5: this copy is damaged, use physionet.org's"
        )
    strange = sorted(set(map(str, rows.index)) - set(facts()["scp_statements"]))
    if strange:
        raise DataError(f"{path}: statement {strange[0]!r} is not one of PTB-XL's 71; this copy is damaged")


def check_folds(table: pd.DataFrame, name: str) -> None:
    """Refuse folds that split a patient: a model would be tested on somebody it was trained on.

    Raises:
        DataError: naming the first such patient.
    """
    folds = table.groupby("patient_id")["fold"].nunique()
    split = folds.index[folds > 1]
    if len(split):
        where = sorted(table.loc[table["patient_id"] == split[0], "fold"].unique())
        raise DataError(
            f"{name}: patient {split[0]} is in folds {', '.join(map(str, where))} ({len(split)} such "
            "patients); strat_fold must respect patients, use the official table"
        )


def _read_table(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"{path}: no such file; --data must be the folder of PTB-XL that holds it")
    with readable_csv(path, "PTB-XL's own table"):
        rows = pd.read_csv(path, dtype={"ecg_id": str, "report": str, "scp_codes": str})
    absent = [column for column in _NEEDED if column not in rows.columns]
    if absent:
        raise DataError(f"{path}: no column {absent[0]!r}; use PTB-XL's own table")
    if not len(rows):
        raise DataError(f"{path}: the table holds no row")
    for column in ("strat_fold", "patient_id"):
        empty = rows[column].isna()
        if empty.any():
            raise DataError(f"{path}: record {rows['ecg_id'][empty].iloc[0]} has no {column}")
    odd = ~rows["strat_fold"].isin(range(1, 11))
    if odd.any():
        raise DataError(f"{path}: record {rows['ecg_id'][odd].iloc[0]} has a strat_fold outside 1 to 10")
    return rows


def _identifier(value: object) -> str:
    """``15709.0``, as the table writes patients, is 15709."""
    text = str(value)
    return text[:-2] if text.endswith(".0") else text


def _codes(text: str, line: int, root: Path) -> list[str]:
    """Statements of a record; each counts whatever its likelihood."""
    try:
        codes = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        codes = None
    if not isinstance(codes, dict):
        raise DataError(
            f"{root / 'ptbxl_database.csv'} line {line}: scp_codes {text[:40]!r} is no dict of statements"
        )
    return [str(code) for code in codes]
