"""The kinds of beat that one recording may hold: premature, ventricular, paced, escaping."""

from __future__ import annotations

import numpy as np

from .morphology import (
    incomplete_right_bundle_branch_block,
    left_bundle_branch_block,
    right_bundle_branch_block,
)
from .patients import Patient
from .waveforms import (
    AS,
    ATRIAL,
    P1,
    P2,
    R1,
    R2,
    RP,
    ST,
    VS,
    Array,
    J,
    Q,
    Rng,
    S,
    Shape,
    T,
    blank,
    place_repolarisation,
)


def draw_kinds(
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


def ventricular_beat(rng: Rng) -> Shape:
    """A ventricular extrasystole: broad, bizarre, no P, ST and T against QRS."""
    shape = blank()
    kinds = (
        (0.25, 0.95, 0.70),
        (0.55, -0.70, 0.75),
        (-0.45, 0.80, -0.75),
        (-0.30, -0.85, -0.70),
        (0.7, 0.3, 0.9),
    )
    main = np.array(kinds[int(rng.choice(5, p=[0.3, 0.25, 0.15, 0.15, 0.15]))]) + rng.normal(0, 0.18, 3)
    main *= rng.uniform(0.75, 1.9)
    shape.qrs = rng.uniform(0.132, 0.180)
    k = shape.qrs / 0.15
    side = rng.normal(0, 0.25, 3)
    shape.wave(Q, 0.022 * k, 0.012 * k, (0, 0, 0))
    shape.vector[Q] = -0.25 * main * rng.uniform(-1.0, 1.0)
    for wave, time, width, part, turn in (
        (R1, 0.050, 0.017, 0.75, 0.6),
        (R2, 0.080, 0.019, 0.85, 0.0),
        (S, 0.112, 0.018, 0.35, -0.8),
    ):
        shape.wave(wave, time * k, width * k, (0, 0, 0))
        shape.vector[wave] = part * main + turn * side
    place_repolarisation(shape)
    shape.vector[J] = -0.10 * main
    shape.vector[ST] = -0.20 * main
    shape.vector[T] = -rng.uniform(0.3, 0.65) * main
    shape.left[T] *= 1.1
    return shape


def paced_beat(rng: Rng) -> Shape:
    """Right ventricular pacing: left bundle branch block form, usually from the apex (axis upward).

    Left ventricular and biventricular pacing turn V1 upright.
    """
    shape = blank()
    left_bundle_branch_block(shape, rng, 1.0)
    site = rng.choice(3, p=[0.68, 0.16, 0.16])
    up = rng.uniform(0.4, 1.0) if site != 1 else -rng.uniform(0.2, 0.8)
    left = rng.uniform(-0.35, 0.8) if site != 2 else rng.uniform(-0.7, 0.1)
    back = rng.uniform(0.5, 1.0) if site != 2 else -rng.uniform(0.3, 0.8)
    for wave, part in ((R1, 0.7), (R2, 1.0), (S, 0.85), (RP, 0.35)):
        shape.vector[wave, 0] = left * part * 0.8
        shape.vector[wave, 1] = -up * part
        shape.vector[wave, 2] *= back
    main = shape.vector[R2]
    shape.vector[J], shape.vector[ST] = -0.12 * main, -0.2 * main
    shape.vector[T] = -rng.uniform(0.3, 0.55) * main
    return shape
