"""From recordings to embeddings, by windows and in batches."""

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from ecgclip.errors import ECGClipError, UsageError, unknown_name
from ecgclip.signals import Prepared, SignalBatch, collate, windows

from .encoded import LocalEncoded
from .frozen import frozen
from .lanes import in_lanes, lanes_of
from .sources import PreparedSource, Recordings, as_source

if TYPE_CHECKING:
    from .ecg_text_model import ECGTextModel

__all__ = [
    "WINDOW_S",
    "RecordingEmbeddings",
    "WindowBatch",
    "embed_recordings",
    "embed_windows",
    "window_batches",
]

WINDOW_S = 10.0
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
_BY_WINDOW_OF = ("raise", "mark")


@dataclass(frozen=True, eq=False)
class WindowBatch:
    """Windows of several recordings.

    Attributes:
        batch: the windows.
        owner: ``(batch,)`` position of the recording that each window belongs to.
    """

    batch: SignalBatch
    owner: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RecordingEmbeddings:
    """Global embeddings by window.

    Attributes:
        z: ``(n_windows, dim)`` float32 unit vectors.
        owner: ``(n_windows,)`` position of each window's recording.
        count: number of recordings asked for.
        errors: why a recording could not be read, by position.
    """

    z: npt.NDArray[np.float32]
    owner: npt.NDArray[np.int64]
    count: int
    errors: dict[int, str]

    def mean_global(self) -> npt.NDArray[np.float32]:
        """Mean over the windows of each recording, ``(count, dim)``; NaN where there is none."""
        total = np.zeros((self.count, self.z.shape[1]), dtype=np.float32)
        np.add.at(total, self.owner, self.z)
        seen = np.bincount(self.owner, minlength=self.count).astype(np.float32)[:, None]
        return np.where(seen > 0, total / np.maximum(seen, 1), np.float32(np.nan)).astype(np.float32)


def window_batches(
    source: PreparedSource, *, batch_size: int, on_error: str, errors: dict[int, str]
) -> Iterator[WindowBatch]:
    """Cut recordings to windows of 10 s and hand them out in batches.

    Args:
        source: the recordings.
        batch_size: windows a batch.
        on_error: ``raise`` or ``mark``.
        errors: filled with the reason of each recording that could not be read.

    Raises:
        ECGClipError: a recording cannot be read and ``on_error`` is ``raise``.
    """
    if on_error not in _BY_WINDOW_OF:
        raise UsageError(f"on_error must be 'raise' or 'mark', got {on_error!r}")
    if batch_size < 1:
        raise UsageError(f"batch_size must be at least 1, got {batch_size}")
    if hasattr(source, "read") and hasattr(source, "lengths") and len(source) and batch_size > 1:
        yield from _whole_batches(source, batch_size)
        return
    found = _prepared(source, range(len(source)), on_error, errors)
    batches = _by_window(found, source.preprocessor.fs, batch_size)
    yield from batches if len(source) <= batch_size else _ahead(batches)


def _prepared(
    source: PreparedSource, indices: Iterable[int], on_error: str, errors: dict[int, str]
) -> Iterator[tuple[int, Prepared]]:
    """Recordings one by one with their positions, the unreadable ones marked or raised."""
    for index in indices:
        try:
            prepared = source.prepared(index)
        except ECGClipError as error:
            if on_error == "raise":
                raise
            errors[index] = str(error)
            continue
        yield index, prepared


def _by_window(
    found: Iterator[tuple[int, Prepared]], fs: float, batch_size: int
) -> Generator[WindowBatch, None, None]:
    """Cut recordings to windows and gather those in batches, in order."""
    parts: list[Prepared] = []
    owner: list[int] = []
    for index, prepared in found:
        n_times = prepared.signal.shape[1]
        for start, stop in windows(n_times, fs, WINDOW_S):
            parts.append(prepared if stop - start == n_times else prepared.cut(start, stop))
            owner.append(index)
            if len(parts) == batch_size:
                yield WindowBatch(collate(parts, fs), np.array(owner))
                parts, owner = [], []
    if parts:
        yield WindowBatch(collate(parts, fs), np.array(owner))


def _ahead(batches: Generator[WindowBatch, None, None]) -> Iterator[WindowBatch]:
    """The same batches, the next one made by another thread while the caller computes with the last.

    Reading and filtering keep one core busy about as long as the encoder does.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ecgclip-prepare") as worker:
        waiting = worker.submit(next, batches, None)
        while (batch := waiting.result()) is not None:
            waiting = worker.submit(next, batches, None)
            yield batch


def _whole_batches(source: PreparedSource, batch_size: int) -> Iterator[WindowBatch]:
    """Gather rows of a store at once where they are one window long, one by one where they are not."""
    fs = source.preprocessor.fs
    lengths = np.asarray(source.lengths)  # type: ignore[attr-defined]
    short = np.flatnonzero(lengths <= round(WINDOW_S * fs))
    for start in range(0, len(short), batch_size):
        rows = short[start : start + batch_size]
        yield WindowBatch(_rows(source, rows), rows)
    long = np.flatnonzero(lengths > round(WINDOW_S * fs)).tolist()
    yield from _by_window(((index, source.prepared(index)) for index in long), fs, batch_size)


def _rows(source: PreparedSource, rows: npt.NDArray[np.int64]) -> SignalBatch:
    found = source.read(rows)  # type: ignore[attr-defined]
    return SignalBatch.from_arrays(
        found.signal, found.lead_mask, found.lengths, found.beats, found.beat_mask, found.fs
    )


def embed_windows(
    model: "ECGTextModel", batch: SignalBatch
) -> tuple[npt.NDArray[np.float32], LocalEncoded | None]:
    """Embed windows in eval mode and the model's precision: ``(batch, dim)`` and what the local branch says.

    Raises:
        UsageError: ``model.precision`` is unknown.
    """
    if model.precision not in PRECISIONS:
        raise unknown_name("precision", model.precision, PRECISIONS)
    training = model.training
    if training:
        model.eval()
    dtype = PRECISIONS[model.precision]
    with torch.inference_mode(), torch.autocast(model.device.type, dtype, enabled=dtype != torch.float32):
        z, local = frozen(model, dtype).embed_signal(batch.to(model.device))
    if training:
        model.train()
    return z.cpu().numpy(), local


def embed_recordings(
    model: "ECGTextModel", records: Recordings, *, batch_size: int, on_error: str
) -> RecordingEmbeddings:
    """Embed recordings window by window; see ``ECGTextModel.encode_ecg``."""
    source = as_source(records, model.preprocessor)
    errors: dict[int, str] = {}
    found: list[npt.NDArray[np.float32]] = []
    owner: list[npt.NDArray[np.int64]] = []
    batches = window_batches(source, batch_size=batch_size, on_error=on_error, errors=errors)
    for part, z in in_lanes(lambda part: embed_windows(model, part.batch)[0], batches, lanes_of(model)):
        found.append(z)
        owner.append(part.owner)
    all_z = np.concatenate(found) if found else np.zeros((0, model.config.dim), dtype=np.float32)
    rows = np.concatenate(owner) if owner else np.zeros(0, dtype=np.int64)
    return RecordingEmbeddings(z=all_z, owner=rows, count=len(source), errors=errors)
