"""From a patient to a recording: shapes of the beats, their amplitudes in the leads, and the signal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .findings import draw_patient
from .kinds import draw_kinds
from .measured import describe
from .morphology import SHAPERS, left_strain
from .noise import Signal, draw_noise, fibrillation, flutter
from .patients import AXIS, Patient, Statement
from .person import draw_person, draw_torso, turn_axes
from .rhythms import Beats, schedule
from .walls import late_transition, lay_regional
from .waveforms import (
    ATRIAL,
    QRS,
    REPOLARISATION,
    Array,
    Rng,
    Shape,
    draw_beats,
    frontal_axis,
    twelve,
)


@dataclass
class Heart:
    """A patient's beats, ready to be drawn at any rate.

    Args:
        patient: what was drawn.
        beats: when each beat is, and of what kind.
        shapes: shape of each kind.
        amplitude: (waves, 8) mV of each kind.
        axis: electrical axis of QRS, degrees.
        breath_hz: respiration.
        seconds: length.
    """

    patient: Patient
    beats: Beats
    shapes: dict[str, Shape]
    amplitude: dict[str, Array]
    axis: float
    breath_hz: float
    seconds: float


def draw_heart(rng: Rng, seconds: float) -> Heart:
    """Draw everything about a recording but its noise."""
    patient = draw_patient(rng)
    age = float(rng.beta(1.6, 2.0) if patient.has("NORM") else rng.beta(2.4, 1.8))
    shape = draw_person(rng, age, patient.has("NORM"))
    turn_axes(rng, shape, age)
    for code in SHAPERS:
        if code in patient.shapers:
            SHAPERS[code](shape, rng, patient.shapers[code])
    if patient.strain:
        left_strain(shape, rng, patient.strain)
    torso = draw_torso(rng)
    amplitude = shape.vector @ torso.T
    if patient.has("CLBBB", "ILBBB"):
        late_transition(rng, amplitude, 1.0 if patient.has("CLBBB") else 0.45)
    for part in patient.regional:
        lay_regional(shape, amplitude, part)
    amplitude[list(QRS)] *= patient.gain
    amplitude[list(REPOLARISATION)] *= patient.gain**0.5
    describe(rng, patient, shape, amplitude)
    breath = float(rng.uniform(0.18, 0.36))
    beats = schedule(rng, patient.plan, seconds, breath)
    shapes, amplitudes = draw_kinds(rng, patient, shape, amplitude, torso)
    axis = frontal_axis(amplitudes["paced" if patient.plan.rhythm == "PACE" else "normal"], shape)
    return Heart(patient, beats, shapes, amplitudes, axis, breath, seconds)


def draw_signal(heart: Heart, rng: Rng, fs: float) -> Signal:
    """The recording, (12, n_times) mV at ``fs`` Hz."""
    n_times = round(heart.seconds * fs)
    drawn = _beats(heart, rng, fs, n_times)
    plan = heart.patient.plan
    if plan.rhythm == "AFIB":
        coarse = float(np.exp(rng.normal(np.log(0.055), 0.5)))
        drawn += fibrillation(rng, n_times=n_times, fs=fs, coarse=coarse)
    elif plan.rhythm == "AFLT":
        size = float(rng.uniform(0.08, 0.28))
        drawn += flutter(
            rng, n_times=n_times, fs=fs, rate_hz=plan.flutter_hz, phase=plan.flutter_phase, size=size
        )
    drawn += draw_noise(rng, n_times=n_times, fs=fs, breath_hz=heart.breath_hz)
    return twelve(drawn)


def _beats(heart: Heart, rng: Rng, fs: float, n_times: int) -> Signal:
    beats = heart.beats
    onset, kinds = np.array(beats.time), beats.kind
    pr, p = np.array(beats.pr), np.array(beats.p)
    names = list(heart.shapes)
    which = np.array([names.index(kind) for kind in kinds])
    time = np.stack([heart.shapes[name].time for name in names])[which]
    left = np.stack([heart.shapes[name].left for name in names])[which]
    right = np.stack([heart.shapes[name].right for name in names])[which]
    amplitude = np.stack([heart.amplitude[name] for name in names])[which]
    qrs = np.array([heart.shapes[name].qrs for name in names])[which]
    late, early = list(REPOLARISATION), list(ATRIAL)
    scale = _qt_scale(onset, kinds)[:, None]
    time[:, late] = qrs[:, None] + (time[:, late] - qrs[:, None]) * scale
    left[:, late] *= scale
    right[:, late] *= scale
    time[:, early] -= pr[:, None]
    amplitude[:, early] *= (p * np.where(pr < 0, -0.8, 1.0))[:, None, None]
    breath = 2 * np.pi * heart.breath_hz * onset + rng.uniform(0, 2 * np.pi)
    sway = 1 + rng.uniform(0.0, 0.07) * np.sin(breath)[:, None] * rng.normal(0, 1, 8)
    amplitude *= (sway * (1 + rng.normal(0, 0.012, len(onset)))[:, None])[:, None, :]
    low = 0.42 / fs
    return draw_beats(
        onset, time, np.maximum(left, low), np.maximum(right, low), amplitude, fs=fs, n_times=n_times
    )


def _qt_scale(onset: Array, kinds: list[str]) -> Array:
    """How much of its length at a rate of 60 each beat's repolarisation has: the mean RR counts most."""
    ventricular = np.array([kind != "P" for kind in kinds])
    times = np.sort(onset[ventricular])
    rr = float(np.mean(np.diff(times))) if len(times) > 1 else 0.8
    before = np.full(len(onset), rr)
    if len(times) > 1:
        position = np.clip(np.searchsorted(times, onset), 1, len(times) - 1)
        before = np.clip(onset - times[position - 1], 0.3, 2.0)
    return np.asarray(np.clip((0.8 * rr + 0.2 * before) ** 0.45, 0.55, 1.25))


AXES = (
    "axis-extreme",
    "axis-left",
    "axis-leftward",
    "axis-normal",
    "axis-steep",
    "axis-right",
    "axis-extreme-right",
)


def axis_statement(rng: Rng, heart: Heart, language: str) -> Statement | None:
    """What the report says of the axis, if anything."""
    if heart.patient.plan.rhythm == "PACE" and rng.random() < 0.8:
        return None
    bounds = (-90.0, -30.0, 30.0, 60.0, 90.0, 120.0)
    key = AXES[int(np.searchsorted(bounds, heart.axis))]
    plain = key in ("axis-leftward", "axis-normal", "axis-steep")
    chance = (0.75 if plain else 0.85) if language == "de" else (0.2 if plain else 0.8)
    return Statement(key, AXIS) if rng.random() < chance else None


__all__ = ["Heart", "axis_statement", "draw_heart", "draw_signal"]
