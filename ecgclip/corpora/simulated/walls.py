"""Walls of the heart and the leads that face them: where regional disease shows."""

from __future__ import annotations

import numpy as np

from .patients import Regional
from .waveforms import (
    R1,
    R2,
    RP,
    ST,
    Array,
    D,
    J,
    Q,
    Rng,
    S,
    Shape,
    T,
)

REGIONS: dict[str, tuple[tuple[float, ...], tuple[str, ...]]] = {
    #               I    II    V1   V2   V3   V4   V5   V6
    "inferior": ((-0.10, 1.0, 0.0, 0.0, 0.0, 0.0, 0.1, 0.25), ("II", "III", "aVF")),
    "lateral": ((0.80, 0.15, 0.0, 0.0, 0.0, 0.2, 0.8, 1.0), ("I", "aVL", "V5", "V6")),
    "anterolateral": ((0.70, 0.15, 0.0, 0.1, 0.5, 1.0, 1.0, 0.85), ("I", "aVL", "V4", "V5", "V6")),
    "anteroseptal": ((0.05, 0.0, 0.75, 1.0, 1.0, 0.5, 0.1, 0.0), ("V1", "V2", "V3", "V4")),
    "anterior": ((0.15, 0.0, 0.15, 0.7, 1.0, 1.0, 0.5, 0.15), ("V2", "V3", "V4", "V5")),
    "septal": ((0.0, 0.0, 0.9, 1.0, 0.35, 0.0, 0.0, 0.0), ("V1", "V2", "V3")),
    "inferolateral": ((0.20, 0.9, 0.0, 0.0, 0.0, 0.4, 0.9, 1.0), ("II", "III", "aVF", "V5", "V6")),
    "widespread": (
        (0.60, 0.80, 0.0, 0.2, 0.5, 0.9, 1.0, 0.9),
        ("I", "II", "aVL", "aVF", "V3", "V4", "V5", "V6"),
    ),
    "high lateral": ((0.9, 0.05, 0.0, 0.0, 0.0, 0.0, 0.1, 0.25), ("I", "aVL")),
    "posterior": ((0.0, 0.0, 0.9, 1.0, 0.7, 0.1, 0.0, -0.1), ("V1", "V2", "V3")),
}


def weights(region: str) -> Array:
    """(8,) how much I, II, V1..V6 face a region."""
    return np.array(REGIONS[region][0])


def leads_of(region: str) -> tuple[str, ...]:
    """The leads that a report names for a region."""
    return REGIONS[region][1]


def late_transition(rng: Rng, amplitude: Array, strength: float) -> None:
    """Left bundle branch block keeps S deep as far as V4 or V5, with T upright there: in place."""
    reach = np.array([0.0, 0.0, 0.0, 0.2, 0.55, 0.55, 0.28, 0.0]) * rng.uniform(0.3, 1.5) * strength
    for wave, part in ((R1, 0.75), (R2, 1.0), (S, 0.8)):
        amplitude[wave] -= part * reach
    amplitude[T] += 0.6 * reach
    amplitude[ST] += 0.15 * reach


_INFERIOR_SCAR: Array = np.array([-0.40, 0.60, 0.0, 0.0, 0.0, 0.0, 0.05, 0.15])
"""Scar of the lower wall turns the first forces up and left: QS in III first, then aVF, II last."""


def lay_regional(shape: Shape, amplitude: Array, part: Regional) -> None:
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
