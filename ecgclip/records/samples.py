"""Bytes of a WFDB signal file to whole numbers, for every storage format.

Formats: signal(5) of the WFDB Applications Guide (G. B. Moody), https://physionet.org/physiotools/wag/signal-5.htm
"""

from collections.abc import Callable
from pathlib import Path
from stat import S_ISREG
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgclip.errors import DataError

__all__ = ["FORMATS", "INVALID", "frames_in", "read_samples"]

_Bytes = NDArray[np.uint8]
_Samples = NDArray[Any]


def _plain(dtype: str) -> Callable[[_Bytes, int], _Samples]:
    """Read samples that are numbers of the machine, such as 16-bit little-endian."""
    return lambda raw, n: raw.view(dtype)


def _offset(dtype: str, zero: int) -> Callable[[_Bytes, int], _Samples]:
    """Read unsigned samples whose zero lies in the middle."""
    return lambda raw, n: raw.view(dtype).astype(np.int32) - zero


def _signed(values: NDArray[np.int32], bits: int) -> NDArray[np.int32]:
    """Read the lowest ``bits`` as two's complement."""
    half = 1 << (bits - 1)
    return ((values & ((1 << bits) - 1)) ^ half) - half


def _blocks(raw: _Bytes, size: int) -> NDArray[np.int32]:
    """Cut into blocks of ``size`` bytes ``(n_blocks, size)``, the last filled with zeros."""
    padded = np.zeros(-(-raw.size // size) * size, dtype=np.int32)
    padded[: raw.size] = raw
    return padded.reshape(-1, size)


def _format_24(raw: _Bytes, n: int) -> _Samples:
    low, middle, high = _blocks(raw, 3).T
    return _signed(low | middle << 8 | high << 16, 24)


def _format_212(raw: _Bytes, n: int) -> _Samples:
    first, shared, second = _blocks(raw, 3).T
    pairs = np.stack([first | (shared & 0x0F) << 8, second | (shared & 0xF0) << 4], axis=1)
    return _signed(pairs, 12).reshape(-1)[:n]


def _format_310(raw: _Bytes, n: int) -> _Samples:
    a, b, c, d = _blocks(raw, 4).T
    triples = np.stack([(a | b << 8) >> 1, (c | d << 8) >> 1, b >> 3 | (d >> 3) << 5], axis=1)
    return _signed(triples, 10).reshape(-1)[:n]


def _format_311(raw: _Bytes, n: int) -> _Samples:
    a, b, c, d = _blocks(raw, 4).T
    triples = np.stack([a | b << 8, b >> 2 | c << 6, c >> 4 | d << 4], axis=1)
    return _signed(triples, 10).reshape(-1)[:n]


_READ: dict[int, Callable[[_Bytes, int], _Samples]] = {
    8: _plain("<i1"),
    16: _plain("<i2"),
    24: _format_24,
    32: _plain("<i4"),
    61: _plain(">i2"),
    80: _offset("u1", 128),
    160: _offset("<u2", 32768),
    212: _format_212,
    310: _format_310,
    311: _format_311,
}
_BITS = {8: 8, 16: 16, 24: 24, 32: 32, 61: 16, 80: 8, 160: 16, 212: 12}
_FLAC_BITS = {508: 8, 516: 16, 524: 24}
_TAIL = {310: (0, 2, 4), 311: (0, 2, 3)}  # bytes of a last block with 0, 1, 2 samples

FORMATS: tuple[int, ...] = (*_READ, *_FLAC_BITS)
"""Storage formats that can be read."""

INVALID: dict[int, int | None] = {
    number: -(1 << (bits - 1)) for number, bits in (_BITS | _FLAC_BITS | {310: 10, 311: 10}).items()
} | {8: None}
"""The sample that stands for a gap in each format; differences (format 8) have none."""


def _n_bytes(number: int, n: int) -> int:
    """Count the bytes that hold ``n`` samples."""
    if number in _TAIL:
        return n // 3 * 4 + _TAIL[number][n % 3]
    return -(-n * _BITS[number] // 8)


def frames_in(path: Path, number: int, byte_offset: int, per_frame: int) -> int:
    """Count the whole frames that a signal file holds, for a header that does not say."""
    if number in _FLAC_BITS:
        with _open_flac(path, number) as flac:
            return max(0, int(flac.frames) - byte_offset) * int(flac.channels) // per_frame
    size = max(0, _size(path) - byte_offset)
    samples = size * 3 // 4 if number in _TAIL else size * 8 // _BITS[number]
    return samples // per_frame


def read_samples(path: Path, number: int, byte_offset: int, n_frames: int, per_frame: list[int]) -> _Samples:
    """Read the frames of one signal file.

    Args:
        path: the signal file.
        number: its storage format, one of ``FORMATS``.
        byte_offset: bytes before the first sample; samples for FLAC.
        n_frames: frames to read; what follows them is left alone.
        per_frame: samples a frame of each signal in the file, in order.

    Returns:
        ``(n_frames, sum(per_frame))`` integers.

    Raises:
        DataError: the file cannot be read or is shorter than asked.
    """
    n = n_frames * sum(per_frame)
    if number in _FLAC_BITS:
        return _read_flac(path, number, byte_offset, n_frames, per_frame)
    needed, size = _n_bytes(number, n), _size(path)
    if size < byte_offset + needed:
        raise DataError(
            f"{path}: has {size} bytes, but its header claims {n_frames} samples of {len(per_frame)} signals "
            f"in format {number}, which take {byte_offset + needed}"
        )
    try:
        with path.open("rb") as file:
            file.seek(byte_offset)
            raw = np.frombuffer(file.read(needed), dtype=np.uint8)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    if raw.size < needed:
        raise DataError(f"{path}: gave {raw.size} bytes where {needed} were expected")
    return _READ[number](raw, n).reshape(n_frames, -1)


def _size(path: Path) -> int:
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"{path}: its header names this signal file, which cannot be read: {reason}"
        ) from error
    if not S_ISREG(status.st_mode):
        raise DataError(f"{path}: its header names this as signal file, but it is no regular file")
    return status.st_size


def _open_flac(path: Path, number: int) -> Any:
    """Open a FLAC signal file and check that it fits its format."""
    _size(path)
    try:
        import soundfile  # type: ignore[import-untyped]

        flac = soundfile.SoundFile(path)
    except ImportError as error:
        raise DataError(
            f"{path}: is in format {number}, which needs soundfile; pip install soundfile"
        ) from error
    except (OSError, RuntimeError) as error:
        raise DataError(f"{path}: is no FLAC file that can be read, as format {number} demands") from error
    bits = {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24}.get(flac.subtype, 99)
    if flac.format != "FLAC" or bits > _FLAC_BITS[number]:
        flac.close()
        raise DataError(f"{path}: holds {flac.format} {flac.subtype}, but format {number} demands FLAC")
    return flac


def _read_flac(path: Path, number: int, first: int, n_frames: int, per_frame: list[int]) -> _Samples:
    """Read FLAC, whose channels are the signals and whose samples a frame must be one number."""
    each = per_frame[0]
    if any(count != each for count in per_frame):
        raise DataError(
            f"{path}: its signals have {per_frame} samples a frame, but FLAC demands the same of all"
        )
    with _open_flac(path, number) as flac:
        if flac.channels != len(per_frame):
            raise DataError(f"{path}: has {flac.channels} channels, but its header {len(per_frame)} signals")
        needed = first + n_frames * each
        if flac.frames < needed:
            raise DataError(f"{path}: has {flac.frames} samples a signal, but its header claims {needed}")
        wide = flac.subtype == "PCM_24"
        shift = 0 if flac.subtype == "PCM_16" else 8  # soundfile moves 8 and 24 bits to the top of 16 and 32
        samples: _Samples = np.empty((n_frames * each, len(per_frame)), dtype=np.int32 if wide else np.int16)
        try:
            flac.seek(first)
            for start in range(0, len(samples), 1 << 20):  # libsndfile fails on very large single reads
                got = flac.read(out=samples[start : start + (1 << 20)])
                if len(got) < min(1 << 20, len(samples) - start):
                    raise DataError(
                        f"{path}: its FLAC data end early, after {start + len(got)} samples a signal"
                    )
        except (OSError, RuntimeError) as error:
            raise DataError(f"{path}: its FLAC data are damaged") from error
    samples >>= shift
    by_signal = samples.reshape(n_frames, each, len(per_frame)).transpose(0, 2, 1)
    return np.ascontiguousarray(by_signal).reshape(n_frames, -1)
