"""One shard of a store: an Arrow stream file of prepared recordings, written whole or not at all.

A shard holds a fixed range of the corpus, so its bytes depend neither on the number of processes nor on
where a run was broken off. `datasets.Dataset.from_file` reads it as well. What was rejected stands in its
schema's metadata.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ecgclip.corpora.corpus import Reader
from ecgclip.corpora.fingerprints import SIZE, Fingerprints, fingerprint
from ecgclip.corpora.writing import disk_error, hold
from ecgclip.errors import DataError, ECGClipError

if TYPE_CHECKING:
    import pyarrow as pa

    from ecgclip.signals import Prepared, Preprocessor

MV_PER_STEP = np.float32(1e-3)
LARGEST = 32767
TEXT_COLUMNS = ("record_id", "path", "report", "patient_id", "split", "code_system")
LIST_COLUMNS = ("codes", "statements", "raw_statements")
UNFIT = (ECGClipError, ValueError, OSError)
"""What says that a recording cannot be read or prepared."""
_KEY = b"ecgclip"


@dataclass(frozen=True)
class Rejected:
    """A recording that could not be prepared, and why."""

    record_id: str
    path: str
    reason: str


@dataclass(frozen=True)
class ShardJob:
    """What a process needs to write one shard; ``root`` is the folder that paths are noted below."""

    target: Path
    rows: tuple[dict[str, Any], ...]
    preprocessor: Preprocessor
    reader: Reader
    root: str


@dataclass(frozen=True)
class ShardSummary:
    """What a shard's metadata says: rows kept, rows rejected, clipped samples, digest of its content."""

    n: int
    rejected: tuple[Rejected, ...]
    clipped: int
    digest: str


@dataclass(frozen=True)
class Shard:
    """One shard, memory-mapped: nothing is copied until a recording is asked for.

    Attributes:
        table: its Arrow table.
        values: int16 samples of all its recordings, one after the other, each ``(12, n_times)``.
        starts: ``(n + 1,)`` where each begins in ``values``.
    """

    table: pa.Table
    summary: ShardSummary
    values: npt.NDArray[np.int16]
    starts: npt.NDArray[np.int64]
    beats: npt.NDArray[np.float32]
    beat_starts: npt.NDArray[np.int64]
    lead_masks: npt.NDArray[np.bool_]
    fingerprints: Fingerprints

    def signal(self, index: int) -> npt.NDArray[np.int16]:
        """View ``(12, n_times)`` of a recording's samples, 1 uV a step."""
        return self.values[self.starts[index] : self.starts[index + 1]].reshape(12, -1)


def write_shard(job: ShardJob) -> ShardSummary:
    """Prepare a shard's recordings and write it under its name in one step.

    Raises:
        DataError: if the disk is full or the folder cannot be written.
    """
    kept: list[tuple[dict[str, Any], Prepared]] = []
    rejected: list[Rejected] = []
    for row in job.rows:
        try:
            kept.append((row, job.preprocessor.prepare(job.reader(row))))
        except UNFIT as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            reason = reason.replace(job.root + os.sep, "") if job.root else reason
            rejected.append(Rejected(row["record_id"], _below(row["path"], job.root), reason))
    columns = _columns(kept, job.root)
    clipped = sum(int(np.count_nonzero(np.abs(signal) >= LARGEST)) for signal in columns["signal"])
    summary = ShardSummary(len(kept), tuple(rejected), clipped, _digest(columns, rejected))
    _write(columns, summary, job.target)
    return summary


def any_prepares(job: ShardJob, rejected: Iterable[Rejected]) -> bool:
    """Whether a recording that was rejected when the shard was written can be prepared now."""
    names = {each.record_id for each in rejected}
    for row in job.rows:
        if row["record_id"] in names:
            try:
                job.preprocessor.prepare(job.reader(row))
            except UNFIT:
                continue
            return True
    return False


def read_shard(path: Path) -> Shard:
    """Memory-map a shard.

    Raises:
        DataError: if it is absent or damaged.
    """
    import pyarrow as pa

    try:
        table = pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
        summary = _summary(table.schema.metadata)
    except (OSError, pa.ArrowInvalid, KeyError, ValueError) as error:
        raise DataError(
            f"{path}: shard is absent or damaged ({error}); delete it and prepare again"
        ) from error
    values, starts = _flat(table, "signal", np.int16)
    beats, beat_starts = _flat(table, "beats", np.float32)
    masks, _ = _flat(table, "lead_mask", np.bool_)
    prints, _ = _flat(table, "fingerprint", np.int8)
    return Shard(
        table, summary, values, starts, beats, beat_starts, masks.reshape(-1, 12), prints.reshape(-1, SIZE)
    )


def shard_summary(path: Path) -> ShardSummary | None:
    """What a finished shard's metadata says, or None where there is none or it is damaged."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as stream:
            return _summary(stream.schema.metadata)
    except (OSError, pa.ArrowInvalid, KeyError, ValueError):
        return None


def _columns(kept: list[tuple[dict[str, Any], Prepared]], root: str) -> dict[str, list[Any]]:
    from .statements import canonical_statements, raw_statements

    columns: dict[str, list[Any]] = {name: [row[name] for row, _ in kept] for name in TEXT_COLUMNS}
    columns["path"] = [_below(path, root) for path in columns["path"]]
    columns["fold"] = [int(row["fold"]) for row, _ in kept]
    columns["codes"] = [list(row["codes"]) for row, _ in kept]
    columns["statements"] = [list(canonical_statements(row["report"])) for row, _ in kept]
    columns["raw_statements"] = [list(raw_statements(row["report"])) for row, _ in kept]
    columns["n_times"] = [prepared.signal.shape[1] for _, prepared in kept]
    columns["lead_mask"] = [np.asarray(prepared.lead_mask, dtype=np.bool_) for _, prepared in kept]
    columns["beats"] = [np.asarray(prepared.beats, dtype=np.float32) for _, prepared in kept]
    columns["fingerprint"] = [fingerprint(prepared) for _, prepared in kept]
    columns["signal"] = [_steps(prepared.signal) for _, prepared in kept]
    return columns


def _steps(signal: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
    """Whole microvolts in int16; beyond +-32.767 mV a sample takes the largest value and is counted."""
    microvolts = np.clip(np.rint(signal / MV_PER_STEP), -LARGEST, LARGEST)
    steps: npt.NDArray[np.int16] = microvolts.astype(np.int16).ravel()
    return steps


def _write(columns: Mapping[str, list[Any]], summary: ShardSummary, target: Path) -> None:
    import pyarrow as pa

    text, short = pa.string(), pa.int16()
    kinds = {
        **dict.fromkeys(TEXT_COLUMNS, text),
        **{name: pa.list_(text) for name in LIST_COLUMNS},
        "fold": pa.int32(),
        "n_times": pa.int32(),
        "lead_mask": pa.list_(pa.bool_()),
        "beats": pa.list_(pa.float32()),
        "fingerprint": pa.list_(pa.int8()),
        "signal": pa.list_(short),
    }
    note = {
        "n": summary.n,
        "rejected": [[each.record_id, each.path, each.reason] for each in summary.rejected],
        "clipped": summary.clipped,
        "digest": summary.digest,
    }
    schema = pa.schema(list(kinds.items()), metadata={_KEY: json.dumps(note, ensure_ascii=False).encode()})
    batch = pa.record_batch(
        [pa.array(columns[name], type=kind) for name, kind in kinds.items()], schema=schema
    )
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as sink:
            hold(sink)
            with pa.ipc.new_stream(sink, schema) as writer:
                writer.write_batch(batch)
            sink.flush()
            os.fsync(sink.fileno())
        os.replace(temporary, target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        there = shard_summary(target) if isinstance(error, FileNotFoundError) else None
        if there is not None and there.digest == summary.digest:
            return  # a process that fills the same store was done first, and tidied up
        raise disk_error(target, error) from error


def _flat(table: pa.Table, name: str, kind: type) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Values of a list column one after the other, without a copy, and where each list begins."""
    chunks = table.column(name).chunks
    if not chunks:
        return np.zeros(0, dtype=kind), np.zeros(1, dtype=np.int64)
    (chunk,) = chunks
    starts = np.asarray(chunk.offsets, dtype=np.int64)
    values = chunk.values.to_numpy(zero_copy_only=kind is not np.bool_)
    return values, starts


def _summary(metadata: Mapping[bytes, bytes]) -> ShardSummary:
    note = json.loads(metadata[_KEY])
    rejected = tuple(Rejected(*each) for each in note["rejected"])
    return ShardSummary(int(note["n"]), rejected, int(note["clipped"]), str(note["digest"]))


def _digest(columns: Mapping[str, list[Any]], rejected: list[Rejected]) -> str:
    """SHA-256 over the content. Statements are left out: they follow from the report."""
    digest = hashlib.sha256()
    for name in (*TEXT_COLUMNS, "fold", "n_times", "codes"):
        digest.update(json.dumps([name, columns[name]], ensure_ascii=False).encode())
    for name in ("lead_mask", "beats", "signal"):
        for value in columns[name]:
            digest.update(value.tobytes())
    digest.update(json.dumps([[each.record_id, each.reason] for each in rejected]).encode())
    return digest.hexdigest()


def _below(path: str, root: str) -> str:
    """A path relative to the corpus's root, so that a store does not depend on where the corpus lies."""
    return os.path.relpath(path, root) if path and root else path
