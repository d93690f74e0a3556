"""How a condition changes the heart vector, and, for regional disease, the leads that face the region.

Each function takes a ``Shape`` (directions x left, y feet, z back) and a strength about 1. Criteria:
AHA/ACCF/HRS recommendations 2009 (conduction: Surawicz; hypertrophy: Hancock; ischaemia: Wagner), Fourth
universal definition of myocardial infarction 2018, Surawicz & Knilans.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .waveforms import (
    P1,
    P2,
    QRS,
    R1,
    R2,
    RP,
    ST,
    T2,
    D,
    J,
    Q,
    Rng,
    S,
    Shape,
    T,
    U,
    place_repolarisation,
)


def left_bundle_branch_block(shape: Shape, rng: Rng, strength: float) -> None:
    """QRS over 120 ms, no septal q, broad notched R left, discordant ST and T."""
    shape.qrs = rng.uniform(0.128, 0.168)
    k, size = shape.qrs / 0.14, rng.uniform(0.75, 1.25)
    shape.vector[[Q, RP, D]] = 0
    tilt, back = rng.uniform(-0.3, 0.3), size * rng.uniform(0.7, 1.3)
    shape.wave(Q, 0.018 * k, 0.009, (0.10 * size, 0.02, rng.uniform(-0.22, 0.12)))
    shape.wave(R1, 0.045 * k, 0.014 * k, (0.55 * size, tilt * size + 0.08, 0.70 * back))
    shape.wave(R2, 0.074 * k, 0.015 * k, (0.52 * size, tilt * size, 1.35 * back))
    shape.wave(S, 0.100 * k, 0.013 * k, (0.62 * size, 0.6 * tilt * size, 0.85 * back))
    shape.wave(RP, 0.121 * k, 0.011 * k, (0.22 * size, 0.0, 0.30 * back))
    place_repolarisation(shape)
    shape.vector[J] = np.array((-0.10, -0.3 * tilt, -0.16)) * size
    shape.vector[ST] = np.array((-0.10, -0.3 * tilt, -0.22)) * size
    shape.vector[T] = np.array((-0.20 * rng.uniform(0.2, 1.4), -0.4 * tilt, -0.52 * back / size)) * size
    shape.left[T] *= 1.1


def incomplete_left_bundle_branch_block(shape: Shape, rng: Rng, strength: float) -> None:
    """QRS 110-119 ms, septal q gone, slurred upstroke."""
    shape.qrs = rng.uniform(0.110, 0.119)
    shape.vector[Q] = (0.12, 0.03, rng.uniform(-0.1, 0.1))
    shape.vector[R1] = shape.vector[R1] * (0.7, 0.7, 0.0) + (0.0, 0.0, rng.uniform(0.1, 0.4))
    shape.vector[[R2, S]] *= (0.85, 0.9, rng.uniform(1.1, 1.8))
    for wave, time, width in ((R1, 0.036, 0.012), (R2, 0.056, 0.012), (S, 0.074, 0.012), (RP, 0.092, 0.010)):
        shape.time[wave], shape.left[wave], shape.right[wave] = time, width, width
    shape.vector[RP] = (0.1, 0.0, 0.15)
    place_repolarisation(shape)
    shape.vector[[ST, T]] *= (rng.uniform(-0.2, 0.5), 0.7, 1.3)


def right_bundle_branch_block(shape: Shape, rng: Rng, strength: float) -> None:
    """QRS over 120 ms, rsR' in V1, broad S in I and V6, T away from the late vector."""
    shape.qrs = rng.uniform(0.124, 0.160)
    size = rng.uniform(0.7, 1.4)
    shape.vector[R2, 2] *= rng.uniform(-0.3, 0.8)
    shape.vector[S] *= (0.7, 0.8, rng.uniform(-0.5, 0.5))
    late = shape.qrs - 0.088
    shape.time[RP] = 0.066 + rng.uniform(0.35, 0.6) * late
    shape.left[RP], shape.right[RP] = 0.011 + 0.1 * late, 0.014 + 0.16 * late
    shape.vector[RP] = np.array((-0.36, rng.uniform(-0.15, 0.2), -0.50)) * size
    if rng.random() < 0.3:
        shape.vector[Q] *= (1.0, 1.0, 0.1)
    place_repolarisation(shape)
    shape.vector[ST] += np.array((0.04, 0.0, 0.09)) * size
    shape.vector[T] += np.array((0.06, 0.0, 0.27)) * size


def incomplete_right_bundle_branch_block(shape: Shape, rng: Rng, strength: float) -> None:
    """RSr' in V1, QRS under 120 ms."""
    shape.qrs = rng.uniform(0.096, 0.114)
    shape.vector[R2, 2] *= rng.uniform(0.4, 0.85)
    shape.vector[S] *= (0.9, 1.0, rng.uniform(0.15, 0.65))
    shape.time[RP], shape.left[RP], shape.right[RP] = shape.qrs - 0.018, 0.009, 0.012
    shape.vector[RP] = np.array(
        (-0.24 * rng.uniform(0.2, 1.3), rng.uniform(-0.25, 0.05), -0.12)
    ) * rng.uniform(0.5, 1.4)
    place_repolarisation(shape)
    shape.vector[T] += np.array((0.0, 0.0, rng.uniform(-0.03, 0.06)))


def left_anterior_fascicular_block(shape: Shape, rng: Rng, strength: float) -> None:
    """Axis -45 to -90: qR in I and aVL, rS in II, III, aVF, S to V6."""
    lift = rng.uniform(0.75, 1.15)
    shape.vector[Q] = (-0.18, 0.24 * rng.uniform(0.5, 1.3), shape.vector[Q, 2] * 0.8)
    shape.vector[R1] = (0.50, 0.10, shape.vector[R1, 2] * 0.8)
    shape.vector[R2] = (shape.vector[R2, 0] * 0.95, -0.72 * lift, shape.vector[R2, 2])
    shape.vector[S] = (0.05, -0.55 * lift, shape.vector[S, 2] * 0.9)
    shape.vector[RP] = (-0.12, -0.22 * lift, 0.1)
    _stretch(shape, rng.uniform(1.0, 1.15))


def left_posterior_fascicular_block(shape: Shape, rng: Rng, strength: float) -> None:
    """Axis +90 to +180: rS in I and aVL, qR in III and aVF."""
    shape.vector[Q] = (0.16, -0.24, shape.vector[Q, 2])
    shape.vector[R1] = (0.10, 0.35, shape.vector[R1, 2])
    shape.vector[R2] = (-0.15, 1.05 * rng.uniform(0.8, 1.2), shape.vector[R2, 2])
    shape.vector[S] = (-0.45, 0.5, shape.vector[S, 2])
    _stretch(shape, rng.uniform(1.0, 1.12))


def intraventricular_delay(shape: Shape, rng: Rng, strength: float) -> None:
    """QRS over 110 ms, slurred or notched, of neither bundle branch."""
    _stretch(shape, rng.uniform(1.1, 1.45))
    for wave in (R1, R2, S, RP):
        shape.vector[wave] = shape.vector[wave] * rng.uniform(0.6, 1.15, 3) + rng.normal(0, 0.12, 3)
    shape.time[[S, RP]] += rng.uniform(0.002, 0.014)
    shape.vector[T] *= rng.uniform(0.4, 1.0)


def preexcitation(shape: Shape, rng: Rng, strength: float) -> None:
    """Delta wave: slurred onset that shortens PR and widens QRS; discordant ST and T."""
    kinds = (
        (0.30, 0.30, -0.35),
        (0.34, -0.22, -0.25),
        (0.25, 0.30, 0.10),
        (0.30, -0.25, 0.10),
        (-0.15, 0.35, -0.35),
    )
    delta = np.array(kinds[int(rng.integers(len(kinds)))]) * rng.uniform(0.7, 1.4)
    delay = rng.uniform(0.030, 0.048)
    for wave in (Q, R1, R2, S, RP):
        shape.time[wave] += delay
    shape.vector[Q] *= 0.2
    shape.vector[R1] = 0.5 * shape.vector[R1] + 1.1 * delta
    shape.vector[R2] = 0.8 * shape.vector[R2] + 0.7 * delta
    shape.wave(D, 0.5 * delay + 0.008, 0.016, (0.0, 0.0, 0.0))
    shape.right[D] = 0.022
    shape.vector[D] = delta * 0.95
    shape.qrs += delay
    place_repolarisation(shape)
    shape.vector[ST] -= 0.16 * delta
    shape.vector[T] -= 0.45 * delta * rng.uniform(0.3, 1.5)


def left_ventricular_hypertrophy(shape: Shape, rng: Rng, strength: float) -> None:
    """Large leftward and posterior QRS; wide angle to T when strained (drawn apart)."""
    gain = 1 + rng.uniform(0.45, 0.95) * strength
    shape.vector[R1] *= (gain, 1.0, 0.9)
    shape.vector[R2] *= (gain, rng.uniform(0.55, 1.2), gain)
    shape.vector[S] *= (gain, 0.8, gain * 1.1)
    _stretch(shape, rng.uniform(1.02, 1.18))


def left_strain(shape: Shape, rng: Rng, strength: float) -> None:
    """Asymmetric T inversion and downsloping ST in I, aVL, V5, V6."""
    shape.vector[J] += np.array((-0.05, -0.02, -0.05)) * strength
    shape.vector[ST] += np.array((-0.11, -0.05, -0.07)) * strength
    shape.vector[T] = np.array((-0.24, -0.10, -0.30)) * strength * rng.uniform(0.6, 1.2)
    shape.left[T] *= 1.15
    shape.right[T] *= 0.8


def right_ventricular_hypertrophy(shape: Shape, rng: Rng, strength: float) -> None:
    """Dominant R in V1, deep S in V5 and V6, axis to the right; strain in V1 to V3."""
    s = strength * rng.uniform(0.6, 1.25)
    front = rng.choice([1.0, 0.35], p=[0.65, 0.35])
    shape.vector[Q] = (rng.uniform(-0.1, 0.05), -0.05, -0.15 - rng.uniform(-0.25, 0.15) * front)
    shape.vector[R1] = (0.48, 0.28, -0.30 * s * front)
    shape.vector[R2] = (0.45 - 0.4 * s * front, 0.60, 0.2 - 0.75 * s * front)
    shape.vector[S] = (-0.55 * s, 0.20, rng.uniform(-0.45, 0.2) * s * front)
    shape.vector[RP] = (-0.45 * s, -0.15, rng.uniform(-0.35, 0.05) * s)
    _stretch(shape, rng.uniform(1.0, 1.12))
    shape.vector[ST] += np.array((0.0, -0.02, 0.05)) * s * front
    shape.vector[T] = (0.24, rng.uniform(-0.05, 0.22), rng.uniform(-0.05, 0.26) * s * front)


def septal_hypertrophy(shape: Shape, rng: Rng, strength: float) -> None:
    """Deep narrow q inferiorly and laterally, tall R in V1 and V2."""
    shape.vector[Q] = np.array((-0.48, -0.32, -0.62)) * rng.uniform(0.7, 1.3) * strength
    shape.vector[R2] *= rng.uniform(1.1, 1.5)
    shape.vector[T] *= rng.uniform(0.2, 1.2)


def left_atrial_enlargement(shape: Shape, rng: Rng, strength: float) -> None:
    """P over 120 ms, notched in II, deep late negative part in V1."""
    later = rng.uniform(0.012, 0.030)
    shape.time[P2] += later
    shape.right[P2], shape.left[P2] = 0.023, 0.023
    shape.vector[P2] = np.array((0.085, 0.055, 0.095)) * rng.uniform(0.9, 1.4) * strength
    shape.vector[P1] *= 1.1


def right_atrial_enlargement(shape: Shape, rng: Rng, strength: float) -> None:
    """P over 0.25 mV and peaked in II, III, aVF; upright peak in V1."""
    shape.vector[P1] = np.array((0.03, 0.21, -0.12)) * rng.uniform(0.9, 1.35) * strength
    shape.vector[P2] = (0.03, 0.07, 0.02)
    shape.time[P1] = 0.044
    shape.left[P1] = shape.right[P1] = 0.018


def long_qt(shape: Shape, rng: Rng, strength: float) -> None:
    """QT well over 460 ms at a rate of 60: late or broad T."""
    shift = rng.uniform(0.06, 0.14)
    shape.time[[T, T2]] += shift
    shape.time[U] += shift + 0.05
    shape.left[T] *= rng.uniform(1.0, 1.7)
    shape.right[T] *= rng.uniform(1.0, 1.3)
    shape.vector[T] *= rng.uniform(0.6, 1.3)


def digitalis(shape: Shape, rng: Rng, strength: float) -> None:
    """Scooped ST depression, flat T, short QT."""
    shape.time[ST] += 0.012
    shape.left[ST], shape.right[ST] = 0.05, 0.04
    s = strength * rng.uniform(0.7, 1.3)
    shape.vector[J] += np.array((-0.03, -0.02, 0.0)) * s
    shape.vector[ST] += np.array((-0.15, -0.09, 0.03)) * s
    shape.vector[T] = np.array((0.07, 0.05, -0.08)) * rng.uniform(-0.5, 1.5)
    shape.time[[T, T2]] -= rng.uniform(0.01, 0.035)


def electrolyte(shape: Shape, rng: Rng, strength: float) -> None:
    """Hypokalaemia (flat T, large U), hypocalcaemia (long ST) or hyperkalaemia (tall narrow T)."""
    kind = rng.random()
    if kind < 0.55:
        shape.vector[T] *= rng.uniform(0.05, 0.4)
        shape.vector[U] = np.array((0.11, 0.07, -0.09)) * rng.uniform(0.7, 1.4)
        shape.time[U] -= 0.02
        shape.vector[ST] += (-0.05, -0.03, 0.02)
    elif kind < 0.75:
        shape.time[[T, T2, U]] += rng.uniform(0.06, 0.1)
        shape.vector[T] *= 0.6
    else:
        shape.vector[T] = np.array((0.55, 0.35, -0.45)) * rng.uniform(0.9, 1.4)
        shape.left[T] = shape.right[T] = 0.032
        shape.vector[[P1, P2]] *= 0.6


def _stretch(shape: Shape, factor: float) -> None:
    """Widen QRS in time."""
    waves = list(QRS)
    shape.time[waves] *= factor
    shape.left[waves] *= factor
    shape.right[waves] *= factor
    shape.qrs *= factor
    end = shape.qrs
    for wave, after in ((J, 0.015), (ST, 0.075), (T, 0.215), (T2, 0.28), (U, 0.39)):
        shape.time[wave] = end + after


SHAPERS: dict[str, Callable[[Shape, Rng, float], None]] = {
    "SEHYP": septal_hypertrophy,
    "LVH": left_ventricular_hypertrophy,
    "RVH": right_ventricular_hypertrophy,
    "LAFB": left_anterior_fascicular_block,
    "LPFB": left_posterior_fascicular_block,
    "IVCD": intraventricular_delay,
    "IRBBB": incomplete_right_bundle_branch_block,
    "CRBBB": right_bundle_branch_block,
    "ILBBB": incomplete_left_bundle_branch_block,
    "CLBBB": left_bundle_branch_block,
    "WPW": preexcitation,
    "LAO/LAE": left_atrial_enlargement,
    "RAO/RAE": right_atrial_enlargement,
    "LNGQT": long_qt,
    "DIG": digitalis,
    "EL": electrolyte,
}
"""In the order in which they are laid on a normal beat."""
