"""The prepared store: what the `Preprocessor` made of a corpus, memory-mapped."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ecgclip.corpora.fingerprints import SIZE, Fingerprints
from ecgclip.errors import DataError, UsageError

from .shards import LIST_COLUMNS, MV_PER_STEP, TEXT_COLUMNS, Rejected, Shard, read_shard

if TYPE_CHECKING:
    import pandas as pd

    from ecgclip.signals import Prepared, Preprocessor

FORMAT = 1
MANIFEST = "manifest.json"
REJECTED = "rejected.csv"


@dataclass(frozen=True, eq=False)
class StoreBatch:
    """Prepared recordings side by side, padded on the right with zeros. Masks mean present.

    Attributes:
        signal: ``(n, 12, time)`` float32 mV.
        lead_mask: ``(n, 12)`` bool.
        lengths: ``(n,)`` int64, samples of each that are signal.
        beats: ``(n, k)`` float32, R-peaks in seconds.
        beat_mask: ``(n, k)`` bool.
        fs: samples a second.
    """

    signal: npt.NDArray[np.float32]
    lead_mask: npt.NDArray[np.bool_]
    lengths: npt.NDArray[np.int64]
    beats: npt.NDArray[np.float32]
    beat_mask: npt.NDArray[np.bool_]
    fs: float


class Store:
    """A folder of shards with its manifest. Rows keep the corpus's order; what was rejected is left out.

    Attributes:
        path: the folder.
        name: the corpus's name.
        preprocessor: what prepared it.
        hash: 12 hex characters over its content and settings.
    """

    def __init__(self, path: Path, manifest: Mapping[str, Any]) -> None:
        from ecgclip.signals import Preprocessor

        self.path = path
        self.manifest = dict(manifest)
        self.name = str(manifest["corpus"])
        self.hash = str(manifest["hash"])
        self.preprocessor: Preprocessor = Preprocessor.from_dict(manifest["preprocessor"])
        self._shards: list[Shard] = [read_shard(path / name) for name in manifest["shards"]]
        digests = [shard.summary.digest for shard in self._shards]
        if manifest.get("digests", digests) != digests:
            raise DataError(
                f"{path}: the store is being prepared again; wait for it, or run ecgclip prepare again"
            )
        counts = [shard.summary.n for shard in self._shards]
        self._shard_of = np.repeat(np.arange(len(counts)), counts)
        self._row_of = np.concatenate([np.arange(n) for n in counts]) if counts else np.zeros(0, dtype=int)

    @classmethod
    def open(cls, path: str | Path) -> Store:
        """Open a finished store.

        Raises:
            DataError: if the folder is no store, its preparation was broken off, or a shard is damaged.
        """
        folder = Path(path)
        manifest = read_manifest(folder)
        if manifest is None:
            raise DataError(
                f"{folder}: no prepared store ({MANIFEST} is absent); make one by ecgclip prepare"
            )
        if not manifest.get("complete"):
            raise DataError(f"{folder}: preparation was broken off; run ecgclip prepare again to finish it")
        try:
            return cls(folder, manifest)
        except (KeyError, TypeError) as error:
            raise DataError(
                f"{folder / MANIFEST}: is damaged ({error}); prepare into another folder"
            ) from None

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened_again, (self.path, self.hash)  # another process maps the files itself

    def __len__(self) -> int:
        return len(self._shard_of)

    def __repr__(self) -> str:
        return (
            f"Store({str(self.path)!r}, {self.name}, {len(self)} recordings at {self.preprocessor.fs:g} Hz)"
        )

    @cached_property
    def table(self) -> pd.DataFrame:
        """The corpus's table with ``statements``, ``raw_statements`` (lists) and ``n_times``."""
        import pandas as pd
        import pyarrow as pa

        from .statements import canonical_statements, raw_statements, reader_version

        names = [*TEXT_COLUMNS, "fold", "n_times", *LIST_COLUMNS]
        joined = pa.concat_tables(
            [shard.table.select(names).replace_schema_metadata() for shard in self._shards]
        )
        table: pd.DataFrame = pd.DataFrame({name: joined.column(name).to_pylist() for name in names})
        root = str(self.manifest["root"])
        table["path"] = [os.path.normpath(os.path.join(root, path)) if path else "" for path in table["path"]]
        if self.manifest.get("statements") != reader_version():
            table["statements"] = [list(canonical_statements(report)) for report in table["report"]]
            table["raw_statements"] = [list(raw_statements(report)) for report in table["report"]]
        return table

    @property
    def corpus_hash(self) -> str:
        """Hash of the corpus that was prepared."""
        return str(self.manifest["corpus_hash"])

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """Recordings that could not be prepared, as listed in ``rejected.csv``."""
        return tuple(each for shard in self._shards for each in shard.summary.rejected)

    @property
    def clipped(self) -> int:
        """Samples beyond +-32.767 mV, stored at that value."""
        return sum(shard.summary.clipped for shard in self._shards)

    @cached_property
    def lengths(self) -> npt.NDArray[np.int64]:
        """``(n,)`` samples of each recording."""
        parts = [np.diff(shard.starts) // 12 for shard in self._shards]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)

    @cached_property
    def fingerprints(self) -> Fingerprints:
        """``(n, SIZE)`` int8, for `shared_recordings`."""
        return np.concatenate([np.zeros((0, SIZE), np.int8), *(shard.fingerprints for shard in self._shards)])

    def indices(
        self, *, split: str | Sequence[str] | None = None, folds: Iterable[int] | None = None
    ) -> npt.NDArray[np.int64]:
        """Positions of the recordings in some splits and folds.

        Raises:
            UsageError: if a split's name is unknown.
            DataError: if there is none.
        """
        from ecgclip.corpora.corpus import select_rows

        return select_rows(self.table, f"store {self.path}", split=split, folds=folds)

    def prepared(self, index: int) -> Prepared:
        """One recording as the preprocessor gave it: ``signal (12, time)`` mV."""
        from ecgclip.signals import Prepared

        batch = self.read([index])
        return Prepared(
            batch.signal[0],
            batch.lead_mask[0],
            batch.beats[0][batch.beat_mask[0]],
            int(batch.lengths[0]) / self.preprocessor.fs,
        )

    def read(self, indices: Sequence[int] | npt.NDArray[Any]) -> StoreBatch:
        """Gather recordings, in the order asked for, padded to the longest.

        Raises:
            UsageError: if an index is out of range.
        """
        wanted = np.asarray(indices, dtype=np.int64).ravel()
        if wanted.size and not (-len(self) <= wanted.min() and wanted.max() < len(self)):
            raise UsageError(
                f"store {self.path} holds {len(self)} recordings; index {wanted.max()} is out of range"
            )
        wanted = wanted % max(1, len(self))
        lengths = self.lengths[wanted]
        signal = np.empty((wanted.size, 12, int(lengths.max(initial=0))), dtype=np.float32)
        places = list(zip(self._shard_of[wanted].tolist(), self._row_of[wanted].tolist(), strict=True))
        for target, (shard, row), length in zip(signal, places, lengths.tolist(), strict=True):
            steps = self._shards[shard].signal(row)
            np.multiply(steps, MV_PER_STEP, out=target[:, :length], dtype=np.float32)
            target[:, length:] = 0.0
        masks = [self._shards[shard].lead_masks[row] for shard, row in places]
        lead_mask = np.array(masks, dtype=np.bool_).reshape(-1, 12)
        beats, beat_mask = self._beats(places)
        return StoreBatch(signal, lead_mask, lengths, beats, beat_mask, self.preprocessor.fs)

    def _beats(
        self, places: Sequence[tuple[int, int]]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        ragged = []
        for number, row in places:
            shard = self._shards[number]
            ragged.append(shard.beats[shard.beat_starts[row] : shard.beat_starts[row + 1]])
        counts = np.array([len(times) for times in ragged], dtype=np.int64)
        mask = np.arange(counts.max(initial=0)) < counts[:, None]
        beats = np.zeros(mask.shape, dtype=np.float32)
        if ragged:
            beats[mask] = np.concatenate(ragged)
        return beats, mask


def _opened_again(path: Path, content: str) -> Store:
    """The store of a hash, for another process: rows must not move under who counts on them.

    Raises:
        DataError: if it was prepared again since.
    """
    store = Store.open(path)
    if store.hash != content:
        raise DataError(
            f"{path}: was prepared again (hash {store.hash}) since it was opened (hash {content}); start again"
        )
    return store


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a store, finished or not; None where there is none.

    Raises:
        DataError: if it cannot be read or is of another format.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        found = manifest["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: no manifest of a store ({error}); prepare into another folder") from error
    if found != FORMAT:
        raise DataError(f"{path}: store format {found}, and this ecgclip reads {FORMAT}; prepare again")
    return dict(manifest)


def content_hash(settings: Mapping[str, Any], digests: Iterable[str]) -> str:
    """12 hex characters over a store's settings and the digests of its shards."""
    text = json.dumps([settings, list(digests)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
