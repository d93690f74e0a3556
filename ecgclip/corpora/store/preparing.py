"""Fill a store from a corpus: several processes, shard by shard, resumable after any kill."""

from __future__ import annotations

import csv
import io
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgclip.corpora.corpus import Corpus
from ecgclip.corpora.processes import picklable, spread
from ecgclip.corpora.writing import disk_error, is_held, write_text
from ecgclip.errors import DataError, UsageError

from .shards import Rejected, ShardJob, ShardSummary, shard_summary, write_shard
from .statements import reader_version
from .store import FORMAT, MANIFEST, REJECTED, Store, content_hash, read_manifest

if TYPE_CHECKING:
    from ecgclip.signals import Preprocessor

SHARD_SIZE = 256


@dataclass(frozen=True)
class Progress:
    """How far preparation is, in recordings; ``rate`` a second, ``seconds_left`` None until it is known."""

    done: int
    total: int
    rejected: int
    kept_from_before: int
    rate: float
    seconds_left: float | None


def prepare(
    corpus: Corpus,
    preprocessor: Preprocessor,
    out: str | Path,
    *,
    workers: int = 2,
    progress: Callable[[Progress], None] | None = None,
    shard_size: int = SHARD_SIZE,
) -> Store:
    """Prepare a corpus into a store, or finish one that was broken off.

    The store is the same, to the byte, whatever the number of workers and however often it was broken
    off; a resumed run repeats at most the shards that were being written. A recording that cannot be
    read or prepared is listed with its reason in ``rejected.csv``.

    Args:
        corpus: what to prepare.
        preprocessor: how.
        out: the store's folder: new, empty, or a store of the same corpus and settings.
        workers: processes; 1 stays in this one.
        progress: called after each shard.
        shard_size: recordings a shard.

    Raises:
        UsageError: if ``workers`` or ``shard_size`` is below 1.
        DataError: if the folder holds something else or a store of other settings (both hashes are named), no
            recording could be prepared, or the disk is full.
    """
    if workers < 1 or shard_size < 1:
        raise UsageError(f"workers {workers} and shard_size {shard_size} must be at least 1")
    if not len(corpus):
        raise DataError(f"{corpus.name}: the corpus holds no recording to prepare")
    folder = Path(out)
    settings = {
        "preprocessor_hash": preprocessor.hash,
        "corpus_hash": corpus.hash,
        "shard_size": shard_size,
    }
    manifest = _claim(folder, settings)
    if manifest.get("complete"):
        return Store.open(folder)
    root = _root(corpus)
    starts = range(0, len(corpus), shard_size)
    names = [f"shards/data-{number:05d}-of-{len(starts):05d}.arrow" for number in range(len(starts))]
    manifest.update(
        corpus=corpus.name,
        root=root,
        n_corpus=len(corpus),
        preprocessor=preprocessor.to_dict(),
        statements=reader_version() if manifest.get("statements") in (None, reader_version()) else "mixed",
        complete=False,
    )
    _write_manifest(folder, manifest)
    _make(folder / "shards")
    jobs = (
        ShardJob(folder / name, _rows(corpus, start, shard_size), preprocessor, corpus.reader, root)
        for name, start in zip(names, starts, strict=True)
    )
    processes = workers if picklable(corpus) else 1
    try:
        summaries = _run(jobs, names, folder, processes, _Clock(len(corpus), progress))
    finally:
        for leftover in (folder / "shards").glob(".*.tmp"):
            if not is_held(leftover):  # a second process may be filling the same store
                leftover.unlink(missing_ok=True)
    return _finish(folder, manifest, settings, names, summaries)


def _claim(folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """The manifest to go on with; refuses folders that hold something else."""
    found = read_manifest(folder) if folder.is_dir() else None
    if found is not None:
        for key, value in settings.items():
            if found.get(key) != value:
                what = key.replace("_", " ")
                raise DataError(
                    f"{folder}: holds a store with {what} {found.get(key)}, and this one has {what} {value}; "
                    "choose another folder, or delete that store"
                )
        return found
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder}: exists and is no store; choose an empty or new folder")
    _make(folder)
    return {"format": FORMAT, **settings}


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(folder, error) from error


def _rows(corpus: Corpus, start: int, size: int) -> tuple[dict[str, Any], ...]:
    rows = corpus.table.iloc[start : start + size].to_dict("records")
    return tuple({str(key): value for key, value in row.items()} for row in rows)


def _root(corpus: Corpus) -> str:
    """The folder that holds all recordings; empty where they come from no files."""
    folders = sorted({os.path.dirname(path) for path in corpus.table["path"] if path})
    return os.path.commonpath(folders) if folders else ""


class _Clock:
    """Counts recordings and tells the caller."""

    def __init__(self, total: int, tell: Callable[[Progress], None] | None) -> None:
        self.total, self.tell = total, tell
        self.done = self.rejected = self.kept = 0
        self.began = time.monotonic()

    def add(self, summary: ShardSummary, *, from_before: bool) -> None:
        n = summary.n + len(summary.rejected)
        self.done += n
        self.rejected += len(summary.rejected)
        self.kept += n if from_before else 0
        if self.tell is not None:
            rate = (self.done - self.kept) / max(1e-9, time.monotonic() - self.began)
            left = (self.total - self.done) / rate if rate > 0 else None
            self.tell(Progress(self.done, self.total, self.rejected, self.kept, rate, left))


def _run(
    jobs: Iterator[ShardJob], names: list[str], folder: Path, workers: int, clock: _Clock
) -> dict[str, ShardSummary]:
    """Write what is not yet there; give each shard's summary by its name."""
    summaries: dict[str, ShardSummary] = {}
    for name in names:
        if (summary := shard_summary(folder / name)) is not None:
            summaries[name] = summary
            clock.add(summary, from_before=True)
    clock.began = time.monotonic()
    wanted = [name for name in names if name not in summaries]
    todo = ((str(job.target.relative_to(folder)), job) for job in jobs)
    todo = ((name, job) for name, job in todo if name not in summaries)
    if workers == 1 or len(wanted) < 2:
        for name, job in todo:
            summaries[name] = write_shard(job)
            clock.add(summaries[name], from_before=False)
        return summaries
    for name, summary in spread(write_shard, todo, min(workers, len(wanted))):
        summaries[name] = summary
        clock.add(summary, from_before=False)
    return summaries


def _finish(
    folder: Path,
    manifest: dict[str, Any],
    settings: dict[str, Any],
    names: list[str],
    summaries: dict[str, ShardSummary],
) -> Store:
    ordered = [summaries[name] for name in names]
    rejected = [each for summary in ordered for each in summary.rejected]
    kept = sum(summary.n for summary in ordered)
    _write_rejected(folder, rejected)
    if not kept:
        raise DataError(
            f"{folder}: none of {len(rejected)} recordings could be prepared, the first because: "
            f"{rejected[0].reason}; all reasons are in {folder / REJECTED}"
        )
    manifest.update(
        shards=names,
        n=kept,
        n_rejected=len(rejected),
        n_clipped_samples=sum(summary.clipped for summary in ordered),
        digests=[summary.digest for summary in ordered],
        hash=content_hash(settings, [summary.digest for summary in ordered]),
        complete=True,
    )
    _write_manifest(folder, manifest)
    return Store.open(folder)


def _write_rejected(folder: Path, rejected: list[Rejected]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["record_id", "path", "reason"])
    writer.writerows([each.record_id, each.path, each.reason] for each in rejected)
    write_text(folder / REJECTED, text.getvalue())


def _write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    write_text(folder / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True) + "\n")
