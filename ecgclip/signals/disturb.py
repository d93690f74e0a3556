"""What an electrode picks up besides the heart: baseline wander, mains, muscle; keyed by record."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch

from .keys import Keys, uniforms

__all__ = ["disturbances"]

Array = npt.NDArray[np.float64]

_WANDER, _MAINS, _MUSCLE = 16, 17, 18  # streams of a record's key
_N_ELECTRODES = 9
_WANDER_WEIGHTS = np.array([0.8, 0.5, 0.33])  # of the sinusoids, slowest first; their squares add to one
_WANDER_HZ = np.array([[0.1, 0.25], [0.2, 0.45], [0.4, 0.7]])
_MUSCLE_HZ = (5.0, 40.0)
_N_MUSCLE = 4  # independent sources a record
_BANK_SEED = 20_230_517
_BANK_SIZE = 1 << 17


def disturbances(
    keys: Keys,
    n_times: int,
    fs: float,
    device: torch.device,
    wander_mv: float,
    mains_mv: float,
    muscle_mv: float,
) -> tuple[Array, torch.Tensor]:
    """Few time courses a record, and how strongly each electrode picks each up.

    A strength is the largest of the standard deviations (over leads and time, mV) that are drawn; mains is
    an amplitude. What is off, and mains above ``0.45 fs``, takes no course and no time.

    Returns:
        The mixing ``(batch, 9, courses)`` in mV over RA, LA, LL, V1..V6, and the courses
        ``(batch, courses, time)`` on `device`.
    """
    mixing: list[Array] = [np.zeros((len(keys), _N_ELECTRODES, 0))]
    courses = [torch.zeros(len(keys), 0, n_times, device=device)]
    if wander_mv > 0:
        drawn = uniforms(keys, _WANDER, 7)
        hertz = _WANDER_HZ[:, 0] + drawn[:, 1:4] * np.diff(_WANDER_HZ, axis=1)[:, 0]
        level = wander_mv * drawn[:, :1] * np.sqrt(2.0)
        mixing.append(_pickup(keys, _WANDER + 8, 3) * (level * _WANDER_WEIGHTS)[:, None])
        courses.append(_sinusoids(hertz, drawn[:, 4:], n_times, fs, device))
    if mains_mv > 0 and 0.45 * fs >= 60.0:
        drawn = uniforms(keys, _MAINS, 3)
        hertz = np.where(drawn[:, 1:2] < 0.5, 50.0, 60.0)
        mixing.append(_pickup(keys, _MAINS + 8, 1) * (mains_mv * drawn[:, :1])[:, None])
        courses.append(_sinusoids(hertz, drawn[:, 2:], n_times, fs, device))
    if muscle_mv > 0:
        drawn = uniforms(keys, _MUSCLE, 1 + _N_MUSCLE)
        level = muscle_mv * drawn[:, :1] / np.sqrt(_N_MUSCLE)
        mixing.append(_pickup(keys, _MUSCLE + 8, _N_MUSCLE) * level[:, None])
        courses.append(_muscle(drawn[:, 1:], n_times, fs, device))
    return np.concatenate(mixing, axis=2), torch.cat(courses, dim=1)


def _pickup(keys: Keys, stream: int, count: int) -> Array:
    """Signed weights ``(batch, 9, count)`` such that a limb lead, a difference of two, has variance one."""
    drawn = uniforms(keys, stream, _N_ELECTRODES * count).reshape(len(keys), _N_ELECTRODES, count)
    weights: Array = np.sqrt(6.0) * (drawn - 0.5)
    return weights


def _sinusoids(hertz: Array, phase: Array, n_times: int, fs: float, device: torch.device) -> torch.Tensor:
    """Unit sinusoids ``(batch, count, time)``; `phase` is in turns."""
    step = torch.from_numpy((2 * np.pi / fs * hertz).astype(np.float32)).to(device)[:, :, None]
    start = torch.from_numpy((2 * np.pi * phase).astype(np.float32)).to(device)[:, :, None]
    return torch.sin(start + step * torch.arange(n_times, device=device))


def _muscle(where: Array, n_times: int, fs: float, device: torch.device) -> torch.Tensor:
    """Stretches of the noise bank, ``(batch, count, time)``; `where` in [0, 1) says where each starts.

    The bank is periodic and always as long, so a record's noise does not hang on the length of its batch.
    """
    bank = _muscle_bank(fs, device).repeat(2 + n_times // _BANK_SIZE)
    start = torch.from_numpy((where * _BANK_SIZE).astype(np.int64)).to(device)
    return bank.unfold(0, n_times, 1).index_select(0, start.reshape(-1)).view(*where.shape, n_times)


@lru_cache(maxsize=8)
def _muscle_bank(fs: float, device: torch.device) -> torch.Tensor:
    """Noise of 5 to 40 Hz in bursts of seconds, standard deviation one, the same in every process."""
    generator = np.random.default_rng(_BANK_SEED)
    hertz = np.fft.rfftfreq(_BANK_SIZE, 1 / fs)

    def coloured(low: float, high: float) -> Array:
        band = (hertz >= low) & (hertz <= high)
        spectrum = (generator.standard_normal(hertz.size) + 1j * generator.standard_normal(hertz.size)) * band
        course: Array = np.fft.irfft(spectrum, _BANK_SIZE)
        course /= course.std()
        return course

    bursts = np.exp(0.5 * coloured(0.05, 0.5))
    noise = coloured(_MUSCLE_HZ[0], min(_MUSCLE_HZ[1], 0.45 * fs)) * bursts
    return torch.from_numpy((noise / noise.std()).astype(np.float32)).to(device)
