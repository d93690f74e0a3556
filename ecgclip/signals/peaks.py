"""R-peaks of a multi-lead recording, by neurokit2's method on one lead made of all.

A QRS complex is steep in most leads at once; an artefact is steep in one. The detection lead is therefore
the median over the leads, each at unit variance, of their absolute slope. What the gradient's threshold finds
there is thinned out (pacing spikes before their QRS, notches) and moved to the local extremum.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["gradient_peaks", "r_peaks"]

FloatArray = npt.NDArray[np.float32]
Array = npt.NDArray[np.floating[Any]]
Positions = npt.NDArray[np.int64]

_QUIETEST_MV = 0.02  # a lead's standard deviation is taken as no smaller: noise is not blown up
_SLOPE_S = 0.04  # smoothing of the detection lead
_CONTRAST = (
    1.5  # power of the detection lead: without it a wide-complex tachycardia has no quiet to stand out of
)
_THRESHOLD = 1.2  # the gradient over its running mean
_DELAY_S = 0.12  # between two candidates
_GRADIENT_S = 0.1  # running mean of the gradient
_AROUND_S = 0.75  # running mean that the gradient is held against
_SHORTEST = 0.4  # of the mean stretch above the threshold; shorter ones are passed over
_STRENGTH_S = 0.09  # width over which the steepness of a candidate is measured: a QRS, not a spike
_WEAKEST = 0.3  # of the record's median steepness; weaker candidates are T waves, P waves and noise in pauses
_FAINTEST = 2.0  # standard deviations a second: what nowhere gets steeper has no QRS
_CLOSEST_S = 0.25  # of two candidates closer than this the steeper one stays: 240 beats a minute
_EDGE_S = 0.03  # a peak nearer to an end than this may be the flank of a complex cut off
_REACH_S = 0.08  # how far the extremum may lie from the candidate


def r_peaks(signal: FloatArray, lead_mask: npt.NDArray[np.bool_], fs: float) -> FloatArray:
    """Times of the R-peaks in seconds, ascending; empty where none is found.

    The peak is where the leads deviate most from their local mean, whatever their sign. A beat within
    0.03 s of either end is left out. Detection: `gradient_peaks`.

    Args:
        signal: ``(12, time)`` mV at `fs`, band-passed.
        lead_mask: ``(12,)`` true where the lead is present.
        fs: samples a second.
    """
    live = signal[lead_mask]
    n_times = live.shape[1]
    if live.shape[0] == 0 or n_times < fs / 2:
        return np.zeros(0, dtype=np.float32)
    level = _smooth(live, fs)
    level = (live - level) / np.maximum(live.std(axis=1, keepdims=True), _QUIETEST_MV)
    margin = min(int(fs), n_times - 1)
    slope = np.pad(np.median(np.abs(np.gradient(level, axis=1)), axis=0), margin, mode="reflect")
    lead = np.maximum(_smooth(slope, _SLOPE_S * fs), 0.0) ** _CONTRAST
    found = _inside(gradient_peaks(lead, fs, threshold=_THRESHOLD, delay=_DELAY_S) - margin, n_times)
    steepness = _smooth(slope, _STRENGTH_S * fs)[found + margin]
    if not found.size or steepness.max() * fs < _FAINTEST:
        return np.zeros(0, dtype=np.float32)
    kept = _thin_out(found, steepness, _CLOSEST_S * fs)
    kept = kept[steepness[kept] >= _WEAKEST * np.median(steepness[kept])]
    peaks = _to_extremum(found[kept], np.abs(level).mean(axis=0), round(_REACH_S * fs))
    peaks = peaks[(peaks >= _EDGE_S * fs) & (peaks < n_times - _EDGE_S * fs)]
    times: FloatArray = (peaks / fs).astype(np.float32)
    return times


def gradient_peaks(lead: Array, fs: float, *, threshold: float = 1.5, delay: float = 0.3) -> Positions:
    """Positions of the peaks of one lead, ascending, by the method that neurokit2 calls its own.

    The smoothed absolute gradient is held against ``threshold`` times its running mean (Makowski et al. 2021,
    ``ecg_findpeaks(method="neurokit")``); of each stretch above, the most prominent local maximum is a peak
    unless it follows the last one within ``delay``. Here without that package, whose import takes longer than
    classifying a recording; a test holds the two together.

    Args:
        lead: ``(time,)``, at least 0.75 s.
        fs: samples a second.
        threshold: the gradient over its running mean.
        delay: seconds between two peaks.
    """
    from scipy.ndimage import uniform_filter1d

    gradient = uniform_filter1d(np.abs(np.gradient(lead)), round(_GRADIENT_S * fs), mode="nearest")
    above = gradient > threshold * uniform_filter1d(gradient, round(_AROUND_S * fs), mode="nearest")
    starts, stops = np.flatnonzero(~above[:-1] & above[1:]), np.flatnonzero(above[:-1] & ~above[1:])
    if not starts.size:
        return np.zeros(0, dtype=np.int64)
    stops = stops[stops > starts[0]]
    count = min(starts.size, stops.size)
    starts, stops = starts[:count], stops[:count]
    long = stops - starts >= _SHORTEST * np.mean(stops - starts) if count else np.zeros(0, dtype=bool)
    peaks, last = [], 0
    for start, stop in zip(starts[long].tolist(), stops[long].tolist(), strict=True):
        peak = _most_prominent(lead[start:stop].tolist())
        if peak is not None and start + peak - last > round(delay * fs):
            last = start + peak
            peaks.append(last)
    return np.array(peaks, dtype=np.int64)


def _most_prominent(values: list[float]) -> int | None:
    """Position of the local maximum that stands highest over its surroundings; the first of several.

    A plateau counts at its middle. Prominence is the height over the higher of the two lowest values met on
    the way to higher ground, or to the end, on either side. A stretch is a few samples long, so a plain loop
    is faster than a general search.
    """
    best, height = None, -1.0
    at, last = 1, len(values) - 1
    while at < last:
        stop = at + 1
        if values[at - 1] < values[at]:
            while stop < last and values[stop] == values[at]:
                stop += 1
            if values[stop] < values[at]:
                base = max(_lowest_way(values, at, -1), _lowest_way(values, at, 1))
                if values[at] - base > height:
                    best, height = (at + stop - 1) // 2, values[at] - base
        at = stop
    return best


def _lowest_way(values: list[float], at: int, step: int) -> float:
    """Lowest value from ``at`` on in steps of ``step``, until one is higher than that at ``at``."""
    top = lowest = values[at]
    while 0 <= at < len(values) and values[at] <= top:
        lowest = min(lowest, values[at])
        at += step
    return lowest


def _smooth(rows: Array, width: float) -> npt.NDArray[np.float64]:
    """Running mean over `width` samples along time, ends mirrored."""
    from scipy.ndimage import uniform_filter1d

    result: npt.NDArray[np.float64] = uniform_filter1d(rows, max(1, round(width)), axis=-1, output=np.float64)
    return result


def _inside(found: Positions, n_times: int) -> Positions:
    """Candidates in the mirrored ends brought back to what they mirror: an end's beat may show only there."""
    found = np.abs(found)
    return np.unique(np.where(found >= n_times, 2 * (n_times - 1) - found, found))


def _thin_out(found: Positions, steepness: Array, closest: float) -> Positions:
    """Which of the candidates stay when of two that are too close the steeper one does."""
    kept: list[int] = []
    for candidate in range(found.size):
        if not kept or found[candidate] - found[kept[-1]] >= closest:
            kept.append(candidate)
        elif steepness[candidate] > steepness[kept[-1]]:
            kept[-1] = candidate
    return np.array(kept, dtype=np.int64)


def _to_extremum(found: Positions, deviation: Array, reach: int) -> Positions:
    """Move each candidate to the largest deviation within `reach`."""
    if not found.size:
        return found
    around = found[:, None] + np.arange(-reach, reach + 1)
    inside = np.clip(around, 0, deviation.size - 1)
    return np.unique(inside[np.arange(found.size), np.argmax(deviation[inside], axis=1)])
