"""What a user may hand over as recordings, made one list."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from ecgclip.errors import DataError, UsageError
from ecgclip.records import ECGRecord, read_record
from ecgclip.signals import Prepared, Preprocessor

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PreparedSource", "RecordSource", "Recordings", "StorePart", "as_source", "take_split"]

Recordings: TypeAlias = "str | Path | ECGRecord | tuple[Any, ...] | Sequence[Any] | PreparedSource"


@runtime_checkable
class PreparedSource(Protocol):
    """Recordings that come prepared: a store, or a list of recordings behind a preprocessor."""

    @property
    def preprocessor(self) -> Preprocessor:
        """How the recordings were prepared."""
        ...

    def __len__(self) -> int:
        """Count the recordings."""
        ...

    def prepared(self, index: int) -> Prepared:
        """Give one recording ready for the model."""
        ...


@dataclass(frozen=True, eq=False)
class RecordSource:
    """Recordings that are read and prepared when asked for.

    Attributes:
        items: a path, an ``ECGRecord``, ``(array, fs, lead_names)`` or an index that ``corpus.record`` knows,
            for each recording.
        names: what each is called in messages.
        preprocessor: how each is prepared.
    """

    items: tuple[Any, ...]
    names: tuple[str, ...]
    preprocessor: Preprocessor
    corpus: Any = None

    def __len__(self) -> int:
        return len(self.items)

    def prepared(self, index: int) -> Prepared:
        """Read and prepare one recording.

        Raises:
            DataError: it cannot be read or is not an ECG that the model can take.
        """
        item = self.items[index]
        if self.corpus is not None:
            record = self.corpus.record(item)
        elif isinstance(item, ECGRecord):
            record = item
        elif isinstance(item, tuple):
            record = ECGRecord(item[0], fs=item[1], lead_names=item[2])
        else:
            record = read_record(item)
        return self.preprocessor.prepare(record)


class StorePart:
    """Some rows of a prepared store, in the order given.

    Args:
        store: a prepared store.
        rows: positions in it.
    """

    def __init__(self, store: Any, rows: npt.NDArray[np.int64]) -> None:
        self.store = store
        self.rows = rows
        self.preprocessor: Preprocessor = store.preprocessor
        self.lengths: npt.NDArray[np.int64] = store.lengths[rows]

    def __len__(self) -> int:
        return len(self.rows)

    def prepared(self, index: int) -> Prepared:
        """Give one recording."""
        found: Prepared = self.store.prepared(int(self.rows[index]))
        return found

    def read(self, indices: npt.NDArray[np.int64]) -> Any:
        """Gather recordings as the store does."""
        return self.store.read(self.rows[indices])

    @property
    def table(self) -> "pd.DataFrame":
        """The store's table, these rows only."""
        found: pd.DataFrame = self.store.table.iloc[self.rows].reset_index(drop=True)
        return found


def take_split(records: Any, split: str | None) -> Any:
    """Take one split of a store or corpus; everything when ``split`` is None.

    Raises:
        UsageError: the recordings have no splits.
        DataError: the split is empty.
    """
    if split is None:
        return records
    if hasattr(records, "indices"):
        return StorePart(records, records.indices(split=split))
    if hasattr(records, "select"):
        return records.select(split=split)
    raise UsageError(f"split={split!r} needs a store or a corpus, got {type(records).__name__}")


def as_source(records: "Recordings", preprocessor: Preprocessor) -> PreparedSource:
    """Make a source of whatever stands for recordings.

    Args:
        records: paths, folders, ``ECGRecord``s, ``(array, fs, lead_names)``, a store, a corpus, or one
            of them.
        preprocessor: the model's.

    Raises:
        UsageError: something that is no recording, such as an array without its rate.
        DataError: a folder without recordings, or a store prepared in another way.
    """
    if isinstance(records, PreparedSource):
        if records.preprocessor.hash != preprocessor.hash:
            raise DataError(
                f"the store was prepared with preprocessor {records.preprocessor.hash} and the model was trained "
                f"with {preprocessor.hash}: prepare the data again with this model's settings"
            )
        return records
    if hasattr(records, "record") and hasattr(records, "table"):
        names = tuple(str(name) for name in records.table["record_id"])
        return RecordSource(tuple(range(len(names))), names, preprocessor, corpus=records)
    items = tuple(_flatten(records))
    return RecordSource(items, tuple(_name(k, item) for k, item in enumerate(items)), preprocessor)


def _flatten(records: Any) -> Iterable[Any]:
    if isinstance(records, (str, Path)):
        yield from _files(Path(records))
    elif isinstance(records, ECGRecord):
        yield records
    elif isinstance(records, tuple) and records and isinstance(records[0], np.ndarray):
        if len(records) != 3:
            raise UsageError(
                f"an array comes as (array, fs, lead_names), got a tuple of {len(records)}: state rate and lead "
                "names"
            )
        yield records
    elif isinstance(records, (np.ndarray, dict)) or hasattr(records, "detach"):
        raise UsageError(
            f"{type(records).__name__} is not a recording: give a path, an ECGRecord, or "
            "(array, fs, lead_names) with the array (n_leads, n_times) in mV"
        )
    elif isinstance(records, Iterable):
        for item in records:
            yield from _flatten(item)
    else:
        raise UsageError(f"{type(records).__name__} is not a recording: give a path, an ECGRecord or a list")


def _files(path: Path) -> Iterable[Path]:
    """A file is itself; a folder is every recording below it, in order of name."""
    if not path.is_dir():
        yield path
        return
    headers = sorted(path.rglob("*.hea"))
    found = headers or sorted(p for p in path.rglob("*.mat"))
    if not found:
        raise DataError(
            f"{path}: no recording (.hea or .mat) is in this folder: give a folder that holds some"
        )
    yield from found


def _name(index: int, item: Any) -> str:
    if isinstance(item, ECGRecord):
        return item.record_id or f"recording {index}"
    return f"recording {index}" if isinstance(item, tuple) else str(item)
