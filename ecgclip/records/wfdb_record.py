"""WFDB records: one header with its signal files, or a chain of segments that are such records themselves."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgclip.errors import DataError

from .header import Header, read_header
from .leads import LEADS, millivolts_per
from .record import ECGRecord, record_from
from .stated import Stated
from .wfdb_signals import Lead, beside, check_size, read_leads, voltages

__all__ = ["read_wfdb"]


@dataclass(frozen=True)
class _Part:
    """One segment that holds samples: where it starts in the whole, its header and what is in it."""

    start: int
    header: Header
    leads: list[Lead]
    left_out: tuple[str, ...]


def read_wfdb(path: Path, stated: Stated) -> ECGRecord:
    """Read the WFDB record whose header is ``path``; a lead that a segment lacks is a gap there.

    Raises:
        DataError: the header or a signal file cannot be right.
        UsageError: the caller and the file disagree.
    """
    header = read_header(path)
    fs = stated.rate(path, header.fs)
    if header.segments:
        names, signal, left_out = _join(header, fs, stated)
    else:
        leads, left_out = voltages(header, stated.names(path, [line.name for line in header.signals]), stated)
        names = tuple(lead.name for lead in leads)
        _check_any(path, names, left_out)
        signal = read_leads(header, leads)
    return record_from(path, signal, fs=fs, lead_names=names, comments=header.comments, left_out=left_out)


def _check_any(path: Path, names: tuple[str, ...], left_out: tuple[str, ...]) -> None:
    if not names:
        raise DataError(
            f"{path}: none of its signals is a voltage ({', '.join(left_out)}), expected leads in mV"
        )


def _join(
    header: Header, fs: float, stated: Stated
) -> tuple[tuple[str, ...], NDArray[np.float32], tuple[str, ...]]:
    """Read every segment into one signal, NaN where there is none."""
    segments = [None if name == "~" else _read_segment(header, name, fs) for name, _ in header.segments]
    total = sum(length for _, length in header.segments)
    if header.n_frames is not None and header.n_frames != total:
        raise DataError(f"{header.path}: claims {header.n_frames} samples, but its segments have {total}")
    first = next((segment for segment in segments if segment is not None), None)
    if first is None or total == 0:
        raise DataError(f"{header.path}: has no samples in any of its segments, expected at least one")
    in_file = [line.name for line in first.signals]
    if len(in_file) != header.n_signals:
        raise DataError(
            f"{header.path}: announces {header.n_signals} signals, but {first.path} has {len(in_file)}"
        )
    named = dict(zip(in_file, stated.names(header.path, in_file), strict=True))
    layout = first if header.segments[0][1] == 0 and segments[0] is first else None
    parts = _parts(header, segments, layout, named, stated)
    names, left_out = _kept(header, layout, named, parts)
    check_size(header.path, len(names), total)
    signal = np.full((len(names), total), np.nan, dtype=np.float32)
    for part in parts:
        if part.leads:
            values = read_leads(part.header, part.leads)
            rows = [names.index(lead.name) for lead in part.leads]
            signal[rows, part.start : part.start + values.shape[1]] = values
    return names, signal, left_out


def _read_segment(header: Header, name: str, fs: float) -> Header:
    """Read the header of one segment and check that it fits the whole."""
    segment = read_header(beside(header.path, f"{name}.hea"))
    if segment.segments:
        raise DataError(f"{segment.path}: is a segment of {header.path.name}, but has segments itself")
    if segment.fs is not None and abs(segment.fs - fs) > 1e-6 * fs:
        raise DataError(f"{segment.path}: has {segment.fs:g} Hz, but {header.path.name} has {fs:g} Hz")
    return segment


def _parts(
    header: Header,
    segments: list[Header | None],
    layout: Header | None,
    named: dict[str, str],
    stated: Stated,
) -> list[_Part]:
    """Place the segments that hold samples, each with the leads that it has."""
    parts, start = [], 0
    for (_, length), segment in zip(header.segments, segments, strict=True):
        if segment is not None and segment is not layout:
            in_file = [line.name for line in segment.signals]
            unknown = [name for name in in_file if name not in named]
            if unknown or (layout is None and in_file != list(named)):
                raise DataError(
                    f"{segment.path}: has the signals {', '.join(in_file)}, "
                    f"but {header.path.name} has {', '.join(named)}"
                )
            if segment.n_frames is not None and segment.n_frames != length:
                raise DataError(
                    f"{segment.path}: has {segment.n_frames} samples, but {header.path.name} claims {length}"
                )
            leads, left_out = voltages(segment, tuple(named[name] for name in in_file), stated)
            parts.append(_Part(start, segment, leads, left_out))
        start += length
    return parts


def _kept(
    header: Header, layout: Header | None, named: dict[str, str], parts: list[_Part]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Choose the leads of the whole, in its own order, and list what is left out of it."""
    volts = {lead.name for part in parts for lead in part.leads}
    left_out = dict.fromkeys(signal for part in parts for signal in part.left_out)
    if layout is not None:
        met = {line.name for part in parts for line in part.header.signals}
        for line in layout.signals:
            if line.name in met:
                continue
            if named[line.name] in LEADS or millivolts_per(line.units or "") is not None:
                volts.add(named[line.name])
            else:
                left_out[f"{named[line.name]} ({line.units or 'no unit'})"] = None
    for signal in left_out:
        if signal.rpartition(" (")[0] in volts:
            raise DataError(f"{header.path}: {signal} is a voltage in some segments and not in others")
    names = tuple(name for name in named.values() if name in volts)
    _check_any(header.path, names, tuple(left_out))
    return names, tuple(left_out)
