"""From a patient to a recording: shapes of the beats, their amplitudes in the leads, and the signal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .findings import draw_patient
from .measured import describe
from .morphology import (
    SHAPERS,
    incomplete_right_bundle_branch_block,
    left_strain,
    paced_beat,
    right_bundle_branch_block,
    ventricular_beat,
    weights,
)
from .noise import Signal, draw_noise, fibrillation, flutter
from .patients import AXIS, Patient, Regional, Statement
from .rhythms import Beats, schedule
from .waveforms import (
    AS,
    ATRIAL,
    DOWER,
    P1,
    P2,
    QRS,
    R1,
    R2,
    REPOLARISATION,
    RP,
    ST,
    VS,
    Array,
    D,
    J,
    Q,
    Rng,
    S,
    Shape,
    T,
    draw_beats,
    frontal_axis,
    normal_shape,
    place_repolarisation,
    rotation,
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
    shape = _person(rng, age, patient.has("NORM"))
    _turn(rng, shape, age)
    for code in SHAPERS:
        if code in patient.shapers:
            SHAPERS[code](shape, rng, patient.shapers[code])
    if patient.strain:
        left_strain(shape, rng, patient.strain)
    torso = _torso(rng)
    amplitude = shape.vector @ torso.T
    if patient.has("CLBBB", "ILBBB"):
        _late_transition(rng, amplitude, 1.0 if patient.has("CLBBB") else 0.45)
    for part in patient.regional:
        _regional(shape, amplitude, part)
    amplitude[list(QRS)] *= patient.gain
    amplitude[list(REPOLARISATION)] *= patient.gain**0.5
    describe(rng, patient, shape, amplitude)
    breath = float(rng.uniform(0.18, 0.36))
    beats = schedule(rng, patient.plan, seconds, breath)
    shapes, amplitudes = _kinds(rng, patient, shape, amplitude, torso)
    axis = frontal_axis(amplitudes["paced" if patient.plan.rhythm == "PACE" else "normal"], shape)
    return Heart(patient, beats, shapes, amplitudes, axis, breath, seconds)


def _person(rng: Rng, age: float, healthy: bool) -> Shape:
    """A normal beat of somebody in particular; ``age`` 0 young to 1 old: less anterior force, lower T."""
    shape = normal_shape()
    shape.vector *= np.exp(rng.normal(0, 0.13, size=shape.vector.shape))
    shape.vector[list(QRS[1:])] += rng.normal(0, 0.045, size=(len(QRS) - 1, 3))
    shape.time[list(QRS)] += rng.normal(0, 0.002, size=len(QRS))
    shape.vector[[Q, R1], 2] *= 1.2 - 0.7 * age
    shape.vector[RP] = shape.vector[RP] * rng.uniform(0.0, 2.0) + rng.normal(0, 0.07, 3)
    shape.vector[T] *= 1.12 - 0.35 * age
    qrs, t_wave, p_wave = np.exp(rng.normal((0.0, 0.0, -0.05), (0.22, 0.28, 0.25)))
    t_wave = max(t_wave, 0.8) if healthy else t_wave
    shape.vector[list(QRS)] *= qrs
    shape.vector[list(REPOLARISATION)] *= t_wave
    shape.vector[list((P1, P2))] *= p_wave
    width = rng.uniform(0.88, 1.14)
    shape.time[list(QRS)] *= width
    shape.left[list(QRS)] *= width
    shape.right[list(QRS)] *= width
    shape.qrs *= width
    place_repolarisation(shape)
    shape.left[T] *= rng.uniform(0.85, 1.2)
    shape.right[T] *= rng.uniform(0.85, 1.2)
    shape.time[T] += rng.normal(0, 0.012)
    if rng.random() < 0.25:
        shape.vector[Q] *= (rng.uniform(0.0, 0.5), 1.0, 1.0)
    if rng.random() < 0.2:
        lift = rng.uniform(0.02, 0.07)
        shape.vector[[J, ST]] += np.array((0.5, 0.3, -1.0)) * lift
    return shape


def _turn(rng: Rng, shape: Shape, age: float) -> None:
    """Turn QRS to an axis of this person's, and P and T part of the way."""
    target = float(np.clip(rng.normal(58 - 55 * age, 28), -40, 93))
    about_y = rotation(1, rng.normal(0, 14))
    waves = list(QRS)
    shape.vector[waves] = shape.vector[waves] @ about_y.T
    for _ in range(2):
        turn = target - frontal_axis(shape.vector @ DOWER.T, shape)
        shape.vector[waves] = shape.vector[waves] @ rotation(2, turn).T
    part = rotation(2, 0.35 * (target - 40) + rng.normal(0, 9)) @ rotation(1, rng.normal(0, 12))
    late = list(REPOLARISATION)
    shape.vector[late] = shape.vector[late] @ part.T
    early = [P1, P2]
    shape.vector[early] = shape.vector[early] @ rotation(2, 0.2 * (target - 40) + rng.normal(0, 8)).T


_REACH: Array = np.array([1.05, 0.89, 0.80, 0.98, 0.95, 0.98, 1.0, 1.0])
"""Adult chests are larger than the tank that the matrix was measured on, V1 most of all."""


def _torso(rng: Rng) -> Array:
    """(8, 3) lead vectors of this person: electrodes near or far, and a little misplaced."""
    gain = _REACH * np.exp(rng.normal(0, [0.06, 0.06, 0.18, 0.18, 0.18, 0.16, 0.14, 0.14]))
    return np.asarray(gain[:, None] * (DOWER + rng.normal(0, 0.06, size=DOWER.shape)))


def _late_transition(rng: Rng, amplitude: Array, strength: float) -> None:
    """Left bundle branch block keeps S deep as far as V4 or V5, with T upright there: in place."""
    reach = np.array([0.0, 0.0, 0.0, 0.2, 0.55, 0.55, 0.28, 0.0]) * rng.uniform(0.3, 1.5) * strength
    for wave, part in ((R1, 0.75), (R2, 1.0), (S, 0.8)):
        amplitude[wave] -= part * reach
    amplitude[T] += 0.6 * reach
    amplitude[ST] += 0.15 * reach


_INFERIOR_SCAR: Array = np.array([-0.40, 0.60, 0.0, 0.0, 0.0, 0.0, 0.05, 0.15])
"""Scar of the lower wall turns the first forces up and left: QS in III first, then aVF, II last."""


def _regional(shape: Shape, amplitude: Array, part: Regional) -> None:
    """Lay a change of the leads that face a region on (waves, 8) amplitudes, in place."""
    facing = weights(part.region)
    if part.kind == "q":
        if part.region == "inferior":
            facing = _INFERIOR_SCAR
        share = np.clip(1.3 * facing, 0, 1) * part.share
        shape.time[Q] = max(shape.time[Q], 0.020)
        shape.left[Q] = shape.right[Q] = 0.010
        for wave, loss in ((Q, 1.0), (R1, 1.0), (D, 1.0), (R2, 0.7)):
            amplitude[wave] *= 1 - np.where(amplitude[wave] > 0, loss, 0.0) * share
        amplitude[Q] -= part.size * np.clip(facing, -0.4, 1)
        if part.region in ("anteroseptal", "anterior", "septal"):
            amplitude[[R1, R2]] -= 0.55 * part.size * share
    elif part.kind == "rsr":
        amplitude[RP, 2:4] += part.size * np.array((1.0, 0.3))
    elif part.kind == "posterior":
        amplitude[R1] += 0.45 * part.size * facing
        amplitude[R2] += 0.35 * part.size * facing
        amplitude[S] *= 1 - 0.6 * min(part.size, 1.0) * np.clip(facing, 0, 1)
        amplitude[T] += 0.22 * part.size * facing
    elif part.kind == "st":
        amplitude[J] += 0.75 * part.size * facing
        amplitude[ST] += part.size * facing
    else:
        share = np.clip(facing, 0, 1)
        amplitude[T] = amplitude[T] * (1 - part.share * share) + part.size * facing


def _kinds(
    rng: Rng, patient: Patient, shape: Shape, amplitude: Array, torso: Array
) -> tuple[dict[str, Shape], dict[str, Array]]:
    """The other kinds of beat that the rhythm may hold."""
    shapes, amplitudes = {"normal": shape}, {"normal": amplitude}
    early = shape.copy()
    early_amplitude = amplitude.copy()
    early_amplitude[[P1, P2]] = (
        early.vector[[P1, P2]] * rng.normal((0.4, 0.2, 0.8), (0.7, 0.8, 0.6)) @ torso.T
    )
    if rng.random() < 0.12 and not patient.has("CRBBB", "CLBBB"):
        _aberrant(rng, early, early_amplitude, torso)
    shapes["PAC"], amplitudes["PAC"] = early, early_amplitude
    wide = ventricular_beat(rng)
    shapes["PVC"], amplitudes["PVC"] = wide, wide.vector @ torso.T
    if patient.plan.rhythm == "PACE":
        shapes["paced"], amplitudes["paced"] = _paced(rng, patient, shape, amplitude, torso)
    if patient.plan.rhythm == "3AVB":
        escape, escape_amplitude = shape.copy(), amplitude.copy()
        if rng.random() < 0.45 and not patient.has("CLBBB", "CRBBB"):
            escape = ventricular_beat(rng)
            escape_amplitude = escape.vector @ torso.T * 0.8
        escape_amplitude[list(ATRIAL)] = 0
        shapes["escape"], amplitudes["escape"] = escape, escape_amplitude
    lone = np.zeros_like(amplitude)
    lone[[P1, P2]] = amplitude[[P1, P2]]
    shapes["P"], amplitudes["P"] = shape, lone
    return shapes, amplitudes


def _aberrant(rng: Rng, early: Shape, amplitude: Array, torso: Array) -> None:
    """The early atrial beat finds the right bundle refractory."""
    kept = amplitude.copy()
    shaper = right_bundle_branch_block if rng.random() < 0.5 else incomplete_right_bundle_branch_block
    before = early.vector.copy()
    shaper(early, rng, 1.0)
    amplitude[:] = kept + (early.vector - before) @ torso.T


def _paced(rng: Rng, patient: Patient, shape: Shape, amplitude: Array, torso: Array) -> tuple[Shape, Array]:
    """A paced beat with its spikes, a few ms wide; bipolar ones are hardly seen."""
    atrial = patient.plan.pacing == "A"
    paced = shape.copy() if atrial else paced_beat(rng)
    seen = amplitude.copy() if atrial else paced.vector @ torso.T
    for wave in (P1, P2):
        seen[wave] = amplitude[wave]
        paced.time[wave], paced.left[wave], paced.right[wave] = (
            shape.time[wave],
            shape.left[wave],
            shape.right[wave],
        )
    size = float(np.exp(rng.normal(np.log(0.6), 0.9)))
    paced.time[[VS, AS]] = (-0.008, -0.012)
    paced.left[[VS, AS]] = paced.right[[VS, AS]] = 0.002
    up = rng.choice([-0.9, 0.7], p=[0.6, 0.4])
    if not atrial:
        seen[VS] = size * (torso @ np.array((0.5, up, 0.4)) + rng.normal(0, 0.4, 8))
    if patient.plan.atrial_paced:
        seen[AS] = 0.8 * size * (torso @ np.array((0.3, 0.6, 0.2)) + rng.normal(0, 0.3, 8))
    return paced, seen


def draw_signal(heart: Heart, rng: Rng, fs: float) -> Signal:
    """The recording, (12, n_times) mV at ``fs`` Hz."""
    n_times = round(heart.seconds * fs)
    drawn = _beats(heart, rng, fs, n_times)
    plan = heart.patient.plan
    if plan.rhythm == "AFIB":
        coarse = float(np.exp(rng.normal(np.log(0.055), 0.5)))
        drawn += fibrillation(rng, n_times=n_times, fs=fs, coarse=coarse)
    elif plan.rhythm == "AFLT":
        size = float(rng.uniform(0.07, 0.2))
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
