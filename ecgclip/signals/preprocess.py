"""The one road from a recording to model input: leads, rate, pass band. Training and inference share it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ecgclip.errors import DataError, UsageError
from ecgclip.records import ECGRecord, twelve_leads

from .peaks import r_peaks

__all__ = ["Prepared", "Preprocessor", "windows"]

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

VERSION = 1
"""Raised whenever the same settings would give other numbers."""
SHORTEST_S = 1.0
"""A recording shorter than this (seconds) is refused: it need not hold one whole beat."""
SLOWEST_HZ = 50.0
"""A recording sampled more slowly than this has no QRS complex left in it and is refused."""
LARGEST_UV = 32767.0
"""Prepared values are whole microvolts within this, so that a store of int16 loses nothing."""
_CLOSE, _EXACT = 1e-6, 1e-9
"""Relative errors: of a ratio of rates that is met, and of one that differs by rounding only."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """One recording as the model takes it, filtered and not scaled.

    Attributes:
        signal: ``(12, time)`` float32 in mV, leads I II III aVR aVL aVF V1..V6, zero where a lead is missing.
        lead_mask: ``(12,)`` bool, true where the lead is present.
        beats: ``(n_beats,)`` float32, R-peaks in seconds from the first sample, ascending.
        duration_s: seconds; ``time / fs``.
    """

    signal: FloatArray
    lead_mask: BoolArray
    beats: FloatArray
    duration_s: float

    @property
    def fs(self) -> float:
        """Samples a second."""
        return float(round(self.signal.shape[1] / self.duration_s, 6))

    def cut(self, start: int, stop: int) -> "Prepared":
        """The window of samples ``start`` to ``stop``, with the beats in it counted from its start."""
        fs = self.fs
        inside = self.beats[(self.beats >= start / fs) & (self.beats < stop / fs)]
        signal = self.signal[:, start:stop]
        beats = (inside - np.float32(start / fs)).astype(np.float32)
        return Prepared(signal, self.lead_mask, beats, signal.shape[1] / fs)


@dataclass(frozen=True)
class Preprocessor:
    """Leads in order, polyphase resampling to `fs`, zero-phase band-pass, whole microvolts.

    The band-pass is a Butterworth filter run forwards and backwards, so no wave is moved in time and the
    gain at either edge of `band` is one half (-6 dB). The ends are continued by their mirror image over one
    period of the lower edge. Millivolts stay millivolts: scaling belongs to the model.

    Attributes:
        fs: samples a second of the output.
        band: lower and upper edge of the pass band in Hz; the lower may be 0 (no high-pass).
        order: order of the Butterworth prototype at each edge, before it is run twice.
        version: of the procedure; what an older version prepared is not what this one prepares.

    Raises:
        UsageError: for a setting out of range, such as an upper edge at or above ``fs / 2``.
    """

    fs: float = 100.0
    band: tuple[float, float] = (0.5, 40.0)
    order: int = 2
    version: int = VERSION

    def __post_init__(self) -> None:
        object.__setattr__(self, "fs", float(self.fs))
        if len(self.band) != 2:
            raise UsageError(f"preprocessor: band {self.band!r} is not a lower and an upper edge in Hz")
        low, high = (float(edge) for edge in self.band)
        object.__setattr__(self, "band", (low, high))
        if not SLOWEST_HZ <= self.fs <= 10_000.0:
            raise UsageError(f"preprocessor: fs {self.fs:g} Hz is outside {SLOWEST_HZ:g} to 10000 Hz")
        if not 0.0 <= low < high < self.fs / 2:
            raise UsageError(
                f"preprocessor: band {low:g} to {high:g} Hz needs "
                f"0 <= lower < upper < fs / 2 = {self.fs / 2:g} Hz"
            )
        if not 1 <= self.order <= 8:
            raise UsageError(f"preprocessor: order {self.order} is outside 1 to 8")
        if self.version != VERSION:
            raise UsageError(
                f"preprocessor: version {self.version} was asked for and this ecgclip has version {VERSION}; "
                "prepare the data again or use the ecgclip release that wrote it"
            )

    def prepare(self, record: ECGRecord, *, beats: bool = True) -> Prepared:
        """Prepare one recording of any rate, leads and length.

        Args:
            record: the recording as its file says it.
            beats: find R-peaks; without, ``Prepared.beats`` is empty.

        Raises:
            DataError: shorter than 1 s, sampled below 50 Hz, or without a live lead.
        """
        signal, lead_mask = twelve_leads(record)
        name = f"record {record.record_id}" if record.record_id else "the recording"
        if record.fs < SLOWEST_HZ:
            raise DataError(
                f"{name}: sampled at {record.fs:g} Hz, and an ECG needs at least {SLOWEST_HZ:g} Hz; "
                "state the true rate (fs) if the file's is wrong"
            )
        if signal.shape[1] < SHORTEST_S * record.fs:
            raise DataError(
                f"{name}: {signal.shape[1]} samples at {record.fs:g} Hz are "
                f"{signal.shape[1] / record.fs:.2f} s, and at least {SHORTEST_S:g} s are needed; "
                "leave it out or check the rate"
            )
        clean = self.filter(resample(signal[lead_mask], record.fs, self.fs))
        out = np.zeros((signal.shape[0], clean.shape[1]), dtype=np.float32)
        out[lead_mask] = np.clip(np.rint(clean * 1000.0), -LARGEST_UV, LARGEST_UV) * np.float32(1e-3)
        found = r_peaks(out, lead_mask, self.fs) if beats else np.zeros(0, dtype=np.float32)
        return Prepared(out, lead_mask, found, out.shape[1] / self.fs)

    def filter(self, signal: npt.NDArray[Any]) -> FloatArray:
        """Band-pass ``(leads, time)`` at `fs` without moving anything in time."""
        from scipy.signal import sosfilt

        low, high = self.band
        period = self.fs / low if low > 0 else 3 * self.fs / high
        pad = min(int(np.ceil(period)), signal.shape[-1] - 1)
        sos, settled = _band_pass(self.fs, low, high, self.order)
        course = np.pad(signal.astype(np.float64), ((0, 0), (pad, pad)), mode="reflect")
        for _ in range(2):  # what scipy's sosfiltfilt does, its start values computed once and not every time
            course, _ = sosfilt(sos, course, axis=-1, zi=settled * course[:, :1])
            course = course[:, ::-1]
        return np.ascontiguousarray(course[:, pad : course.shape[1] - pad], dtype=np.float32)

    def to_dict(self) -> dict[str, Any]:
        """The settings, ready for JSON."""
        return {**asdict(self), "band": list(self.band)}

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> "Preprocessor":
        """Build from what `to_dict` gave.

        Raises:
            UsageError: for an unknown key, naming those there are, or a setting out of range.
        """
        known = {field.name for field in fields(cls)}
        if extra := sorted(set(settings) - known):
            raise UsageError(f"preprocessor: unknown key {extra[0]!r}: there is {', '.join(sorted(known))}")
        try:
            band = tuple(float(edge) for edge in settings.get("band", cls.band))
            fs, order = float(settings.get("fs", cls.fs)), int(settings.get("order", cls.order))
            version = int(settings.get("version", cls.version))
        except (TypeError, ValueError) as error:
            raise UsageError(f"preprocessor: {dict(settings)!r} holds something that is no number") from error
        return cls(fs=fs, band=band, order=order, version=version)  # type: ignore[arg-type]

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that change whenever a setting or the version does."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def resample(signal: FloatArray, fs: float, to: float) -> FloatArray:
    """Bring ``(leads, time)`` from `fs` to `to` samples a second by a polyphase filter.

    The first sample stays at time zero, and a second stays a second to one part in a million (`rate_ratio`).
    Where the ratio is exact the result holds every sample that begins before the recording ends, otherwise
    ``round(seconds * to)``. The straight line between a lead's first and last sample is taken out before and
    put back after, so that an offset does not ring.
    """
    up, down = rate_ratio(fs, to)
    exact = abs(up * fs / (down * to) - 1.0) < _EXACT
    if up == down and exact:
        return signal
    result = signal
    if up != down:
        from scipy.signal import resample_poly

        taps = _anti_alias(up, down)
        result = resample_poly(signal, up, down, axis=-1, window=taps, padtype="line")
    if not exact:  # over hours, a part in a million is some samples too few or too many
        wanted = round(signal.shape[1] * to / fs)
        result = np.pad(result[:, :wanted], ((0, 0), (0, max(0, wanted - result.shape[1]))), mode="edge")
    return result.astype(np.float32, copy=False)


def rate_ratio(fs: float, to: float) -> tuple[int, int]:
    """Whole numbers ``(up, down)`` with ``up / down = to / fs``, to one part in a million.

    The filter grows with the larger of the two, so small ones are tried first. Of the rates that lie so
    close to a simple ratio, or are so high, that numbers up to 100000 do not do, some are met to six.
    """
    ratio = Fraction(to / fs).limit_denominator(1000)
    for largest in (10_000, 100_000):
        if abs(float(ratio) * fs / to - 1.0) <= _CLOSE:
            break
        if to <= fs:
            ratio = Fraction(to / fs).limit_denominator(largest)
        else:
            ratio = 1 / Fraction(fs / to).limit_denominator(largest)
    return ratio.numerator, ratio.denominator


def windows(n_times: int, fs: float, seconds: float = 10.0) -> list[tuple[int, int]]:
    """Sample ranges of `seconds` that cover a recording of `n_times` samples.

    They follow one another without overlap, but for the last, which ends with the recording. A recording
    shorter than `seconds` is one window.

    Raises:
        UsageError: when `seconds` is not at least one sample.
    """
    size = round(seconds * fs)
    if size < 1:
        raise UsageError(f"windows of {seconds:g} s at {fs:g} Hz hold no sample; ask for a longer window")
    if n_times <= size:
        return [(0, n_times)]
    starts = [*range(0, n_times - size, size), n_times - size]
    return [(start, start + size) for start in starts]


@lru_cache(maxsize=16)
def _band_pass(
    fs: float, low: float, high: float, order: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Second-order sections of the Butterworth filter, and their state ``(sections, 1, 2)`` after endless ones."""
    from scipy.signal import butter, sosfilt_zi

    edges, kind = ((low, high), "bandpass") if low > 0 else (high, "lowpass")
    sos: npt.NDArray[np.float64] = butter(order, edges, btype=kind, fs=fs, output="sos")
    return sos, sosfilt_zi(sos)[:, None, :]


@lru_cache(maxsize=16)
def _anti_alias(up: int, down: int) -> FloatArray:
    """Low-pass at the lower of the two Nyquist rates: Kaiser window (beta 5), ten zero crossings a side."""
    from scipy.signal import firwin

    widest = max(up, down)
    taps: npt.NDArray[np.float64] = firwin(20 * widest + 1, 1.0 / widest, window=("kaiser", 5.0))
    return taps.astype(np.float32)
