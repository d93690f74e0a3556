"""One recording as its file told it: millivolts, a rate, and leads with names."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecgclip.errors import DataError, UsageError

from .leads import canonical_lead

__all__ = ["LEAST_RATE", "MOST_RATE", "ECGRecord", "checked_rate", "record_from", "refuse_duplicates"]

LEAST_RATE, MOST_RATE = 1.0, 1e6
"""Rates in Hz between which a recording of the heart is believed."""


@dataclass(frozen=True, eq=False, repr=False)
class ECGRecord:
    """One recording: what its file said, never resampled and never filtered.

    Attributes:
        signal: ``(n_leads, n_times)`` float32 in mV, read-only. Gaps are NaN; infinity never occurs.
        fs: samples a second, in Hz.
        lead_names: one distinct name a row. The twelve standard leads carry their standard name (``AVR``
            becomes ``aVR``, ``MLII`` becomes ``II``); extra leads keep their own.
        record_id: what the recording is called, such as the stem of its file.
        comments: the header's comment lines, without their ``#``.
        left_out: the file's signals that are no voltages and so no leads, such as ``"ABP (mmHg)"``.

    Raises:
        DataError: the signal cannot be right: no samples, infinite values, nothing but gaps, every lead flat,
            or a lead twice.
        UsageError: an argument is wrong: not two axes, not numbers, names that do not fit the rows, no rate.
    """

    signal: NDArray[np.float32]
    _: KW_ONLY
    fs: float
    lead_names: tuple[str, ...]
    record_id: str = ""
    comments: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        where = f"record {self.record_id}" if self.record_id else "record"
        signal = _millivolts(self.signal, where)
        names = _names(self.lead_names, len(signal), signal.shape[1], where)
        _check_values(signal, names, where)
        signal.setflags(write=False)
        for field, value in (
            ("signal", signal),
            ("fs", checked_rate(self.fs)),
            ("lead_names", names),
            ("record_id", str(self.record_id)),
            ("comments", tuple(self.comments)),
            ("left_out", tuple(self.left_out)),
        ):
            object.__setattr__(self, field, value)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return float(self.signal.shape[1] / self.fs)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.signal.setflags(write=False)  # a pickled or copied array comes back writable

    def __repr__(self) -> str:
        return (
            f"ECGRecord({self.record_id!r}, leads {' '.join(self.lead_names)}, "
            f"{self.duration_s:g} s at {self.fs:g} Hz)"
        )


def record_from(
    path: Path,
    signal: NDArray[Any],
    *,
    fs: float,
    lead_names: tuple[str, ...],
    comments: tuple[str, ...] = (),
    left_out: tuple[str, ...] = (),
) -> ECGRecord:
    """Build the recording read from ``path``; it is called by the file's stem, its faults by the path.

    Raises:
        DataError: the signal cannot be right.
    """
    try:
        return ECGRecord(
            signal,
            fs=fs,
            lead_names=lead_names,
            record_id=path.stem,
            comments=comments,
            left_out=left_out,
        )
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def checked_rate(fs: Any) -> float:
    """Give the rate as a float in Hz, or say why it cannot be one.

    Raises:
        UsageError: not a number between 1 and 1e6.
    """
    is_number = isinstance(fs, int | float | np.integer | np.floating) and not isinstance(fs, bool)
    if is_number and LEAST_RATE <= fs <= MOST_RATE:
        return float(fs)
    raise UsageError(
        f"fs is {fs!r}, but must be a number of samples a second between {LEAST_RATE:g} and {MOST_RATE:g}"
    )


def _millivolts(signal: ArrayLike, where: str) -> NDArray[np.float32]:
    """Copy ``signal`` to ``(n_leads, n_times)`` float32; masked entries become gaps."""
    array = _array(signal, where)
    if array.dtype.kind not in "iuf":
        raise UsageError(f"{where}: the signal has dtype {array.dtype}, but must hold real numbers in mV")
    if array.ndim != 2:
        raise UsageError(f"{where}: the signal has shape {array.shape}, but must be (n_leads, n_times)")
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.ma.getdata(array).astype(np.float32, order="C", copy=True)
    if isinstance(array, np.ma.MaskedArray):
        values[np.ma.getmaskarray(array)] = np.nan
    return values


def _array(signal: Any, where: str) -> NDArray[Any]:
    """Whatever holds numbers as an array; a torch tensor may track gradients, be bfloat16 or lie on a device."""
    try:
        if (torch := sys.modules.get("torch")) is not None and isinstance(signal, torch.Tensor):
            signal = signal.detach().cpu()
            signal = (signal.float() if signal.is_floating_point() else signal).numpy()
        return np.asanyarray(signal)
    except (ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise UsageError(
            f"{where}: the signal cannot be made an array ({reason}); give (n_leads, n_times) real numbers in mV, "
            "every lead of the same length"
        ) from error


def _names(lead_names: Iterable[str], n_leads: int, n_times: int, where: str) -> tuple[str, ...]:
    """Standardise the names and check that each row has one of its own."""
    if isinstance(lead_names, str) or not isinstance(lead_names, Iterable):
        raise UsageError(f"{where}: lead_names is {lead_names!r}, but must be a list with one name a lead")
    given = tuple(lead_names)
    if any(not isinstance(name, str) or not name.strip() for name in given):
        raise UsageError(f"{where}: lead_names is {given!r}, but every lead needs a name")
    if len(given) != n_leads:
        hint = "; transpose it to (n_leads, n_times)" if len(given) == n_times else ""
        raise UsageError(f"{where}: {len(given)} lead names for a signal of {n_leads} rows{hint}")
    names = tuple(canonical_lead(name) or name.strip() for name in given)
    refuse_duplicates(given, names, where)
    return names


def refuse_duplicates(given: Sequence[str], names: Sequence[str], where: str) -> None:
    """Raise where two signals, called ``given`` in the file, are the same lead.

    Raises:
        DataError: naming the lead and what it was called.
    """
    if len(set(names)) == len(names):
        return
    twice = Counter(names).most_common(1)[0][0]
    called = " and ".join(repr(old) for old, name in zip(given, names, strict=True) if name == twice)
    raise DataError(f"{where}: lead {twice} is there more than once ({called}), expected each lead once")


def _check_values(signal: NDArray[np.float32], names: tuple[str, ...], where: str) -> None:
    """Refuse what no electrode records: nothing, infinity, only gaps, only flat lines."""
    if signal.size == 0:
        raise DataError(f"{where}: no samples in a signal of shape {signal.shape}")
    low, high = signal.min(axis=1), signal.max(axis=1)
    if np.isfinite(low).all() and np.isfinite(high).all():
        flat = bool((low == high).all())
    else:
        infinite = np.isinf(signal).any(axis=1)
        if infinite.any():
            lead = names[int(np.argmax(infinite))]
            raise DataError(
                f"{where}: lead {lead} has infinite values, expected millivolts, with NaN for gaps"
            )
        present = ~np.isnan(signal)
        if not present.any():
            raise DataError(f"{where}: every sample of {', '.join(names)} is a gap (NaN), expected a signal")
        low = np.where(present, signal, np.inf).min(axis=1)
        high = np.where(present, signal, -np.inf).max(axis=1)
        flat = bool((low >= high).all())
    if flat:
        raise DataError(
            f"{where}: every lead is flat ({', '.join(names)}), expected at least one that varies"
        )
