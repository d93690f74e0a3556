"""Own data: a CSV with a column ``path`` and, where known, report, patient, split and labels."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import pandas as pd

from ecgclip.corpora.corpus import SPLITS, Corpus, fold_of, keep_present, split_of
from ecgclip.corpora.writing import write_text
from ecgclip.errors import DataError, UsageError

MANIFEST_CSV = "manifest.csv"
COLUMNS = ("path", "report", "patient_id", "split", "labels", "record_id")
_SPLIT_WORDS = {
    **{split: split for split in SPLITS},
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
}
_LABEL_SEPARATORS = ";|"


def open_manifest(path: str | Path, *, split_seed: int | None = None, allow_missing: bool = False) -> Corpus:
    """Open a manifest of one's own recordings.

    Columns: ``path`` (needed; below the manifest's folder unless absolute; with or without ``.hea``),
    ``report``, ``patient_id``, ``split`` (``train``, ``validation``, ``test`` or empty), ``labels`` (codes of
    a label set, separated by ``;``), ``record_id`` (by default the path). A further column is refused, so
    that a misspelt name is not read as an absent one.

    Args:
        path: the CSV, or a folder that holds it as ``manifest.csv``.
        split_seed: where there is no column ``split``: split by a hash of the patient, or of the record where
            patients are unknown, under this seed; None leaves the split empty.
        allow_missing: go on where recordings that the list names are absent.

    Raises:
        DataError: naming the row and column that is wrong, or how many recordings are absent.
    """
    manifest = Path(path).resolve()
    manifest = manifest / MANIFEST_CSV if manifest.is_dir() else manifest
    rows = _read(manifest)
    located = [_locate(text, manifest, line) for line, text in enumerate(rows["path"], start=2)]
    ids = rows["record_id"] if "record_id" in rows else rows["path"]
    table = pd.DataFrame({"record_id": ids.str.strip(), "path": located})
    if "report" in rows:
        table["report"] = rows["report"].str.strip()
    if "patient_id" in rows:
        table["patient_id"] = rows["patient_id"].str.strip()
    if "labels" in rows:
        table["codes"] = [_labels(text) for text in rows["labels"]]
        table["code_system"] = "label"
    if "split" in rows:
        table["split"] = [_split(text, manifest, line) for line, text in enumerate(rows["split"], start=2)]
    elif split_seed is not None:
        patients = table.get("patient_id", table["record_id"])
        whose = patients.where(patients != "", table["record_id"])
        table["fold"] = [fold_of(patient, split_seed) for patient in whose]
        table["split"] = [split_of(fold) for fold in table["fold"]]
    present, missing = keep_present(table, manifest.name, endings=("",), allow_missing=allow_missing)
    return Corpus(present, name=manifest.stem, missing=missing)


def save_manifest(corpus: Corpus, path: str | Path) -> Path:
    """Write a corpus of files as a manifest: a split to keep, to share and to name by its hash.

    Paths are noted below the manifest's folder; `open_manifest` reads it back.

    Raises:
        UsageError: if the corpus holds recordings without a file.
        DataError: if it cannot be written.
    """
    manifest = Path(path).resolve()
    table = corpus.table
    if (table["path"] == "").any():
        raise UsageError(
            f"{corpus.name}: its recordings lie in no files; only a corpus of files has a manifest"
        )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "report", "patient_id", "split", "labels", "record_id"])
    columns = (table[name] for name in ("path", "report", "patient_id", "split", "codes", "record_id"))
    for file, report, patient, split, codes, record in zip(*columns, strict=True):
        place = Path(os.path.relpath(file, manifest.parent)).as_posix()
        writer.writerow([place, report, patient, split, _LABEL_SEPARATORS[0].join(codes), record])
    write_text(manifest, text.getvalue())
    return manifest


def is_manifest(path: Path) -> bool:
    """Whether a CSV's header has a column ``path``, which a recording's CSV has not."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            header = next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
    return "path" in [name.strip() for name in header]


def _read(manifest: Path) -> pd.DataFrame:
    if not manifest.is_file():
        raise DataError(f"{manifest}: no such file; --data must name a manifest CSV")
    try:
        with open(manifest, newline="", encoding="utf-8-sig") as file:
            lines = [line for line in csv.reader(file, strict=True) if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{manifest}: no CSV in UTF-8 ({error}); save it again as such") from error
    header = [name.strip() for name in lines[0]] if lines else []
    _check_header(header, manifest)
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(header):
            raise DataError(
                f"{manifest} row {number}: {len(line)} fields under {len(header)} columns; "
                "quote texts that hold commas"
            )
    if len(lines) < 2:
        raise DataError(f"{manifest}: holds no recording; expected one row a recording below the header")
    rows: pd.DataFrame = pd.DataFrame(lines[1:], columns=header, dtype=str)
    return rows


def _check_header(header: list[str], manifest: Path) -> None:
    if "path" not in header:
        found = ", ".join(header) or "nothing"
        raise DataError(f"{manifest}: no column 'path' (found {found}); a manifest needs it")
    for name in header:
        if name not in COLUMNS:
            raise DataError(f"{manifest}: unknown column {name!r}; a manifest has {', '.join(COLUMNS)}")
        if header.count(name) > 1:
            raise DataError(f"{manifest}: column {name!r} stands there twice")


def _locate(text: str, manifest: Path, line: int) -> str:
    """The file on disk: ``.hea``, ``.mat`` or another ending may have been left out for WFDB records."""
    if not text.strip():
        raise DataError(f"{manifest} row {line}: path is empty; give the recording's file")
    found = os.path.normpath(manifest.parent / Path(text.strip()).expanduser())
    return found + ".hea" if os.path.isfile(found + ".hea") and not os.path.isfile(found) else found


def _split(text: str, manifest: Path, line: int) -> str:
    word = text.strip().lower()
    if word and word not in _SPLIT_WORDS:
        raise DataError(f"{manifest} row {line}: split {text!r}; expected {', '.join(SPLITS)} or nothing")
    return _SPLIT_WORDS.get(word, "")


def _labels(text: str) -> list[str]:
    for separator in _LABEL_SEPARATORS[1:]:
        text = text.replace(separator, _LABEL_SEPARATORS[0])
    return list(dict.fromkeys(label.strip() for label in text.split(_LABEL_SEPARATORS[0]) if label.strip()))
