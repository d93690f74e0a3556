"""A corpus: one table of recordings, reports, codes, patients and splits, whatever it was read from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ecgclip.errors import DataError, UsageError, unknown_name

if TYPE_CHECKING:
    from ecgclip.records import ECGRecord

COLUMNS = ("record_id", "path", "report", "patient_id", "split", "fold", "codes", "code_system")
SPLITS = ("train", "validation", "test")
CODE_SYSTEMS = ("scp", "cpsc2018", "snomed", "csn", "label", "none")

Reader = Callable[[Mapping[str, Any]], "ECGRecord"]


def read_row(row: Mapping[str, Any]) -> ECGRecord:
    """Read the recording of one row of a corpus table from its file."""
    from ecgclip.records import read_record

    return read_record(row["path"])


@dataclass(frozen=True, eq=False)
class Corpus:
    """A table of recordings with what is known about each.

    Args:
        table: one row a recording. Columns: ``record_id`` (str, unique), ``path`` (str, absolute; empty
            where there is no file), ``report`` (str, empty where there is none), ``patient_id`` (str; the
            record id where patients are unknown), ``split`` (``train``, ``validation``, ``test`` or
            empty), ``fold`` (int, -1 unknown), ``codes`` (list of str), ``code_system`` (``scp``,
            ``cpsc2018``, ``snomed``, ``csn``, ``label`` or ``none``). Absent columns take their empty
            value; further columns are kept.
        name: what the corpus is called in tables and messages.
        missing: paths that the corpus's own list names and the disk does not hold.
        reader: turns a row into an ``ECGRecord``; picklable, as preparation calls it in other processes.
            By default the file at ``path`` is read.

    Raises:
        DataError: if record ids repeat, a split is unknown or a patient is in two splits.
    """

    table: pd.DataFrame
    name: str = "corpus"
    missing: tuple[str, ...] = ()
    reader: Reader = field(default=read_row, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", _complete(self.table, self.name))

    def __len__(self) -> int:
        return len(self.table)

    def __iter__(self) -> Iterator[ECGRecord]:
        return (self.record(index) for index in range(len(self)))

    def row(self, index: int) -> dict[str, Any]:
        """The table's row at a position, as a dict."""
        return {str(key): value for key, value in self.table.iloc[index].items()}

    def record(self, index: int) -> ECGRecord:
        """Read the recording at a position of the table: ``signal (n_leads, n_times)`` in mV.

        Raises:
            DataError: if its file cannot be read.
        """
        return self.reader(self.row(index))

    def select(
        self,
        *,
        split: str | Sequence[str] | None = None,
        folds: Iterable[int] | None = None,
        indices: Sequence[int] | np.ndarray[Any, Any] | None = None,
    ) -> Corpus:
        """The rows of some splits, folds or positions, in table order (``indices``: in the order given).

        Raises:
            UsageError: if a split's name is unknown.
            DataError: if nothing is left.
        """
        keep = select_rows(self.table, self.name, split=split, folds=folds)
        if indices is not None:
            wanted = np.asarray(indices, dtype=np.int64)
            keep = wanted[np.isin(wanted, keep)] if split is not None or folds is not None else wanted
        return replace(self, table=self.table.iloc[keep].reset_index(drop=True))

    @cached_property
    def hash(self) -> str:
        """12 hex characters of what the table says; independent of where the files lie."""
        return table_hash(self.table)

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{name or 'no split'} {n}" for name, n in self.table["split"].value_counts().items()
        )
        return f"Corpus({self.name!r}, {len(self)} recordings: {counts})"


def select_rows(
    table: pd.DataFrame,
    name: str,
    *,
    split: str | Sequence[str] | None = None,
    folds: Iterable[int] | None = None,
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Positions of the rows in some splits and folds.

    Raises:
        UsageError: if a split's name is unknown.
        DataError: if a part that was asked for is empty.
    """
    keep = np.ones(len(table), dtype=bool)
    if split is not None:
        wanted = [split] if isinstance(split, str) else list(split)
        for part in wanted:
            if part not in SPLITS:
                raise unknown_name("split", part, SPLITS)
        keep &= table["split"].isin(wanted).to_numpy()
    if folds is not None:
        keep &= table["fold"].isin(list(folds)).to_numpy()
    if not keep.any() and (split is not None or folds is not None):
        have = ", ".join(f"{part or '(none)'} {n}" for part, n in table["split"].value_counts().items())
        asked = f"split {split!r}" if folds is None else f"folds {sorted(folds)}"
        raise DataError(f"{name}: {asked} holds no recording; the corpus has {have or 'no recordings'}")
    return np.flatnonzero(keep)


def table_hash(table: pd.DataFrame) -> str:
    """12 hex characters over ids, reports, patients, splits, folds and codes of a table, row by row."""
    digest = hashlib.sha256()
    plain = [column for column in COLUMNS if column not in ("path", "codes")]
    for values, codes in zip(
        table[plain].itertuples(index=False, name=None), table["codes"].to_list(), strict=True
    ):
        digest.update(repr((*map(str, values), *codes)).encode())
    return digest.hexdigest()[:12]


def concatenate(corpora: Sequence[Corpus], name: str | None = None) -> Corpus:
    """Join corpora that are read from files into one.

    Record ids are prefixed with their corpus's name where they would clash.

    Raises:
        UsageError: if there is none, or if they are read in different ways.
    """
    if not corpora:
        raise UsageError("no corpus to join: give at least one")
    if len({corpus.reader for corpus in corpora}) > 1:
        raise UsageError(
            "corpora with readers of their own cannot be joined: prepare each and join the stores"
        )
    ids = pd.concat([corpus.table["record_id"] for corpus in corpora])
    tables = [corpus.table.copy() for corpus in corpora]
    if ids.duplicated().any():
        for corpus, table in zip(corpora, tables, strict=True):
            table["record_id"] = [f"{corpus.name}/{value}" for value in table["record_id"]]
            table["patient_id"] = [f"{corpus.name}/{value}" for value in table["patient_id"]]
    return Corpus(
        pd.concat(tables, ignore_index=True),
        name=name or "+".join(corpus.name for corpus in corpora),
        missing=tuple(path for corpus in corpora for path in corpus.missing),
        reader=corpora[0].reader,
    )


def fold_of(identifier: str, seed: int) -> int:
    """Fold 1 to 10 of a patient or record: a seeded hash, so that it never depends on the other rows."""
    digest = hashlib.sha256(f"{seed}:{identifier}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 10 + 1


def split_of(fold: int) -> str:
    """Folds 1 to 8 train, 9 validates, 10 tests."""
    return {9: "validation", 10: "test"}.get(fold, "train" if 1 <= fold <= 8 else "")


def keep_present(
    table: pd.DataFrame, name: str, *, endings: Sequence[str], allow_missing: bool
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Split a table into rows whose files are on disk and the paths that are not.

    Args:
        table: a corpus table with absolute ``path``.
        name: the corpus, for the message.
        endings: what is appended to ``path`` to name the files that must all exist.
        allow_missing: go on with the rows that are there.

    Raises:
        DataError: if files are absent and ``allow_missing`` is false, or if none is there.
    """
    folders: dict[str, set[str]] = {}

    def there(path: str) -> bool:
        folder, stem = os.path.split(path)
        if folder not in folders:
            folders[folder] = set(os.listdir(folder)) if os.path.isdir(folder) else set()
        return all(stem + ending in folders[folder] for ending in endings)

    present = np.array([there(path) for path in table["path"]], dtype=bool)
    missing = tuple(table["path"][~present])
    if missing and not present.any():
        raise DataError(
            f"{name}: none of its {len(table)} recordings is on disk, for example {missing[0]} is absent"
        )
    if missing and not allow_missing:
        raise DataError(
            f"{name}: {len(missing)} of {len(table)} recordings are absent, for example {missing[0]}; "
            "complete the corpus, or go on with what is there by allow_missing=True (--allow-missing)"
        )
    return table[present].reset_index(drop=True), missing


def _complete(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Add absent columns, set types, and check ids and splits."""
    if "record_id" not in table.columns:
        raise DataError(f"{name}: the table has no column record_id")
    table = table.reset_index(drop=True).copy()
    table["record_id"] = table["record_id"].astype(str)
    empty: dict[str, Any] = {"path": "", "report": "", "split": "", "fold": -1, "code_system": "none"}
    for column, value in empty.items():
        if column not in table.columns:
            table[column] = value
    if "patient_id" not in table.columns:
        table["patient_id"] = table["record_id"]
    if "codes" not in table.columns:
        table["codes"] = [[] for _ in range(len(table))]
    for column in ("path", "report", "patient_id", "split", "code_system"):
        table[column] = table[column].fillna("").astype(str)
    table["patient_id"] = table["patient_id"].where(table["patient_id"] != "", table["record_id"])
    table["fold"] = table["fold"].astype(np.int64)
    _check(table, name)
    further = [str(column) for column in table.columns if column not in COLUMNS]
    complete: pd.DataFrame = table[[*COLUMNS, *further]]
    return complete


def _check(table: pd.DataFrame, name: str) -> None:
    repeated = table["record_id"][table["record_id"].duplicated()]
    if len(repeated):
        raise DataError(f"{name}: record id {repeated.iloc[0]!r} stands in two rows; ids must be unique")
    for column, known in (("split", ("", *SPLITS)), ("code_system", CODE_SYSTEMS)):
        odd = table.loc[~table[column].isin(known), ["record_id", column]]
        if len(odd):
            raise DataError(
                f"{name}: record {odd.iloc[0, 0]!r} has {column} {odd.iloc[0, 1]!r}; expected one of "
                f"{', '.join(value for value in known if value)}"
            )
    held = table.loc[table["split"] != "", ["patient_id", "split"]].drop_duplicates()
    twice = held["patient_id"][held["patient_id"].duplicated()]
    if len(twice):
        patient = twice.iloc[0]
        parts = sorted(held.loc[held["patient_id"] == patient, "split"])
        raise DataError(
            f"{name}: patient {patient!r} is in {' and '.join(parts)}; a patient belongs to one split only"
        )
