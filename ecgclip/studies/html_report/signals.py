"""The recordings behind the figures: from a prepared store or a corpus, in the order that ids ask for."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecgclip.corpora import Store, open_corpus
from ecgclip.errors import DataError
from ecgclip.records import LEADS, ECGRecord

__all__ = ["Signals", "open_signals"]


@dataclass(frozen=True)
class Signals:
    """Recordings by id.

    Attributes:
        source: a store, or a corpus.
        corpus_hash: of the corpus table.
        rows: row of each id.
        reports: report of each id.
        note: what was done to the signals.
    """

    source: Any
    corpus_hash: str
    rows: dict[str, int]
    reports: dict[str, str]
    note: str

    def record(self, identifier: str) -> ECGRecord:
        """One recording, with the leads that it has.

        Raises:
            DataError: it is not here or cannot be read.
        """
        if identifier not in self.rows:
            raise DataError(
                f"recording {identifier} is not in the corpus given: give the one that was measured"
            )
        row = self.rows[identifier]
        if not isinstance(self.source, Store):
            record: ECGRecord = self.source.record(row)
            return record
        prepared = self.source.prepared(row)
        held = [k for k, there in enumerate(prepared.lead_mask) if there]
        names = tuple(LEADS[k] for k in held)
        return ECGRecord(prepared.signal[held], fs=prepared.fs, lead_names=names, record_id=identifier)


def open_signals(data: str | Path | Store, hashes: Collection[str]) -> Signals:
    """Open a store or a corpus, which must be the one that was measured.

    Args:
        data: where it lies, or the store.
        hashes: of the corpus tables that the results files name.

    Raises:
        DataError: it cannot be read, or is another corpus.
    """
    source: Any = data
    if not isinstance(data, Store):
        prepared = (Path(data) / "manifest.json").is_file()
        source = Store.open(data) if prepared else open_corpus("auto", str(data), allow_missing=True)
    found = source.corpus_hash if isinstance(source, Store) else source.hash
    if found not in hashes:
        where = source.path if isinstance(source, Store) else data
        raise DataError(
            f"{where}: is corpus {found}, and the figures are of {', '.join(hashes)}: give that one"
        )
    table = source.table
    ids = [str(each) for each in table["record_id"]]
    note = ""
    if isinstance(source, Store):
        low, high = source.preprocessor.band
        note = f"{low:g}-{high:g} Hz"
    reports = dict(zip(ids, map(str, table["report"]), strict=True))
    return Signals(source, found, {each: k for k, each in enumerate(ids)}, reports, note)
