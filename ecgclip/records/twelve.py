"""The twelve leads of a recording, in order, with a mask of those that are really there."""

import numpy as np
from numpy.typing import NDArray

from ecgclip.errors import DataError

from .leads import LEADS, canonical_lead
from .record import ECGRecord

__all__ = ["twelve_leads"]

_MOST_GAPS = 0.5
_ROW = {lead: row for row, lead in enumerate(LEADS)}
# Einthoven (1913) and Goldberger (1942): each limb lead as a * I + b * II.
_FROM_I_AND_II = {"III": (-1.0, 1.0), "aVR": (-0.5, -0.5), "aVL": (1.0, -0.5), "aVF": (-0.5, 1.0)}


def twelve_leads(record: ECGRecord) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Lay out a recording as the twelve standard leads.

    Gaps are bridged by straight lines (held at the ends). A lead with more than half its samples missing, and
    a flat lead, count as missing. A missing III, aVR, aVL or aVF is computed where I and II are there
    (III = II - I, aVR = -(I + II) / 2, aVL = I - II / 2, aVF = II - I / 2). Extra leads are left out.

    Args:
        record: any recording.

    Returns:
        The signal ``(12, n_times)`` float32 in mV, in the order of ``LEADS``, zero where a lead is missing;
        and ``lead_mask (12,)``, true where a lead is present.

    Raises:
        DataError: none of the twelve leads is named, or none of those named is alive.
    """
    names = [canonical_lead(name) for name in record.lead_names]
    source = [row for row, name in enumerate(names) if name is not None]
    if not source:
        raise DataError(
            f"record {record.record_id}: none of the twelve leads is among {', '.join(record.lead_names)}; "
            "state lead_names"
        )
    target = [_ROW[name] for name in names if name is not None]
    signal = np.zeros((len(LEADS), record.signal.shape[1]), dtype=np.float32)
    signal[target] = record.signal[source]
    lead_mask = np.zeros(len(LEADS), dtype=bool)
    lead_mask[target] = True
    _bridge_gaps(signal, lead_mask)
    lead_mask &= signal.min(axis=1) < signal.max(axis=1)
    if not lead_mask.any():
        named = ", ".join(name for name in names if name is not None)
        raise DataError(f"record {record.record_id}: every one of its leads {named} is flat or mostly gaps")
    _derive_limb_leads(signal, lead_mask)
    signal[~lead_mask] = 0.0
    return signal, lead_mask


def _bridge_gaps(signal: NDArray[np.float32], lead_mask: NDArray[np.bool_]) -> None:
    """Fill the NaN of each lead in place; a lead that is mostly NaN becomes zero and leaves the mask."""
    for row in np.flatnonzero(np.isnan(signal.min(axis=1))):
        gap = np.isnan(signal[row])
        if gap.mean() > _MOST_GAPS:
            signal[row] = 0.0
            lead_mask[row] = False
            continue
        times = np.arange(gap.size)
        signal[row, gap] = np.interp(times[gap], times[~gap], signal[row, ~gap])


def _derive_limb_leads(signal: NDArray[np.float32], lead_mask: NDArray[np.bool_]) -> None:
    """Compute the limb leads that are missing, in place, where I and II are present."""
    if not (lead_mask[0] and lead_mask[1]):
        return
    for lead, (of_i, of_ii) in _FROM_I_AND_II.items():
        row = _ROW[lead]
        if not lead_mask[row]:
            signal[row] = np.float32(of_i) * signal[0] + np.float32(of_ii) * signal[1]
            lead_mask[row] = bool(signal[row].min() < signal[row].max())
