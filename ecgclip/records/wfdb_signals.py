"""The leads of one WFDB header, read from the signal files beside it and scaled to mV."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgclip.errors import DataError

from .header import Header, SignalLine, shown
from .samples import FORMATS, INVALID, frames_in, read_samples
from .stated import Stated

__all__ = ["Lead", "beside", "check_size", "read_leads", "voltages"]

_MOST_VALUES = 1 << 30  # a day of twelve leads at 1000 Hz
_LEAST_GAIN, _MOST_GAIN = 1.0, 1e6  # steps a mV


@dataclass(frozen=True)
class Lead:
    """One signal that is a voltage: its row in the file, its name and its scale."""

    row: int
    name: str
    baseline: int
    gain: float
    millivolts: float


def voltages(header: Header, names: tuple[str, ...], stated: Stated) -> tuple[list[Lead], tuple[str, ...]]:
    """Keep the signals that are voltages, each with a checked scale; list the others with their unit.

    Raises:
        DataError: one of the twelve leads is in no known voltage, or a gain is missing or impossible.
        UsageError: the caller and the file disagree about a unit.
    """
    leads, left_out = [], []
    for row, (line, name) in enumerate(zip(header.signals, names, strict=True)):
        millivolts = stated.millivolts(header.path, name, line.units)
        if millivolts is None:
            left_out.append(f"{name} ({line.units or 'no unit'})")
            continue
        leads.append(Lead(row, name, line.baseline, _gain(header.path, name, line, millivolts), millivolts))
    return leads, tuple(left_out)


def _gain(path: Path, name: str, line: SignalLine, millivolts: float) -> float:
    """Check the steps a unit: stated, and between 1 and 1e6 a mV."""
    if line.gain is None:
        raise DataError(f"{path}: lead {name} states no gain; write it into the header, such as 1000/mV")
    if not _LEAST_GAIN <= line.gain / millivolts <= _MOST_GAIN:
        raise DataError(
            f"{path}: lead {name} has a gain of {line.gain:g} per {line.units or 'unit'}, "
            f"expected between {_LEAST_GAIN:g} and {_MOST_GAIN:g} per mV"
        )
    return line.gain


def read_leads(header: Header, leads: list[Lead]) -> NDArray[np.float32]:
    """Read ``(n_leads, n_frames)`` in mV, file by file.

    Samples are scaled as (sample - baseline) / gain, invalid ones are gaps, skewed signals are aligned, and
    of a signal with several samples a frame the frame's mean is taken, as the WFDB library does.

    Raises:
        DataError: a signal file is missing, shorter than claimed, or in an unknown format.
    """
    files = _files(header)
    n_frames = _n_frames(header, files)
    check_size(header.path, len(leads), n_frames)
    wanted = {lead.row: position for position, lead in enumerate(leads)}
    signal = np.empty((len(leads), n_frames), dtype=np.float32)
    for file_name, rows in files.items():
        first = header.signals[rows[0]]
        per_frame = [header.signals[row].samples_per_frame for row in rows]
        path = beside(header.path, file_name)
        frames = read_samples(path, first.format, first.byte_offset, n_frames, per_frame)
        kept = [index for index, row in enumerate(rows) if row in wanted]
        if kept:
            digital, gaps = _rows(frames, [header.signals[row] for row in rows], kept)
            here = [wanted[rows[index]] for index in kept]
            signal[here] = _scaled(digital, gaps, [leads[position] for position in here])
    return signal


def _n_frames(header: Header, files: dict[str, list[int]]) -> int:
    """Take the length from the header, or from the first file where the header leaves it open."""
    first = header.signals[0]
    if header.n_frames is None:
        rows = next(iter(files.values()))
        per_frame = sum(header.signals[row].samples_per_frame for row in rows)
        path = beside(header.path, first.file_name)
        n_frames = frames_in(path, first.format, first.byte_offset, per_frame)
    else:
        n_frames = header.n_frames
    if n_frames == 0:
        raise DataError(f"{header.path}: has no samples, expected at least one")
    return n_frames


def check_size(path: Path, n_leads: int, n_frames: int) -> None:
    """Refuse a claim that no memory would hold.

    Raises:
        DataError: more than 2**30 values.
    """
    if n_leads * n_frames > _MOST_VALUES:
        raise DataError(
            f"{path}: claims {n_leads} leads of {n_frames} samples, more than {_MOST_VALUES} values; "
            "cut it into shorter records"
        )


def _files(header: Header) -> dict[str, list[int]]:
    """Group the rows by signal file and check that each file has one readable format."""
    files: dict[str, list[int]] = {}
    for row, line in enumerate(header.signals):
        if line.format not in FORMATS and line.file_name != "~":
            raise DataError(
                f"{header.path}: signal {row + 1} is in format {line.format}, "
                f"expected one of {', '.join(map(str, FORMATS))}"
            )
        if line.samples_per_frame == 0:
            raise DataError(f"{header.path}: signal {row + 1} has no samples a frame, expected at least one")
        files.setdefault(line.file_name, []).append(row)
        first = header.signals[files[line.file_name][0]]
        if (line.format, line.byte_offset) != (first.format, first.byte_offset):
            raise DataError(
                f"{header.path}: {line.file_name} is said to be in format {first.format}+{first.byte_offset} "
                f"and in {line.format}+{line.byte_offset}, expected one format a file"
            )
    if "~" in files:
        raise DataError(f"{header.path}: lays out the leads of other records and has no samples of its own")
    return files


def beside(header: Path, name: str) -> Path:
    """Give the file that a header names; it must lie in the header's folder, where it may be a symbolic link.

    Raises:
        DataError: the name leads elsewhere.
    """
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        if path.is_absolute() or path.drive or ".." in path.parts or "\0" in name:
            raise DataError(f"{header}: names the file {shown(name)}, expected one inside its own folder")
    return header.parent / name


def _rows(
    frames: NDArray[Any], lines: list[SignalLine], kept: list[int]
) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Give the kept signals as ``(n_kept, n_frames)`` integers, and where they have gaps."""
    invalid = INVALID[lines[0].format]
    if lines[0].format != 8 and all(line.samples_per_frame == 1 and line.skew == 0 for line in lines):
        digital = frames.T if len(kept) == len(lines) else frames.T[kept]
        return digital, None if invalid is None else digital == invalid
    stops = np.cumsum([line.samples_per_frame for line in lines])
    rows, gaps = [], []
    for index in kept:
        line = lines[index]
        samples = frames[:, stops[index] - line.samples_per_frame : stops[index]].astype(np.int64)
        if line.format == 8:
            samples = samples.reshape(-1).cumsum().reshape(samples.shape) + line.initial
        gap = np.zeros(len(frames), dtype=bool) if invalid is None else (samples == invalid).any(axis=1)
        mean = np.trunc(samples.mean(axis=1)) if line.samples_per_frame > 1 else samples[:, 0]
        ahead = min(line.skew, len(frames))
        rows.append(np.concatenate([mean[ahead:], np.zeros(ahead)]))
        gaps.append(np.concatenate([gap[ahead:], np.ones(ahead, dtype=bool)]))
    return np.stack(rows), np.stack(gaps)


def _scaled(digital: NDArray[Any], gaps: NDArray[np.bool_] | None, leads: list[Lead]) -> NDArray[np.float32]:
    """Turn samples ``(n_leads, n_frames)`` into mV, NaN where there are gaps."""
    baseline = np.array([[lead.baseline] for lead in leads], dtype=np.float64)
    gain = np.array([[lead.gain] for lead in leads], dtype=np.float64)
    physical = (digital - baseline) / gain
    if any(lead.millivolts != 1.0 for lead in leads):
        physical *= np.array([[lead.millivolts] for lead in leads])
    if gaps is not None and gaps.any():
        physical[gaps] = np.nan
    return physical.astype(np.float32)
