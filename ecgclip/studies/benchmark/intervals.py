"""The row that needs no learning: rate, intervals and axis of a recording, as neurokit2 delineates lead II."""

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecgclip.corpora import Store
from ecgclip.corpora.processes import spread
from ecgclip.signals import Prepared

from .cache import Arrays, Cache

__all__ = ["INTERVALS", "VERSION", "interval_features", "intervals"]

INTERVALS = (
    "rate_per_min",
    "rr_sd_s",
    "rr_successive_s",
    "p_s",
    "pr_s",
    "qrs_s",
    "qt_s",
    "qtc_s",
    "axis_sin",
    "axis_cos",
    "t_axis_sin",
    "t_axis_cos",
)
VERSION = "neurokit2-dwt-1"

_PART = 64  # recordings that a process takes at a time
_I, _II, _AVF = 0, 1, 5


def intervals(prepared: Prepared) -> npt.NDArray[np.float64]:
    """``(len(INTERVALS),)`` of one recording: seconds, beats a minute, sine and cosine of axes; NaN where unknown.

    P, QRS and QT are medians over the beats of lead II by neurokit2's wavelet method (Martinez et al. 2004), QTc
    by Fridericia; axes are those of the areas of leads I and aVF from 50 ms before to 50 ms after the R-peak, and
    from 150 to 350 ms after it.
    """
    found = np.full(len(INTERVALS), np.nan)
    rr = np.diff(prepared.beats)
    if rr.size:
        found[0] = 60.0 / np.median(rr)
    if rr.size > 1:
        found[1], found[2] = rr.std(), np.sqrt(np.mean(np.diff(rr) ** 2))
    found[3:7] = _delineated(prepared)
    if rr.size:
        found[7] = found[6] / np.cbrt(np.median(rr))
    for place, (start, stop) in ((8, (-0.05, 0.05)), (10, (0.15, 0.35))):
        lateral, foot = (_area(prepared, lead, start, stop) for lead in (_I, _AVF))
        length = np.hypot(lateral, foot)
        if length > 0:
            found[place], found[place + 1] = foot / length, lateral / length
    return found


def _delineated(prepared: Prepared) -> npt.NDArray[np.float64]:
    """P duration, PR, QRS and QT in seconds; NaN where the delineation fails."""
    from neurokit2.ecg.ecg_delineate import ecg_delineate

    fs = prepared.fs
    nothing = np.full(4, np.nan)
    if not prepared.lead_mask[_II] or prepared.beats.size < 3:
        return nothing
    peaks = np.round(prepared.beats * fs).astype(np.int64)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            waves = ecg_delineate(prepared.signal[_II].astype(np.float64), peaks, round(fs), method="dwt")[1]
            wave = {name: np.asarray(times, dtype=np.float64)[: peaks.size] for name, times in waves.items()}
            p_on, p_off = wave["ECG_P_Onsets"], wave["ECG_P_Offsets"]
            r_on, r_off, t_off = wave["ECG_R_Onsets"], wave["ECG_R_Offsets"], wave["ECG_T_Offsets"]
            spans = (p_off - p_on, r_on - p_on, r_off - r_on, t_off - r_on)
            return np.array([np.nanmedian(span) for span in spans]) / fs
    except Exception:  # noqa: BLE001 - neurokit2 raises whatever it meets in a recording it cannot read
        return nothing


def _area(prepared: Prepared, lead: int, start: float, stop: float) -> float:
    """Median over beats of a lead's area about the R-peak; NaN without the lead or a whole beat."""
    fs, n_times = prepared.fs, prepared.signal.shape[1]
    if not prepared.lead_mask[lead]:
        return float("nan")
    peaks = np.round(prepared.beats * fs).astype(np.int64)
    first, last = round(start * fs), round(stop * fs)
    peaks = peaks[(peaks + first >= 0) & (peaks + last < n_times)]
    if not peaks.size:
        return float("nan")
    around = peaks[:, None] + np.arange(first, last + 1)
    return float(np.median(prepared.signal[lead][around].sum(axis=1)) / fs)


def interval_features(
    store: Store,
    cache: Cache,
    *,
    workers: int = 1,
    tell: Callable[[int], None] | None = None,
) -> npt.NDArray[np.float64]:
    """`intervals` of every recording of a store, ``(n, len(INTERVALS))``, NaN where unknown.

    Args:
        store: the recordings.
        cache: keeps what is done, a part of the store at a time: a killed run goes on there.
        workers: processes; 1 stays in this one.
        tell: told how many recordings are done.
    """
    parts = [range(k, min(k + _PART, len(store))) for k in range(0, len(store), _PART)]

    def facts(rows: range) -> dict[str, Any]:
        return {"store": store.hash, "features": VERSION, "rows": [rows.start, rows.stop]}

    todo = [rows for rows in parts if not cache.has("intervals", facts(rows))]
    done = len(store) - sum(map(len, todo))
    jobs = ((rows, (store.path, rows)) for rows in todo)
    processes = min(workers, len(todo))
    for rows, values in spread(_part, jobs, processes) if processes > 1 else map(_here, jobs):
        cache.arrays("intervals", facts(rows), partial(dict, values=values))
        done += len(rows)
        if tell is not None:
            tell(done)
    kept = [cache.arrays("intervals", facts(rows), partial(_again, store, rows))["values"] for rows in parts]
    return np.concatenate(kept) if kept else np.zeros((0, len(INTERVALS)))


_OPEN: dict[Path, Any] = {}


def _part(job: tuple[Path, range]) -> npt.NDArray[np.float64]:
    """Intervals of some recordings of a store."""
    path, rows = job
    if path not in _OPEN:
        _OPEN[path] = Store.open(path)
    return np.stack([intervals(_OPEN[path].prepared(k)) for k in rows])


def _here(job: tuple[range, tuple[Path, range]]) -> tuple[range, npt.NDArray[np.float64]]:
    return job[0], _part(job[1])


def _again(store: Store, rows: range) -> Arrays:
    """What a damaged file of the cache held."""
    return {"values": _part((store.path, rows))}
