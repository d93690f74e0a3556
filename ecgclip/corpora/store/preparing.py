"""Fill a store from a corpus: several processes, shard by shard, resumable after any kill."""

from __future__ import annotations

import csv
import io
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgclip.corpora.corpus import Corpus
from ecgclip.corpora.processes import picklable, spread
from ecgclip.corpora.writing import is_held, write_text
from ecgclip.errors import DataError, UsageError

from .folder import SHARDS, absent, claim, give_up, make, shared
from .shards import Rejected, ShardJob, ShardSummary, any_prepares, shard_summary, write_shard
from .statements import reader_version
from .store import MANIFEST, REJECTED, Store, content_hash

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

    Whenever a store is prepared again, finished or not, the recordings that it rejected are read once more,
    and nothing else is. Where one can be prepared now, its shard is written anew and the store takes another
    hash; as long as none can, no byte changes, and a reason stays the one that was found first. Who has the
    store open meanwhile keeps what it opened, and a process that would be handed other rows is refused.

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
            recording could be prepared (no file is left), or the disk is full (finished shards are kept).
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
    root = _root(corpus)
    starts = range(0, len(corpus), shard_size)
    first = {f"{SHARDS}/data-{number:05d}-of-{len(starts):05d}.arrow": at for number, at in enumerate(starts)}

    def job(name: str) -> ShardJob:
        rows = _rows(corpus, first[name], shard_size)
        return ShardJob(folder / name, rows, preprocessor, corpus.reader, root)

    made = absent(folder)
    manifest = claim(folder, settings)
    with shared(folder) as handle:
        summaries = _kept(folder, first, job)
        if _is_finished(manifest, first, summaries):
            return Store.open(folder)
        version = reader_version()
        manifest.update(
            corpus=corpus.name,
            root=root,
            n_corpus=len(corpus),
            preprocessor=preprocessor.to_dict(),
            statements=version if manifest.get("statements") in (None, version) else "mixed",
            complete=False,
        )
        _write_manifest(folder, manifest)
        todo = [name for name in first if name not in summaries]
        jobs = ((name, job(name)) for name in todo)
        processes = min(workers, len(todo)) if picklable(corpus) else 1
        _fill(folder / SHARDS, jobs, summaries, processes, _Clock(len(corpus), progress))
        ordered = [summaries[name] for name in first]
        _refuse_nothing(ordered, folder, made, handle)
        return _finish(folder, manifest, settings, list(first), ordered)


def _kept(folder: Path, names: Iterable[str], job: Callable[[str], ShardJob]) -> dict[str, ShardSummary]:
    """The shards that are there and stay: whole, and none of their rejected recordings can be prepared now."""
    kept = {}
    for name in names:
        summary = shard_summary(folder / name)
        if summary is not None and not (summary.rejected and any_prepares(job(name), summary.rejected)):
            kept[name] = summary
    return kept


def _is_finished(manifest: dict[str, Any], names: Iterable[str], kept: dict[str, ShardSummary]) -> bool:
    digests = [kept[name].digest for name in names if name in kept]
    return bool(manifest.get("complete")) and manifest.get("digests") == digests


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


def _fill(
    shards: Path,
    jobs: Iterator[tuple[str, ShardJob]],
    summaries: dict[str, ShardSummary],
    workers: int,
    clock: _Clock,
) -> None:
    """Write shards, and add the summary of each to those that are there from before."""
    make(shards)
    for summary in summaries.values():
        clock.add(summary, from_before=True)
    clock.began = time.monotonic()
    one_by_one = ((name, write_shard(job)) for name, job in jobs)
    try:
        for name, summary in one_by_one if workers < 2 else spread(write_shard, jobs, workers):
            summaries[name] = summary
            clock.add(summary, from_before=False)
    finally:
        for leftover in shards.glob(".*.tmp"):
            if not is_held(leftover):  # a second process may be filling the same store
                leftover.unlink(missing_ok=True)


def _refuse_nothing(
    summaries: list[ShardSummary], folder: Path, made: list[Path], handle: int | None
) -> None:
    """Raise where no recording was kept, and leave no store behind."""
    if any(summary.n for summary in summaries):
        return
    rejected = [each for summary in summaries for each in summary.rejected]
    give_up(folder, made, handle)
    raise DataError(
        f"{folder}: none of {len(rejected)} recordings could be prepared, the first because: "
        f"{rejected[0].reason}; no store is left, put the recordings right and run again"
    )


def _finish(
    folder: Path,
    manifest: dict[str, Any],
    settings: dict[str, Any],
    names: list[str],
    summaries: list[ShardSummary],
) -> Store:
    rejected = [each for summary in summaries for each in summary.rejected]
    _write_rejected(folder, rejected)
    manifest.update(
        shards=names,
        n=sum(summary.n for summary in summaries),
        n_rejected=len(rejected),
        n_clipped_samples=sum(summary.clipped for summary in summaries),
        digests=[summary.digest for summary in summaries],
        hash=content_hash(settings, [summary.digest for summary in summaries]),
        complete=True,
    )
    _write_manifest(folder, manifest)
    return Store(folder, manifest)  # not opened anew: another process may have begun to fill it again


def _write_rejected(folder: Path, rejected: list[Rejected]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["record_id", "path", "reason"])
    writer.writerows([each.record_id, each.path, each.reason] for each in rejected)
    write_text(folder / REJECTED, text.getvalue())


def _write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    write_text(folder / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True) + "\n")
