"""R-peaks of a multi-lead recording, by neurokit2 on one lead made of all."""

import numpy as np
import numpy.typing as npt

__all__ = ["r_peaks"]

FloatArray = npt.NDArray[np.float32]


def r_peaks(signal: FloatArray, lead_mask: npt.NDArray[np.bool_], fs: float) -> FloatArray:
    """Times of the R-peaks in seconds, ascending; empty where none is found.

    Args:
        signal: ``(12, time)`` mV at `fs`, band-passed.
        lead_mask: ``(12,)`` true where the lead is present.
        fs: samples a second.
    """
    live = signal[lead_mask]
    if live.shape[0] == 0 or live.shape[1] < fs:
        return np.zeros(0, dtype=np.float32)
    from neurokit2.ecg.ecg_findpeaks import ecg_findpeaks

    lead = np.sqrt(np.mean(np.square(live), axis=0, dtype=np.float64))
    found = ecg_findpeaks(lead, sampling_rate=fs, method="neurokit")["ECG_R_Peaks"]
    return (np.asarray(found, dtype=np.float64) / fs).astype(np.float32)
