"""Signal augmentation: keyed by record, one matrix product over the batch, on CPU and CUDA.

Everything linear in the leads (gain, axis jitter, lead masking) is one ``(12, 12)`` matrix a record; every
disturbance (wander, mains, muscle) is a few time courses mixed into the electrodes. Both are applied by one
batched product ``[matrix | mixing] @ [signal ; courses]``.
"""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch

from ecgclip.errors import UsageError

from .batch import SignalBatch
from .dipole import ELECTRODES_TO_LEADS, axis_jitter
from .disturb import disturbances
from .keys import Keys, normals, uniforms

__all__ = ["Augmentation"]

Array = npt.NDArray[np.float64]

_SHIFT, _GAIN, _AXIS, _LEADS = range(4)  # streams of a record's key


@dataclass(frozen=True)
class Augmentation:
    """Disturbs a batch as electrodes, bodies and rooms do. Every strength may be 0, which is off.

    What is drawn for one effect does not depend on which others are on. Gains of limb leads are equal and
    disturbances enter at the electrodes, so III = II - I and its kin hold afterwards.

    Attributes:
        shift_s: largest shift in time, seconds either way. Samples shifted in are zero and masked; those
            shifted beyond the recording's end are lost, padded or not; beats shift along, and those that
            leave are masked.
        gain: gain of the record is log-uniform between ``1 / (1 + gain)`` and ``1 + gain``.
        lead_gain: the same for each of V1..V6 on top of the record's.
        wander_mv: largest baseline wander (standard deviation over leads, mV): three sinusoids, 0.1-0.7 Hz.
        mains_mv: largest amplitude of 50 or 60 Hz, mV. Off where that is above ``0.45 fs``: a model at
            100 Hz never sees the mains.
        muscle_mv: largest muscle noise (standard deviation, mV), 5-40 Hz, in bursts.
        lead_drop: chance of each lead to be masked; one lead always stays.
        axis_deg: standard deviation of the dipole's rotation about each axis, degrees.
    """

    shift_s: float = 1.0
    gain: float = 0.4
    lead_gain: float = 0.1
    wander_mv: float = 0.2
    mains_mv: float = 0.02
    muscle_mv: float = 0.05
    lead_drop: float = 0.1
    axis_deg: float = 15.0

    def __post_init__(self) -> None:
        for field in fields(self):
            if not 0 <= getattr(self, field.name) < float("inf"):
                raise UsageError(
                    f"augmentation: {field.name} is {getattr(self, field.name)!r}, expected 0 (off) or more"
                )
        if self.lead_drop >= 1:
            raise UsageError(f"augmentation: lead_drop is {self.lead_drop!r}, expected a chance below 1")

    @torch.no_grad()
    def __call__(self, batch: SignalBatch, keys: Keys) -> SignalBatch:
        """Augment a batch; the input is left as it is.

        Args:
            batch: ``(batch, 12, time)`` recordings on any device.
            keys: ``(batch,)`` uint64 from `augmentation_keys`; the same key disturbs a recording in the
                same way in whatever batch.

        Raises:
            UsageError: when there is not one key a recording.
        """
        if keys.shape != (len(batch),):
            raise UsageError(f"augmentation: {len(batch)} recordings need as many keys, and got {keys.shape}")
        device, n_times = batch.signal.device, batch.signal.shape[2]
        shift = torch.from_numpy(self._shift(keys, batch.fs)).to(device)
        time_mask = shift_rows(batch.time_mask, shift) & batch.time_mask
        lead_mask = batch.lead_mask.cpu().numpy()
        keep = self._kept_leads(keys, lead_mask)
        electrodes, courses = disturbances(
            keys, n_times, batch.fs, device, self.wander_mv, self.mains_mv, self.muscle_mv
        )
        mixing = np.concatenate(
            [self._lead_matrix(keys, lead_mask), ELECTRODES_TO_LEADS @ electrodes], axis=2
        )
        mixing *= keep[:, :, None]
        stacked = batch.signal.new_empty(len(batch), mixing.shape[2], n_times)
        torch.mul(shift_rows(batch.signal, shift), time_mask[:, None], out=stacked[:, :12])
        torch.mul(courses, time_mask[:, None], out=stacked[:, 12:])
        with torch.autocast(device.type, enabled=False):
            signal = torch.bmm(torch.from_numpy(mixing.astype(np.float32)).to(device), stacked)
        beats, beat_mask = shift_beats(batch, shift, time_mask)
        return SignalBatch(signal, torch.from_numpy(keep).to(device), time_mask, beats, beat_mask, batch.fs)

    def _shift(self, keys: Keys, fs: float) -> npt.NDArray[np.int64]:
        """Whole samples to the right, ``(batch,)``."""
        largest = self.shift_s * fs
        return np.rint((2 * uniforms(keys, _SHIFT, 1)[:, 0] - 1) * largest).astype(np.int64)

    def _lead_matrix(self, keys: Keys, lead_mask: npt.NDArray[np.bool_]) -> Array:
        """Axis jitter, then gains: ``(batch, 12, 12)``."""
        angles = np.deg2rad(self.axis_deg) * normals(keys, _AXIS, 3)
        logs = 2 * uniforms(keys, _GAIN, 7) - 1
        gains = np.empty((len(keys), 12))
        gains[:] = logs[:, :1] * np.log1p(self.gain)
        gains[:, 6:] += logs[:, 1:] * np.log1p(self.lead_gain)
        matrix: Array = np.exp(gains)[:, :, None] * axis_jitter(angles, lead_mask)
        return matrix

    def _kept_leads(self, keys: Keys, lead_mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """The lead mask after masking at random, ``(batch, 12)``."""
        drawn = np.where(lead_mask, uniforms(keys, _LEADS, 12), -1.0)
        last = drawn == drawn.max(axis=1, keepdims=True)
        kept: npt.NDArray[np.bool_] = lead_mask & ((drawn >= self.lead_drop) | last)
        return kept


def shift_rows(rows: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Move each recording of ``(batch, ..., time)`` right by its whole samples; masks shift in false.

    Numbers shifted in repeat the end's: the caller masks them.
    """
    n_times = rows.shape[-1]
    source = torch.arange(n_times, device=rows.device) - shift[:, None]
    inside = source.clamp(0, n_times - 1)
    if rows.dtype == torch.bool:
        return rows.gather(1, inside) & (source == inside)
    return rows.gather(2, inside[:, None].expand(rows.shape))


def shift_beats(
    batch: SignalBatch, shift: torch.Tensor, time_mask: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Beats after the shift, and which of them are still on present samples."""
    beats = batch.beats + (shift.to(torch.float32) / batch.fs)[:, None]
    sample = torch.round(beats * batch.fs).long()
    n_times = time_mask.shape[1]
    present = (sample >= 0) & (sample < n_times) & time_mask.gather(1, sample.clamp(0, n_times - 1))
    beat_mask = batch.beat_mask & present
    return beats * beat_mask, beat_mask
