"""Recordings without a header of their own: CSV tables, NumPy arrays, and the MATLAB struct of CPSC 2018."""

import csv
import math
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgclip.errors import DataError, UsageError

from .header import shown
from .leads import LEADS
from .matlab import MatlabFault, read_struct
from .record import ECGRecord, record_from
from .stated import Stated

__all__ = ["read_cpsc", "read_csv", "read_npy"]

_CPSC_RATE = 500.0
_NOT_LEADS = {"time", "t", "times", "timestamp", "sample", "samples", "index"}


def read_csv(path: Path, stated: Stated) -> ECGRecord:
    """Read a table: a header of lead names, then one row a sample, in mV unless ``units`` says otherwise.

    An empty cell, or ``nan``, is a gap.

    Raises:
        DataError: no table of numbers, a manifest, a lead twice.
        UsageError: ``fs`` is not stated.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is no UTF-8 text, expected a CSV table of leads") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    head, _, body = text.partition("\n")
    columns = [name.strip() for name in next(csv.reader([head.rstrip("\r")]), [])]
    _check_columns(path, columns)
    fs = _stated_rate(path, stated)
    names = stated.names(path, columns)
    try:
        values = (
            np.loadtxt(body.splitlines(), delimiter=",", comments=None, ndmin=2) if body.strip() else None
        )
    except ValueError:
        values = None
    if values is None or values.shape[1] != len(columns):
        values = _parsed(path, columns, body)
    return _record(path, values.T, names, fs, stated)


def _check_columns(path: Path, columns: list[str]) -> None:
    """Refuse headers that are none of leads."""
    lowered = [name.lower() for name in columns]
    if "path" in lowered:
        raise DataError(
            f"{path}: has a column 'path' and so is a manifest, a table of recordings; "
            "open it as a corpus: open_corpus('manifest', path)"
        )
    if not any(columns) or all(_is_number(name) for name in columns):
        raise DataError(f"{path}: has no header of lead names in its first line")
    for number, name in enumerate(lowered, start=1):
        if not name or name in _NOT_LEADS:
            raise DataError(
                f"{path}: column {number} is called {columns[number - 1]!r}, expected a lead; drop it"
            )
    if len(columns) == 1 and any(mark in columns[0] for mark in ";\t"):
        raise DataError(f"{path}: its columns are not separated by commas, as expected")


def _parsed(path: Path, columns: list[str], body: str) -> NDArray[np.float64]:
    """Read the table cell by cell, so that gaps are allowed and faults have a place."""
    rows = []
    try:
        for number, row in enumerate(csv.reader(body.splitlines()), start=2):
            if not row:
                continue
            if len(row) != len(columns):
                raise DataError(f"{path}: row {number} has {len(row)} cells, expected {len(columns)}")
            rows.append([_cell(path, number, name, cell) for name, cell in zip(columns, row, strict=True)])
    except csv.Error as error:
        raise DataError(f"{path}: is no CSV table: {error}") from error
    if not rows:
        raise DataError(f"{path}: has no samples, expected one row a sample")
    return np.array(rows, dtype=np.float64)


def _cell(path: Path, row: int, column: str, text: str) -> float:
    text = text.strip()
    if not text:
        return math.nan
    if not _is_number(text):
        raise DataError(f"{path}: row {row}, lead {column} is {shown(text)}, expected a number")
    return float(text)


def _is_number(text: str) -> bool:
    """Say whether ``text`` is a number; the underscores that Python allows in one are refused."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def read_npy(path: Path, stated: Stated) -> ECGRecord:
    """Read a NumPy array ``(n_leads, n_times)``, in mV unless ``units`` says otherwise; nothing is unpickled.

    Raises:
        DataError: no array of real numbers with two axes.
        UsageError: ``fs`` or ``lead_names`` is not stated, or the names do not fit the array.
    """
    fs = _stated_rate(path, stated)
    if stated.lead_names is None:
        raise UsageError(f"{path}: a NumPy file names no leads; state lead_names=")
    try:
        with warnings.catch_warnings():  # a damaged header is refused below, not warned of
            warnings.simplefilter("ignore")
            array = np.lib.format.open_memmap(path, mode="r")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # the parser of a foreign format, fed any bytes
        raise DataError(
            f"{path}: is no NumPy array that can be read without unpickling, expected real numbers "
            f"({shown(str(error))})"
        ) from error
    if array.dtype.kind not in "iuf" or array.ndim != 2:
        raise DataError(
            f"{path}: holds {array.dtype} with shape {array.shape}, expected real numbers (n_leads, n_times)"
        )
    if len(array) != len(stated.lead_names):
        hint = "; transpose it to (n_leads, n_times)" if array.shape[1] == len(stated.lead_names) else ""
        raise UsageError(
            f"{path}: {len(stated.lead_names)} lead_names are stated for shape {array.shape}{hint}"
        )
    names = stated.names(path, [""] * len(array))
    return _record(path, np.asarray(array, dtype=np.float64), names, fs, stated)


def read_cpsc(path: Path, stated: Stated) -> ECGRecord:
    """Read the MATLAB struct ``ECG`` of CPSC 2018: ``data (12, n_times)`` in mV at 500 Hz, I to V6.

    Source: China Physiological Signal Challenge 2018, http://2018.icbeb.org/Challenge.html

    Raises:
        DataError: the file holds no such struct.
        UsageError: the caller states other leads, another rate or unit.
    """
    try:
        ecg = read_struct(path.read_bytes(), "ECG")
    except MatlabFault as error:
        raise DataError(
            f"{path}: {error}, expected the struct ECG of CPSC 2018, or a WFDB header (.hea) of the same name"
        ) from error
    data = ecg.get("data")
    if not isinstance(data, np.ndarray) or data.ndim != 2 or len(data) != len(LEADS):
        found = f"shape {data.shape}" if isinstance(data, np.ndarray) else "no real numbers"
        raise DataError(f"{path}: ECG.data has {found}, expected 12 leads in mV, (12, n_times)")
    comments = tuple(
        f"{label}: {value if isinstance(value, str) else value.reshape(-1)[0]}"
        for label, value in (("Age", ecg.get("age")), ("Sex", ecg.get("sex")))
        if value is not None and np.size(value)
    )
    fs = stated.rate(path, _CPSC_RATE)
    names = stated.names(path, LEADS)
    stated.millivolts(path, LEADS[0], "mV")
    return record_from(path, data, fs=fs, lead_names=names, comments=comments)


def _stated_rate(path: Path, stated: Stated) -> float:
    if stated.fs is None:
        raise UsageError(f"{path}: a {path.suffix} file states no sampling rate; state fs= in Hz")
    return float(stated.fs)


def _record(
    path: Path, values: NDArray[np.float64], names: tuple[str, ...], fs: float, stated: Stated
) -> ECGRecord:
    """Scale to mV and build the record."""
    factor = stated.millivolts(path, names[0], stated.units or "mV")
    with np.errstate(over="ignore", invalid="ignore"):
        signal = (values * (factor or 1.0)).astype(np.float32)
    return record_from(path, signal, fs=fs, lead_names=names)
