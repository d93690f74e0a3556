"""From a path to a recording, whatever the file's form."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ecgclip.errors import DataError, UsageError

from .arrays import read_cpsc, read_csv, read_npy
from .record import ECGRecord
from .stated import Stated
from .wfdb_record import read_wfdb

__all__ = ["read_record"]

_READERS: dict[str, Callable[[Path, Stated], ECGRecord]] = {
    ".hea": read_wfdb,
    ".mat": read_cpsc,
    ".csv": read_csv,
    ".npy": read_npy,
}
_FORMS = "a WFDB record (.hea with its .dat or .mat), the MATLAB struct of CPSC 2018 (.mat), .csv or .npy"


def read_record(
    path: str | os.PathLike[str],
    *,
    fs: float | None = None,
    lead_names: Sequence[str] | None = None,
    units: str | None = None,
) -> ECGRecord:
    """Read one recording.

    A WFDB record is named by its header, by its path without ending, or by the ``.dat`` or ``.mat`` file
    beside its header. A ``.mat`` file without a header is CPSC 2018's struct (500 Hz, mV, I to V6). A
    ``.csv`` file has a header of lead names and one row a sample; ``.npy`` is ``(n_leads, n_times)``.

    Args:
        path: the file.
        fs: samples a second in Hz, where the file does not state them (``.csv``, ``.npy``, bare headers).
        lead_names: one name a signal of the file, where it does not name its leads (``.npy``).
        units: the unit of voltage where the file states none; ``.csv`` and ``.npy`` are in mV without it.

    Returns:
        The recording: ``(n_leads, n_times)`` in mV, neither resampled nor filtered. Signals that are no
        voltages are listed in its ``left_out``.

    Raises:
        DataError: the file is missing, leaves out what nobody states, or cannot be right.
        UsageError: an argument is wrong, or states something else than the file.
    """
    try:
        file = Path(path)
    except TypeError as error:
        raise UsageError(f"path is {type(path).__name__}, but must be the path of one recording") from error
    stated = Stated(fs=fs, lead_names=lead_names, units=units)
    if "\0" in str(file):
        raise DataError(f"{str(file)!r}: is no possible path, expected {_FORMS}")
    try:
        file, reader = _found(file)
        return reader(file, stated)
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise DataError(f"{file}: does not fit into memory; cut it into shorter records") from error


def _found(path: Path) -> tuple[Path, Callable[[Path, Stated], ECGRecord]]:
    """Find the file that ``path`` means and what reads it."""
    ending = path.suffix.lower()
    if ending in (".mat", ".dat") and (header := path.with_suffix(".hea")).is_file():
        return header, read_wfdb
    if ending in _READERS and path.is_file():
        return path, _READERS[ending]
    if path.name and (header := path.parent / f"{path.name}.hea").is_file():
        return header, read_wfdb
    if path.is_dir():
        raise DataError(f"{path}: is a folder, expected one recording: {_FORMS}")
    if not path.exists():
        raise DataError(f"{path}: there is no such recording, expected {_FORMS}")
    if ending == ".dat":
        raise DataError(f"{path}: has no header {path.with_suffix('.hea').name} beside it, expected {_FORMS}")
    raise DataError(f"{path}: is no recording, expected {_FORMS}")
