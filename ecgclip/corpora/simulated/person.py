"""A person: a normal beat, electrical axes and a chest of their own."""

from __future__ import annotations

import numpy as np

from .waveforms import (
    DOWER,
    P1,
    P2,
    QRS,
    R1,
    REPOLARISATION,
    RP,
    ST,
    Array,
    J,
    Q,
    Rng,
    Shape,
    T,
    frontal_axis,
    normal_shape,
    place_repolarisation,
    rotation,
)


def draw_person(rng: Rng, age: float, healthy: bool) -> Shape:
    """A normal beat of somebody in particular; ``age`` 0 young to 1 old: less anterior force, lower T."""
    shape = normal_shape()
    shape.vector *= np.exp(rng.normal(0, 0.13, size=shape.vector.shape))
    shape.vector[list(QRS[1:])] += rng.normal(0, 0.05, size=(len(QRS) - 1, 3))
    shape.time[list(QRS)] += rng.normal(0, 0.002, size=len(QRS))
    shape.vector[[Q, R1], 2] *= 1.2 - 0.7 * age
    shape.vector[RP] = shape.vector[RP] * rng.uniform(0.0, 2.0) + rng.normal(0, 0.07, 3)
    shape.vector[T] *= 1.12 - 0.35 * age
    qrs, t_wave, p_wave = np.exp(rng.normal((0.0, 0.0, -0.05), (0.25, 0.28, 0.25)))
    t_wave = max(t_wave, 0.8) if healthy else t_wave
    shape.vector[list(QRS)] *= qrs
    shape.vector[list(REPOLARISATION)] *= t_wave
    atrial = [P1, P2]
    shape.vector[atrial] = shape.vector[atrial] * p_wave + rng.normal(0, 0.010, size=(2, 3))
    shape.time[P2] += rng.normal(0, 0.006)
    shape.left[atrial] *= rng.uniform(0.85, 1.2, 2)
    shape.right[atrial] *= rng.uniform(0.85, 1.2, 2)
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


def turn_axes(rng: Rng, shape: Shape, age: float) -> None:
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


_REACH: Array = np.array([1.05, 0.90, 0.82, 1.10, 1.08, 1.10, 1.08, 1.08])
"""Adult chests are larger than the tank that the matrix was measured on, V1 most of all."""


def draw_torso(rng: Rng) -> Array:
    """(8, 3) lead vectors of this person: electrodes near or far, and a little misplaced."""
    gain = _REACH * np.exp(rng.normal(0, [0.07, 0.07, 0.24, 0.25, 0.24, 0.22, 0.18, 0.18]))
    return np.asarray(gain[:, None] * (DOWER + rng.normal(0, 0.05, size=DOWER.shape)))
