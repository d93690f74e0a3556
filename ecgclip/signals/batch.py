"""Many prepared recordings side by side, as tensors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ecgclip.errors import UsageError

from .preprocess import Prepared

__all__ = ["SignalBatch", "collate"]


@dataclass(frozen=True, eq=False)
class SignalBatch:
    """Recordings padded on the right to one length. Masks mean present; what is masked is zero.

    Attributes:
        signal: ``(batch, 12, time)`` float32 in mV.
        lead_mask: ``(batch, 12)`` bool.
        time_mask: ``(batch, time)`` bool.
        beats: ``(batch, n_beats)`` float32, R-peaks in seconds.
        beat_mask: ``(batch, n_beats)`` bool.
        fs: samples a second.
    """

    signal: torch.Tensor
    lead_mask: torch.Tensor
    time_mask: torch.Tensor
    beats: torch.Tensor
    beat_mask: torch.Tensor
    fs: float

    def __len__(self) -> int:
        return self.signal.shape[0]

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> "SignalBatch":
        """The same batch on another device."""
        return SignalBatch(
            self.signal.to(device, non_blocking=non_blocking),
            self.lead_mask.to(device, non_blocking=non_blocking),
            self.time_mask.to(device, non_blocking=non_blocking),
            self.beats.to(device, non_blocking=non_blocking),
            self.beat_mask.to(device, non_blocking=non_blocking),
            self.fs,
        )

    def __getitem__(self, rows: slice | torch.Tensor) -> "SignalBatch":
        """Some of the recordings: a slice, a mask or an index tensor."""
        return SignalBatch(
            self.signal[rows],
            self.lead_mask[rows],
            self.time_mask[rows],
            self.beats[rows],
            self.beat_mask[rows],
            self.fs,
        )

    @classmethod
    def from_arrays(
        cls,
        signal: npt.NDArray[np.float32],
        lead_mask: npt.NDArray[np.bool_],
        lengths: npt.NDArray[np.integer[Any]],
        beats: npt.NDArray[np.float32],
        beat_mask: npt.NDArray[np.bool_],
        fs: float,
    ) -> "SignalBatch":
        """Wrap padded arrays, such as a store's, without copying the signal.

        Args:
            signal: ``(batch, 12, time)`` mV, zero beyond each recording's length.
            lead_mask: ``(batch, 12)``.
            lengths: ``(batch,)`` samples of each recording.
            beats: ``(batch, n_beats)`` seconds.
            beat_mask: ``(batch, n_beats)``.
            fs: samples a second.
        """
        steps = torch.arange(signal.shape[2])
        return cls(
            torch.from_numpy(signal),
            torch.from_numpy(np.ascontiguousarray(lead_mask, dtype=np.bool_)),
            steps < torch.from_numpy(np.asarray(lengths, dtype=np.int64))[:, None],
            torch.from_numpy(np.ascontiguousarray(beats, dtype=np.float32)),
            torch.from_numpy(np.ascontiguousarray(beat_mask, dtype=np.bool_)),
            float(fs),
        )


def collate(prepared: Sequence[Prepared], fs: float, *, length: int | None = None) -> SignalBatch:
    """Put recordings side by side, padded on the right with masked zeros.

    Args:
        prepared: at least one recording, all at `fs`.
        fs: samples a second.
        length: samples a recording; by default the longest one's. Longer recordings are cut there.

    Raises:
        UsageError: without a recording.
    """
    if not prepared:
        raise UsageError("collate: a batch needs at least one recording, and none was given")
    n_times = max(item.signal.shape[1] for item in prepared) if length is None else length
    if length is not None:
        prepared = [item if item.signal.shape[1] <= length else item.cut(0, length) for item in prepared]
    n_beats = max(item.beats.size for item in prepared)
    signal = np.zeros((len(prepared), prepared[0].signal.shape[0], n_times), dtype=np.float32)
    beats = np.zeros((len(prepared), n_beats), dtype=np.float32)
    for row, item in enumerate(prepared):
        signal[row, :, : item.signal.shape[1]] = item.signal
        beats[row, : item.beats.size] = item.beats
    counts = np.array([item.beats.size for item in prepared])
    return SignalBatch.from_arrays(
        signal,
        np.stack([item.lead_mask for item in prepared]),
        np.array([item.signal.shape[1] for item in prepared]),
        beats,
        np.arange(n_beats) < counts[:, None],
        fs,
    )
