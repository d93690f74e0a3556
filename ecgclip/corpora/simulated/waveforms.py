"""A moving heart vector of Gaussian waves, and its projection to the twelve leads.

A beat is a fixed list of waves. Each wave is an asymmetric Gaussian in time with a direction in the body
(x to the left, y to the feet, z to the back; mV). The projection to I, II, V1..V6 is the matrix of Dower et
al. (Deriving the 12-lead electrocardiogram from four electrodes / the Frank leads, J Electrocardiol 1980;
its inverse: Edenbrandt & Pahlm, J Electrocardiol 1988). III, aVR, aVL and aVF follow from I and II by
Einthoven's and Goldberger's equations, so that III = II - I holds in every sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
Rng = np.random.Generator

DRAWN_LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
DOWER: Array = np.array(
    [
        [0.632, -0.235, 0.059],
        [0.235, 1.066, -0.132],
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ]
)

WAVES = ("P1", "P2", "D", "Q", "R1", "R2", "S", "RP", "J", "ST", "T", "T2", "U", "AS", "VS")
P1, P2, D, Q, R1, R2, S, RP, J, ST, T, T2, U, AS, VS = range(len(WAVES))
ATRIAL = (P1, P2, AS)
QRS = (D, Q, R1, R2, S, RP)
REPOLARISATION = (J, ST, T, T2, U)
WINDOW = (-0.45, 0.80)
"""Seconds round the onset of QRS in which a beat's waves are drawn."""


@dataclass
class Shape:
    """One kind of beat: fifteen waves, times relative to the onset of QRS.

    Args:
        time: (waves,) seconds; atrial waves are relative to the onset of P instead.
        left: (waves,) standard deviation before the peak, s.
        right: (waves,) standard deviation after the peak, s.
        vector: (waves, 3) mV along x, y, z.
        qrs: duration of QRS, s.
    """

    time: Array
    left: Array
    right: Array
    vector: Array
    qrs: float

    def copy(self) -> Shape:
        """An independent copy."""
        return Shape(self.time.copy(), self.left.copy(), self.right.copy(), self.vector.copy(), self.qrs)

    def wave(self, index: int, time: float, width: float, vector: tuple[float, float, float]) -> None:
        """Set a wave: peak ``time`` s, symmetric ``width`` s, ``vector`` mV."""
        self.time[index] = time
        self.left[index] = self.right[index] = width
        self.vector[index] = vector


def blank() -> Shape:
    """A shape whose waves are all zero."""
    n = len(WAVES)
    return Shape(np.zeros(n), np.full(n, 0.02), np.full(n, 0.02), np.zeros((n, 3)), 0.09)


def place_repolarisation(shape: Shape) -> None:
    """Put J, ST, T, T2 and U behind the end of QRS (seconds at a heart rate of 60)."""
    end = shape.qrs
    for index, (time, left, right) in {
        J: (end + 0.015, 0.022, 0.03),
        ST: (end + 0.075, 0.035, 0.045),
        T: (end + 0.215, 0.055, 0.036),
        T2: (end + 0.28, 0.03, 0.03),
        U: (end + 0.39, 0.035, 0.04),
    }.items():
        shape.time[index], shape.left[index], shape.right[index] = time, left, right


def normal_shape() -> Shape:
    """A textbook normal beat; see ``docs/simulator.md`` for the numbers."""
    shape = blank()
    shape.wave(P1, 0.036, 0.019, (0.040, 0.070, -0.040))
    shape.wave(P2, 0.066, 0.020, (0.065, 0.045, 0.040))
    shape.wave(Q, 0.016, 0.0065, (-0.13, -0.06, -0.16))
    shape.wave(R1, 0.030, 0.0085, (0.52, 0.30, -0.25))
    shape.wave(R2, 0.043, 0.0090, (0.92, 0.58, 0.31))
    shape.wave(S, 0.057, 0.0090, (0.20, 0.08, 0.58))
    shape.wave(RP, 0.071, 0.0080, (-0.17, -0.14, 0.20))
    place_repolarisation(shape)
    shape.vector[J] = (0.015, 0.01, -0.03)
    shape.vector[ST] = (0.03, 0.015, -0.05)
    shape.vector[T] = (0.26, 0.14, -0.18)
    shape.vector[U] = (0.015, 0.01, -0.012)
    return shape


def rotation(axis: int, degrees: float) -> Array:
    """Rotation matrix about x (0), y (1) or z (2)."""
    angle = np.deg2rad(degrees)
    c, s = float(np.cos(angle)), float(np.sin(angle))
    i, j = [k for k in range(3) if k != axis]
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = c
    matrix[i, j], matrix[j, i] = -s, s
    return matrix


def frontal_axis(amplitude: Array, shape: Shape) -> float:
    """Electrical axis of QRS in degrees, from the net areas in I and aVF of (waves, 8) amplitudes."""
    area = (shape.left + shape.right)[list(QRS), None] * amplitude[list(QRS)]
    one, two = area[:, 0].sum(), area[:, 1].sum()
    foot = two - one / 2
    return float(np.rad2deg(np.arctan2(foot * 2 / np.sqrt(3), one)))


@lru_cache(maxsize=8)
def _grid(fs: float) -> Array:
    return np.arange(int(np.floor(WINDOW[0] * fs)), int(np.ceil(WINDOW[1] * fs)) + 1) / fs


def draw_beats(
    onset: Array, time: Array, left: Array, right: Array, amplitude: Array, *, fs: float, n_times: int
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Add up the waves of all beats.

    Args:
        onset: (beats,) s, about which each beat's window lies.
        time: (beats, waves) peak of each wave relative to its onset, s.
        left: (beats, waves) standard deviation before the peak, s.
        right: (beats, waves) standard deviation after the peak, s.
        amplitude: (beats, waves, leads) mV.
        fs: Hz.
        n_times: length of the result.

    Returns:
        (leads, n_times) mV.
    """
    grid = _grid(fs).astype(np.float32)
    first = np.round(onset * fs).astype(np.int64)
    peak = (time + (onset - first / fs)[:, None]).astype(np.float32)
    away = grid[None, None, :] - peak[:, :, None]
    width = np.where(
        away < 0, (1 / left).astype(np.float32)[..., None], (1 / right).astype(np.float32)[..., None]
    )
    away *= width
    np.square(away, out=away)
    away *= np.float32(-0.5)
    np.exp(away, out=away)
    beats = np.matmul(amplitude.astype(np.float32).transpose(0, 2, 1), away)
    margin = 2 * len(grid)
    canvas = np.zeros((amplitude.shape[2], n_times + 2 * margin), dtype=np.float32)
    start = first + round(float(grid[0]) * fs) + margin
    for beat, begin in zip(beats, start, strict=True):
        if 0 <= begin <= canvas.shape[1] - beat.shape[1]:
            canvas[:, begin : begin + beat.shape[1]] += beat
    return canvas[:, margin : margin + n_times]


def twelve(drawn: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """(8, time) of I, II, V1..V6 to (12, time) in the usual order, by Einthoven and Goldberger."""
    one, two = drawn[0], drawn[1]
    return np.stack([one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2, *drawn[2:]])
