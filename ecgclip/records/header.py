"""The WFDB header: text to fields, with nothing filled in that it does not say.

Format: header(5) of the WFDB Applications Guide (G. B. Moody), https://physionet.org/physiotools/wag/header-5.htm
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

from ecgclip.errors import DataError

from .record import LEAST_RATE, MOST_RATE

__all__ = ["Header", "SignalLine", "read_header", "shown"]

_LARGEST_HEADER = 1 << 23  # bytes; a year of one-minute segments is a tenth of it
_NUMBER = r"(?:[0-9]{1,30}\.?[0-9]{0,30}|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,3})?"
_COUNT = re.compile(r"[0-9]{1,15}")
_INTEGER = re.compile(r"-?[0-9]{1,15}")
_RATE = re.compile(rf"({_NUMBER})(?:/-?{_NUMBER}(?:\(-?{_NUMBER}\))?)?")
_FORMAT = re.compile(r"([0-9]{1,4})(?:x([0-9]{1,9}))?(?::([0-9]{1,9}))?(?:\+([0-9]{1,15}))?")
_GAIN = re.compile(rf"(-?{_NUMBER})(?:\((-?[0-9]{{1,15}})\))?(?:/(\S+))?")
_NUMBERS_BEFORE_NAME = 5  # ADC resolution, ADC zero, initial value, checksum, block size


@dataclass(frozen=True)
class SignalLine:
    """One signal: where its samples lie and what they mean; None is what the header does not say."""

    file_name: str
    format: int
    samples_per_frame: int
    skew: int
    byte_offset: int
    gain: float | None
    baseline: int
    units: str | None
    initial: int
    name: str


@dataclass(frozen=True)
class Header:
    """A header: ``fs`` in frames a second, ``n_frames``, its signals or its segments, its comments."""

    path: Path
    n_signals: int
    fs: float | None
    n_frames: int | None
    signals: tuple[SignalLine, ...]
    segments: tuple[tuple[str, int], ...]
    comments: tuple[str, ...]


def read_header(path: Path) -> Header:
    """Read the header at ``path``.

    Raises:
        DataError: it cannot be read, breaks the format, or has another number of lines than it announces.
    """
    lines, comments = _lines(path)
    if not lines:
        raise DataError(f"{path}: is empty, expected a WFDB header")
    fields = lines[0].split()
    if len(fields) < 2:
        raise DataError(
            f"{path}: starts with {shown(lines[0])}, expected a record name and a number of signals"
        )
    n_signals = _count(path, fields[1], "number of signals")
    fs = _rate(path, fields[2]) if len(fields) > 2 else None
    n_frames = _count(path, fields[3], "number of samples") if len(fields) > 3 else None
    signals: tuple[SignalLine, ...] = ()
    segments: tuple[tuple[str, int], ...] = ()
    name, slash, n_segments = fields[0].rpartition("/")
    if slash and name:
        expected = _count(path, n_segments, "number of segments")
        _check_lines(path, lines, expected, "segments")
        segments = tuple(_segment(path, line) for line in lines[1:])
    else:
        _check_lines(path, lines, n_signals, "signals")
        signals = tuple(_signal(path, line) for line in lines[1:])
    return Header(path, n_signals, fs, n_frames, signals, segments, comments)


def shown(text: str) -> str:
    """Quote what a file says, shortened and on one line."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def _lines(path: Path) -> tuple[list[str], tuple[str, ...]]:
    """Read the file as header lines and comments."""
    try:
        if not path.is_file():
            raise DataError(f"{path}: there is no such header file")
        if path.stat().st_size > _LARGEST_HEADER:
            raise DataError(f"{path}: has {path.stat().st_size} bytes, too many for a WFDB header")
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    lines, comments = [], []
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("#"):
            comments.append(line.strip(" \t#"))
        elif line:
            lines.append(line)
    return lines, tuple(comments)


def _check_lines(path: Path, lines: list[str], expected: int, what: str) -> None:
    """Compare the lines that follow the first with the number it announces."""
    if expected == 0:
        raise DataError(f"{path}: announces no {what}, expected at least one")
    if len(lines) - 1 != expected:
        raise DataError(f"{path}: announces {expected} {what}, but has {len(lines) - 1} lines for them")


def _count(path: Path, text: str, what: str) -> int:
    if not _COUNT.fullmatch(text):
        raise DataError(f"{path}: the {what} is {shown(text)}, expected a whole number")
    return int(text)


def _rate(path: Path, text: str) -> float:
    match = _RATE.fullmatch(text)
    fs = float(match[1]) if match else math.nan
    if not LEAST_RATE <= fs <= MOST_RATE:
        raise DataError(
            f"{path}: the sampling rate is {shown(text)}, expected {LEAST_RATE:g} to {MOST_RATE:g} Hz"
        )
    return fs


def _segment(path: Path, line: str) -> tuple[str, int]:
    fields = line.split()
    if len(fields) < 2:
        raise DataError(f"{path}: the segment line {shown(line)} needs a name and a number of samples")
    return fields[0], _count(path, fields[1], f"number of samples of segment {fields[0]}")


def _signal(path: Path, line: str) -> SignalLine:
    """Read one signal line: file, format, gain, five numbers, and the rest is the name."""
    fields = line.split(maxsplit=3)
    layout = _FORMAT.fullmatch(fields[1]) if len(fields) > 1 else None
    if layout is None:
        raise DataError(f"{path}: the signal line {shown(line)} needs a file and a format such as 16")
    gain, baseline, units = _scale(path, line, fields[2]) if len(fields) > 2 else (None, None, None)
    numbers, name = _numbers_and_name(path, line, fields[3] if len(fields) > 3 else "")
    adc_zero = numbers[1] if len(numbers) > 1 else 0
    return SignalLine(
        file_name=fields[0],
        format=int(layout[1]),
        samples_per_frame=int(layout[2] or 1),
        skew=int(layout[3] or 0),
        byte_offset=int(layout[4] or 0),
        gain=gain,
        baseline=adc_zero if baseline is None else baseline,
        units=units,
        initial=numbers[2] if len(numbers) > 2 else 0,
        name=name,
    )


def _scale(path: Path, line: str, text: str) -> tuple[float | None, int | None, str | None]:
    """Read ``gain(baseline)/units``; a gain of zero means that none is known."""
    match = _GAIN.fullmatch(text)
    if match is None:
        raise DataError(f"{path}: the gain {shown(text)} in {shown(line)} should read like 1000(0)/mV")
    gain = float(match[1])
    return gain or None, None if match[2] is None else int(match[2]), match[3]


def _numbers_and_name(path: Path, line: str, rest: str) -> tuple[list[int], str]:
    """Split the five optional numbers from the name, which may hold spaces."""
    numbers: list[int] = []
    while rest and len(numbers) < _NUMBERS_BEFORE_NAME:
        first, *more = rest.split(maxsplit=1)
        if not _INTEGER.fullmatch(first):
            if more:
                raise DataError(f"{path}: {shown(first)} in {shown(line)} should be a whole number")
            break
        numbers.append(int(first))
        rest = more[0] if more else ""
    return numbers, rest.strip()
