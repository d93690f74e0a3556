"""Premature beats planted at known seconds, in simulated and in real recordings: the truth of localisation.

A premature ventricular complex is wide, early, without P, its T against its QRS, and followed by a full
compensatory pause; a premature atrial complex is an early copy of the recording's own beat with a changed P
and resets the sinus node (Surawicz & Knilans, Chou's Electrocardiography, chapters 14 and 17).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ecgclip.errors import unknown_name
from ecgclip.signals import Prepared, Preprocessor, r_peaks

from .simulated.corpus import stream
from .simulated.hearts import Heart, draw_heart, draw_signal
from .simulated.kinds import ventricular_beat
from .simulated.waveforms import DOWER, R2, Array, Rng, draw_beats, twelve

__all__ = ["KINDS", "Planted", "plant_in", "simulated_with"]

KINDS = ("PVC", "PAC")

_APART = 3  # beats between two planted ones, so that neither is the other's neighbour
_SLOWEST_S, _SHORTEST_S = 1.3, 0.8  # median RR of a real recording that is planted in
_STEADY = 0.1  # share by which the RR intervals round a planted beat may differ from the median
_BEFORE_S, _AFTER_S = 0.26, 0.46  # a beat from the onset of P to the end of T, round its R-peak
_JOINT_S = 0.06  # over which two pieces of signal are faded into one another
_CLOSE_S = 0.12  # a planted beat is found again if a peak lies this near
_HEART, _SIGNAL, _PLANT = 0, 2, 3  # streams of the simulator, and one of our own


@dataclass(frozen=True, eq=False)
class Planted:
    """A recording with beats planted in it.

    Attributes:
        prepared: the signal as a model takes it, with the R-peaks found again on it.
        seconds: where the R-peak of each planted beat lies, by kind.
        found: whether preparation found an R-peak at every one of them.
    """

    prepared: Prepared
    seconds: dict[str, float]

    @property
    def found(self) -> bool:
        """Whether preparation found an R-peak at every planted beat."""
        peaks = self.prepared.beats
        return all(bool((np.abs(peaks - at) <= _CLOSE_S).any()) for at in self.seconds.values())


def simulated_with(
    kinds: Sequence[str], *, seed: int, index: int, preprocessor: Preprocessor, seconds: float = 10.0
) -> Planted | None:
    """Draw a simulated patient with findings in sinus rhythm and put premature beats at random seconds.

    Args:
        kinds: ``PVC``, ``PAC`` or both; one beat of each.
        seed: of the simulator.
        index: of the patient.
        preprocessor: the model's.
        seconds: length.

    Returns:
        The recording, or None where this patient has no other finding than a rhythm, no regular sinus
        rhythm, or beats that are ectopic already.

    Raises:
        UsageError: an unknown kind.
    """
    _check(kinds)
    heart = draw_heart(stream(seed, index, _HEART), seconds + 2.0)  # what is moved forward must be there
    plan = heart.patient.plan
    codes = set(heart.patient.codes) - {"NORM", "SR", "SBRAD"}
    if plan.rhythm not in ("SR", "SBRAD") or plan.ectopy != "none" or plan.rate > 90 or not codes:
        return None
    rng = stream(seed, index, _PLANT)
    time = np.array(heart.beats.time)
    inside = np.flatnonzero((time > 1.0) & (time < seconds - 2.5))
    slots = _slots(rng, inside, len(kinds))
    if slots is None:
        return None
    for kind, slot in zip(kinds, slots, strict=True):
        _make_early(rng, heart, kind, int(slot))
    heart = replace(heart, seconds=seconds)
    record_signal = draw_signal(heart, stream(seed, index, _SIGNAL), preprocessor.fs)
    truth = {
        kind: float(at + heart.shapes[kind].time[R2])
        for at, kind in zip(heart.beats.time, heart.beats.kind, strict=True)
        if kind in kinds
    }
    return Planted(_prepare(record_signal, preprocessor), truth)


def _prepare(signal: npt.NDArray[np.float32], preprocessor: Preprocessor) -> Prepared:
    from ecgclip.records import LEADS, ECGRecord

    return preprocessor.prepare(ECGRecord(signal, fs=preprocessor.fs, lead_names=LEADS))


def _make_early(rng: Rng, heart: Heart, kind: str, slot: int) -> None:
    """Make the beat at a position of the schedule premature; a PAC moves all later beats forward."""
    beats = heart.beats
    rr = beats.time[slot] - beats.time[slot - 1]
    if kind == "PVC":
        coupling = float(np.clip(rng.uniform(0.50, 0.70) * rr, 0.36, 0.70 * rr))
        beats.time[slot] = beats.time[slot - 1] + coupling
        beats.p[slot] = 0.0
    else:
        coupling = float(max(rng.uniform(0.56, 0.74) * rr, 0.38))
        pause = rr * float(rng.uniform(1.02, 1.25))
        move = beats.time[slot - 1] + coupling + pause - beats.time[slot + 1]
        beats.time[slot] = beats.time[slot - 1] + coupling
        beats.time[slot + 1 :] = [at + move for at in beats.time[slot + 1 :]]
        beats.pr[slot] *= float(rng.uniform(0.85, 1.1))
    beats.kind[slot] = kind


def plant_in(
    prepared: Prepared, kinds: Sequence[str], *, seed: int, index: int, preprocessor: Preprocessor
) -> Planted | None:
    """Plant premature beats in a real recording of a regular sinus rhythm.

    A PVC takes the place of one beat: that one is replaced by the straight line under it and by noise, and
    the ventricular complex, a turning dipole scaled to 1 to 1.6 times the recording's own QRS, goes in early.
    A PAC is one of the recording's own beats, moved to where it is early by taking out signal before its P;
    its P is turned by 25 to 60 degrees and scaled, and the pause behind it is stretched.

    Args:
        prepared: a recording of at least 8 s whose R-peaks are known.
        kinds: ``PVC``, ``PAC`` or both; one beat of each.
        seed: of the planting.
        index: of the recording in its corpus.
        preprocessor: what prepared it.

    Returns:
        The changed recording, or None where its rhythm is too fast, too slow or too uneven.

    Raises:
        UsageError: an unknown kind.
    """
    _check(kinds)
    rng = stream(seed, index, _PLANT)
    rr = np.diff(prepared.beats.astype(np.float64))
    if rr.size < 6 or not _SHORTEST_S <= float(np.median(rr)) <= _SLOWEST_S:
        return None
    usual = float(np.median(rr))
    steady = np.abs(rr / usual - 1.0) < _STEADY
    if not steady.all():
        return None
    slots = _slots(rng, np.arange(2, len(prepared.beats) - 2), len(kinds))
    if slots is None:
        return None
    signal = prepared.signal.astype(np.float64)
    beats = prepared.beats.astype(np.float64)
    truth: dict[str, float] = {}
    for kind, slot in sorted(zip(kinds, slots, strict=True), key=lambda pair: -pair[1]):
        before, own, after = beats[slot - 1], beats[slot], beats[slot + 1]
        if kind == "PVC":
            signal, at = _ventricular(rng, signal, (before, own, after), prepared, preprocessor)
            moved = 0.0
        else:
            signal, at, moved = _atrial(rng, signal, (before, own, after), prepared)
        truth = {name: second + moved for name, second in truth.items()} | {kind: at}
    out = np.clip(np.rint(signal * 1000.0), -32767, 32767).astype(np.float32) * np.float32(1e-3)
    out[~prepared.lead_mask] = 0.0
    found = r_peaks(out, prepared.lead_mask, preprocessor.fs)
    changed = Prepared(out, prepared.lead_mask, found, out.shape[1] / preprocessor.fs)
    return Planted(changed, {kind: float(truth[kind]) for kind in kinds})


def _slots(rng: Rng, positions: npt.NDArray[Any], count: int) -> npt.NDArray[np.int64] | None:
    """As many positions as asked for, at least `_APART` from one another, in random order."""
    if len(positions) < 1 + _APART * (count - 1):
        return None
    for _ in range(50):
        drawn = rng.choice(positions, size=count, replace=False)
        if count == 1 or np.diff(np.sort(drawn)).min() >= _APART:
            return np.asarray(drawn, dtype=np.int64)
    return None


def _ventricular(
    rng: Rng,
    signal: Array,
    peaks: tuple[float, float, float],
    prepared: Prepared,
    preprocessor: Preprocessor,
) -> tuple[Array, float]:
    """Take out the beat at the second of three peaks and put a ventricular one in early; its R-peak in s."""
    fs, (before, own, _) = preprocessor.fs, peaks
    signal = _erase(rng, signal, round((own - _BEFORE_S) * fs), round((own + _AFTER_S) * fs))
    shape = ventricular_beat(rng)
    amplitude = shape.vector @ DOWER.T
    rr = own - before
    onset = before + float(np.clip(rng.uniform(0.48, 0.68) * rr, 0.40, 0.62)) - float(shape.time[R2])
    n_times = signal.shape[1]
    drawn = twelve(
        draw_beats(
            np.array([onset]),
            shape.time[None],
            np.maximum(shape.left, 0.42 / fs)[None],
            np.maximum(shape.right, 0.42 / fs)[None],
            amplitude[None],
            fs=fs,
            n_times=n_times,
        )
    )
    drawn = preprocessor.filter(drawn).astype(np.float64)
    low, high = round((onset - 0.02) * fs), round((onset + shape.qrs + 0.04) * fs)
    first, last = round((before - 0.06) * fs), round((before + 0.08) * fs)
    own_size = float(np.ptp(prepared.signal[:, first:last], axis=1).max())
    size = float(np.ptp(drawn[:, low:high], axis=1).max())
    drawn *= float(rng.uniform(1.0, 1.6)) * own_size / max(size, 1e-6)
    at = low + int(np.abs(drawn[:, low:high]).mean(axis=0).argmax())
    return signal + drawn, at / fs


def _erase(rng: Rng, signal: Array, low: int, high: int) -> Array:
    """The same with a piece replaced by the line between its ends and the recording's own fast noise."""
    from scipy.ndimage import uniform_filter1d

    edge = 4
    left = signal[:, max(0, low - edge) : low + edge].mean(axis=1, keepdims=True)
    right = signal[:, high - edge : high + edge].mean(axis=1, keepdims=True)
    ramp = np.linspace(0.0, 1.0, high - low)[None, :]
    fast = (signal - uniform_filter1d(signal, 5, axis=1))[[0, 1, 6, 7, 8, 9, 10, 11]]
    level = np.median(np.abs(fast), axis=1, keepdims=True) * 1.48
    noise = twelve(
        (rng.normal(0, 1, (8, high - low)) * level).astype(np.float32)
    )  # Einthoven holds in it too
    line = left + (right - left) * ramp + noise
    weight = np.clip(np.minimum(ramp, ramp[:, ::-1]) * (high - low) / edge, 0.0, 1.0)
    out: Array = signal.copy()
    out[:, low:high] = signal[:, low:high] * (1 - weight) + line * weight
    return out


def _atrial(
    rng: Rng, signal: Array, peaks: tuple[float, float, float], prepared: Prepared
) -> tuple[Array, float, float]:
    """Move the beat at the second of three peaks forward; its R-peak, and by how much later ones move, s."""
    fs, (before, own, after) = prepared.fs, peaks
    rr = own - before
    coupling = float(np.clip(rng.uniform(0.60, 0.76) * rr, 0.60, 0.76 * rr))
    early = round((rr - coupling) * fs)
    signal = _turn_p(rng, signal, own, prepared)
    start = round((own - _BEFORE_S) * fs)
    signal = _joined(signal[:, : start - early], signal, start, round(_JOINT_S * fs))
    own_moved = own - early / fs
    pause = float(rng.uniform(1.02, 1.2)) * rr - (after - own)
    stretch, foot = round(pause * fs), round((after - _BEFORE_S - 0.03) * fs) - early
    if stretch > 0:
        flat = np.repeat(signal[:, foot - 2 : foot + 2].mean(axis=1, keepdims=True), stretch, axis=1)
        signal = np.concatenate([signal[:, :foot], flat, signal[:, foot:]], axis=1)
        signal = _erase(rng, signal, foot - 2, foot + stretch + 2)
    return signal, own_moved, (max(0, stretch) - early) / fs


def _joined(first: Array, signal: Array, start: int, fade: int) -> Array:
    """A piece followed by the signal from ``start`` on, the end of the piece faded into what precedes it."""
    weight = np.linspace(0.0, 1.0, fade)[None, :]
    end = first[:, -fade:] * (1 - weight) + signal[:, start - fade : start] * weight
    return np.concatenate([first[:, :-fade], end, signal[:, start:]], axis=1)


def _turn_p(rng: Rng, signal: Array, peak: float, prepared: Prepared) -> Array:
    """The P wave before a peak turned and scaled: it starts from another place in the atria."""
    from ecgclip.signals.dipole import axis_jitter

    fs = prepared.fs
    low, high = round((peak - 0.24) * fs), round((peak - 0.06) * fs)
    window = np.hanning(high - low)[None, :]
    part = signal[:, low:high]
    line = part[:, :1] + (part[:, -1:] - part[:, :1]) * np.linspace(0, 1, high - low)[None, :]
    angle = np.deg2rad(rng.uniform(25, 60)) * rng.choice([-1.0, 1.0], size=3) / np.sqrt(3)
    turn = axis_jitter(angle[None], prepared.lead_mask[None])[0] * float(rng.uniform(0.7, 1.3))
    out: Array = signal.copy()
    out[:, low:high] += window * (turn @ (part - line) - (part - line))
    return out


def _check(kinds: Sequence[str]) -> None:
    for kind in kinds:
        if kind not in KINDS:
            raise unknown_name("beat to plant", kind, KINDS)
