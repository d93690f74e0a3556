"""Randomness by key: what is drawn for a record depends on (seed, epoch, record) and on nothing else."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["augmentation_keys", "normals", "uniforms"]

Keys = npt.NDArray[np.uint64]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def augmentation_keys(seed: int, epoch: int, indices: Sequence[int] | npt.NDArray[np.integer]) -> Keys:
    """One key a record, ``(n,)`` uint64, the same in whatever batch, process or order the record comes.

    Args:
        seed: of the run.
        epoch: counted from zero.
        indices: the records' rows in their table.
    """
    start = _mix(np.array([seed % 2**64], dtype=np.uint64))
    start = _mix(start + np.uint64(epoch % 2**64))
    return _mix(start + np.asarray(indices).astype(np.uint64))


def uniforms(keys: Keys, stream: int, count: int) -> npt.NDArray[np.float64]:
    """Numbers uniform in [0, 1), ``(n, count)``; each `stream` of a key is independent of its others."""
    streams = _mix(keys + _mix(np.array([stream], dtype=np.uint64)))
    drawn = _mix(streams[:, None] + np.arange(count, dtype=np.uint64) * _STEP)
    result: npt.NDArray[np.float64] = (drawn >> np.uint64(11)) * 2.0**-53
    return result


def normals(keys: Keys, stream: int, count: int) -> npt.NDArray[np.float64]:
    """Standard normal numbers, ``(n, count)`` (Box and Muller 1958)."""
    drawn = uniforms(keys, stream, 2 * count)
    radius = np.sqrt(-2.0 * np.log1p(-drawn[:, :count]))
    result: npt.NDArray[np.float64] = radius * np.cos(2 * np.pi * drawn[:, count:])
    return result


def _mix(state: Keys) -> Keys:
    """One step of SplitMix64 (Steele, Lea and Flood 2014), for arrays: wraps modulo 2**64."""
    z = state + _STEP
    z = (z ^ (z >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    mixed: Keys = z ^ (z >> np.uint64(31))
    return mixed
