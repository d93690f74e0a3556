"""The corpus that a model is tested on: prepared as its encoder wants it, with what of it could not be read."""

import csv
import hashlib
import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ecgclip.corpora import Progress, Store, open_corpus, prepare
from ecgclip.corpora.writing import write_text
from ecgclip.errors import DataError
from ecgclip.signals import Preprocessor
from ecgclip.training.journal import duration

from .options import Options
from .results import CorpusFacts, LeftOut, Unread

__all__ = ["MeasuredCorpus", "open_measured"]

PTB_XL_RECORDS = 21_799
_LISTED = 200  # unread recordings in each results file; the CSV beside it holds all of them


@dataclass(frozen=True, eq=False)
class MeasuredCorpus:
    """A prepared corpus.

    Attributes:
        store: the recordings.
        missing: paths that the corpus names and the disk does not hold; None where a store was given, which does not
            say.
    """

    store: Store
    missing: tuple[str, ...] | None

    @property
    def facts(self) -> CorpusFacts:
        """What a results file says of it."""
        store, n = self.store, len(self.store)
        title = f"{store.name} ({n:,})"
        if store.name == "ptb-xl":
            title = "PTB-XL" if n >= PTB_XL_RECORDS - len(store.rejected) else f"PTB-XL subset ({n:,})"
        return CorpusFacts(name=store.name, title=title, hash=store.corpus_hash, store=store.hash, n=n)

    def unread(self, folder: Path) -> list[Unread]:
        """What could not be read, empty where nothing; the whole list is written as ``evaluation/unread-NAME.csv``.

        Args:
            folder: holds ``evaluation``.
        """
        found = [LeftOut(what=each.record_id, why=each.reason) for each in self.store.rejected]
        found += [LeftOut(what=path, why="absent from the disk") for path in self.missing or ()]
        if not found:
            return []
        file = f"evaluation/unread-{self.store.name}.csv"
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["recording", "reason"])
        writer.writerows([each.what, each.why] for each in found)
        write_text(folder / file, text.getvalue())
        return [
            Unread(
                corpus=self.store.name,
                rejected=len(self.store.rejected),
                absent=None if self.missing is None else len(self.missing),
                first=found[:_LISTED],
                file=file,
            )
        ]


def open_measured(
    data: str | Path | Store, preprocessor: Preprocessor, how: Options, say: Callable[[str], None]
) -> MeasuredCorpus:
    """Open a prepared store, or prepare a corpus as the encoder wants it.

    Raises:
        DataError: it cannot be read, or the store was prepared for another encoder.
    """
    store = data if isinstance(data, Store) else None
    if store is None and (Path(str(data)) / "manifest.json").is_file():
        store = Store.open(str(data))
    if store is not None:
        if store.preprocessor.hash != preprocessor.hash:
            raise DataError(
                f"{store.path}: prepared with preprocessor {store.preprocessor.hash}, and the encoder wants "
                f"{preprocessor.hash} ({preprocessor.fs:g} Hz): give the corpus itself, it is prepared again"
            )
        return MeasuredCorpus(store, None)
    corpus = open_corpus("auto", str(data), allow_missing=how.allow_missing)
    where = str(Path(str(data)).resolve())
    key = hashlib.sha256(f"{where}:{preprocessor.hash}".encode()).hexdigest()[:6]
    out = Path("stores") / f"{corpus.name}-{key}"
    store = prepare(corpus, preprocessor, out, workers=how.workers, progress=_telling(say))
    return MeasuredCorpus(store, corpus.missing)


def _telling(say: Callable[[str], None]) -> Callable[[Progress], None]:
    """A line of preparation every ten seconds, and one at the end."""
    last = [0.0]

    def tell(progress: Progress) -> None:
        now = time.monotonic()
        if progress.done == progress.total or now - last[0] >= 10.0:
            last[0] = now
            left = duration(progress.seconds_left)
            say(
                f"prepared {progress.done} of {progress.total} recordings, {progress.rejected} rejected, {left} left"
            )

    return tell
