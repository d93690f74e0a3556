"""What electrodes add: baseline wander, muscle noise, steps and powerline, electrode by electrode.

Noise is drawn at the nine electrodes (RA, LA, LL, C1..C6) and taken through the same differences as a real
recorder's, so that Einthoven's law still holds and a loose right arm spoils every lead.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from .waveforms import Array, Rng

Signal = np.ndarray[Any, np.dtype[np.float32]]

_CONTROL_S = 1.25
"""Spacing of the control points of baseline wander: nothing above about 0.4 Hz."""


@lru_cache(maxsize=8)
def _bumps(n_times: int, fs: float) -> Signal:
    """(controls, n_times) smooth bumps; a random sum of them is baseline wander."""
    t = np.arange(n_times) / fs
    centre = np.arange(-_CONTROL_S, n_times / fs + 2 * _CONTROL_S, _CONTROL_S)
    return np.asarray(
        np.exp(-0.5 * ((t[None] - centre[:, None]) / (0.8 * _CONTROL_S)) ** 2), dtype=np.float32
    )


def electrodes_to_leads(electrodes: Signal) -> Signal:
    """(9, time) at RA, LA, LL, C1..C6 to (8, time) of I, II, V1..V6 against Wilson's terminal."""
    right, left, foot = electrodes[0], electrodes[1], electrodes[2]
    terminal = (right + left + foot) / 3
    return np.concatenate([(left - right)[None], (foot - right)[None], electrodes[3:] - terminal])


def draw_noise(rng: Rng, *, n_times: int, fs: float, breath_hz: float) -> Signal:
    """Noise of one recording, (8, n_times) mV.

    Args:
        rng: the record's generator.
        n_times: samples.
        fs: Hz.
        breath_hz: respiration, which moves the baseline of all electrodes together.
    """
    level = float(np.exp(rng.normal(np.log(0.0038), 0.7)))
    loose = np.exp(rng.normal(0.0, 0.35, size=(9, 1)))
    muscle = loose * np.array([1.3, 1.3, 1.0, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6])[:, None]
    noise = rng.standard_normal((9, n_times), dtype=np.float32)
    noise[:, 1:] += np.float32(rng.uniform(-0.3, 0.5)) * noise[:, :-1]
    noise *= (level * muscle).astype(np.float32)
    if rng.random() < 0.15:
        centre, width = rng.uniform(0, n_times), rng.uniform(0.05, 0.25) * n_times
        burst = 1 + rng.uniform(1, 4) * np.exp(-0.5 * ((np.arange(n_times) - centre) / width) ** 2)
        noise *= burst.astype(np.float32)
    bumps = _bumps(n_times, fs)
    wander = float(np.exp(rng.normal(np.log(0.04), 0.7)))
    noise += (wander * loose * rng.standard_normal((9, len(bumps)))).astype(np.float32) @ bumps
    phase = 2 * np.pi * (breath_hz * np.arange(n_times) / fs + rng.random())
    noise += ((wander * 0.5) * rng.standard_normal((9, 1))).astype(np.float32) * np.sin(phase).astype(
        np.float32
    )
    if rng.random() < 0.04:
        noise[rng.integers(9), rng.integers(n_times) :] += np.float32(rng.normal(0, 0.3))
    if fs > 110.0:
        hum = float(np.exp(rng.normal(np.log(0.004), 0.9)))
        mains = np.sin(2 * np.pi * (50.0 * np.arange(n_times) / fs + rng.random())).astype(np.float32)
        noise += (hum * rng.standard_normal((9, 1))).astype(np.float32) * mains
    return electrodes_to_leads(noise)


def fibrillation(rng: Rng, *, n_times: int, fs: float, coarse: float) -> Signal:
    """Fibrillatory waves, (8, n_times) mV: 4 to 9 a second, wandering in rate and size, largest in V1."""
    t = np.arange(n_times) / fs
    out = np.zeros((8, n_times))
    weight = np.array([0.3, 0.7, 1.0, 0.6, 0.35, 0.25, 0.2, 0.2])
    for _ in range(3):
        rate = rng.uniform(4.8, 7.8)
        drift = np.cumsum(rng.normal(0, 1.0, n_times)) * np.sqrt(1 / fs)
        phase = 2 * np.pi * (rate * t + rng.random()) + 1.6 * drift
        size = 1 + 0.6 * np.sin(2 * np.pi * (rng.uniform(0.1, 0.6) * t + rng.random()))
        wave = size * (np.sin(phase) + 0.3 * np.sin(2 * phase + 0.7))
        out += (weight * rng.normal(1, 0.4, 8))[:, None] * wave
    return np.asarray(out * coarse / 3.0, dtype=np.float32)


def flutter(rng: Rng, *, n_times: int, fs: float, rate_hz: float, phase: float, size: float) -> Signal:
    """Flutter waves, (8, n_times) mV: a sawtooth, negative in the inferior leads, upright in V1 (typical)."""
    t = np.arange(n_times) / fs
    turn = np.mod(rate_hz * t + phase, 1.0)
    fall = rng.uniform(0.55, 0.72)
    saw = np.where(turn < fall, 1 - 2 * turn / fall, -1 + 2 * (turn - fall) / (1 - fall))
    soft = np.convolve(np.pad(saw, 8, mode="edge"), np.hanning(9) / np.hanning(9).sum(), mode="same")[8:-8]
    sign = -1.0 if rng.random() < 0.2 else 1.0
    pulse = np.exp(-0.5 * ((turn - 0.5) / 0.12) ** 2)
    weight: Array = np.array([0.15, 1.0, 0.0, -0.1, 0.05, 0.1, 0.2, 0.2])
    out = sign * weight[:, None] * soft
    out[2] += sign * pulse * rng.uniform(0.5, 1.0)
    out[3] += sign * pulse * 0.4
    return np.asarray(out * size, dtype=np.float32)
