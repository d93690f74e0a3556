"""What a step sees: which recordings, which of their statements, in an order that only the keys decide."""

import hashlib
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from ecgclip.corpora import Store
from ecgclip.models import join_statements
from ecgclip.reports import kinds_of, without_place
from ecgclip.signals import SignalBatch, augmentation_keys
from ecgclip.signals.keys import uniforms

__all__ = ["Order", "StepTexts", "TrainingTexts", "load_batch", "prefetch", "statement_lists"]

Rows = npt.NDArray[np.int64]
Item = TypeVar("Item")

# streams of a record's key; augmentation uses small numbers
_ORDER, _SIZE, _PICK, _DROP, _KIND_SIZE, _KIND_PICK = range(101, 107)


def statement_lists(table: pd.DataFrame, findings: str) -> list[tuple[str, ...]]:
    """Statements of each row as the recipe reads them: ``canonical``, ``raw`` or ``both``."""
    columns = {
        "canonical": ["statements"],
        "raw": ["raw_statements"],
        "both": ["statements", "raw_statements"],
    }
    lists = [table[name].tolist() for name in columns[findings]]
    return [tuple(dict.fromkeys(text for part in row for text in part)) for row in zip(*lists, strict=True)]


@dataclass(frozen=True)
class StepTexts:
    """Texts of one joined batch.

    Attributes:
        reports: the sampled report of each recording, statements joined; empty where it has none.
        groups: number of the set of statements that each report is; equal sets are the same text.
        statements: the distinct statements of the batch.
        says: ``(batch, n_statements)`` bool.
        holds: ``(batch, batch)`` bool, whether all that text j says stands in the report of recording i.
        derived: ``(n_statements,)`` bool, a finding without its place, or a kind, that no report of the batch says so.
        kinds: the sampled kinds of finding of each recording, joined; empty where the recipe does not ask for them.
        kinds_hold: ``(batch, len(kinds))`` bool, whether all kinds of text j stand in the report of recording i.
    """

    reports: list[str]
    groups: Rows
    statements: list[str]
    says: npt.NDArray[np.bool_]
    holds: npt.NDArray[np.bool_]
    derived: npt.NDArray[np.bool_]
    kinds: list[str]
    kinds_hold: npt.NDArray[np.bool_]


class TrainingTexts:
    """Statements of the training part, by recording.

    Args:
        lists: the statements of each recording.
        sampling: draw a random subset in random order at every step, or take all of them in order.
        places_dropped: share of the sampled findings that are said without their place: "Q waves" for "Q waves in
            septal leads". Above zero a report that says the one says the other too.
        kinds: give each recording a second text, the kinds of its findings: "conduction disturbance" for "left anterior
            fascicular block". One whose findings are of no kind says its findings again. A report says its kinds too.
    """

    def __init__(
        self,
        lists: Sequence[tuple[str, ...]],
        *,
        sampling: bool,
        places_dropped: float = 0.0,
        kinds: bool = False,
    ) -> None:
        self.sampling, self.places_dropped = sampling, places_dropped
        self.vocabulary = list(dict.fromkeys(text for row in lists for text in row))
        place = {text: k for k, text in enumerate(self.vocabulary)}
        self.rows = [np.array([place[text] for text in row], dtype=np.int64) for row in lists]
        self._unplaced = self._without_places(place) if places_dropped > 0.0 else {}
        self._kinds = self._kinds_of_rows(place) if kinds else []
        self._stated = [self._with_implied(number) for number in range(len(self.rows))]

    def _kinds_of_rows(self, place: dict[str, int]) -> list[Rows]:
        """The numbers of each recording's kinds, of its statements where it has none; kinds join the vocabulary."""
        of = {number: kinds_of(text) for number, text in enumerate(list(self.vocabulary))}
        for kind in dict.fromkeys(kind for kinds in of.values() for kind in kinds):
            if kind not in place:
                place[kind] = len(self.vocabulary)
                self.vocabulary.append(kind)
        found = [_distinct([place[kind] for k in row.tolist() for kind in of[k]]) for row in self.rows]
        return [kinds if len(kinds) else row for kinds, row in zip(found, self.rows, strict=True)]

    def _without_places(self, place: dict[str, int]) -> dict[int, int]:
        """The number of each placed finding's form without a place; forms that nobody says join the vocabulary."""
        found: dict[int, int] = {}
        for number, text in enumerate(list(self.vocabulary)):
            plain = without_place(text)
            if plain is None:
                continue
            if plain not in place:
                place[plain] = len(self.vocabulary)
                self.vocabulary.append(plain)
            found[number] = place[plain]
        return found

    def _with_implied(self, number: int) -> Rows:
        """All that a report states: its statements, those at a place without it, and its kinds."""
        row = self.rows[number].tolist()
        kinds = self._kinds[number].tolist() if self._kinds else []
        return _distinct([*row, *(self._unplaced[k] for k in row if k in self._unplaced), *kinds])

    def counts(self, *, most: int = 4000, least: int = 2) -> dict[str, int]:
        """How many recordings use each statement: the ``most`` common ones with at least ``least``."""
        found = np.zeros(len(self.vocabulary), dtype=np.int64)
        for row in self.rows:
            found[row] += 1
        order = np.argsort(-found, kind="stable")[:most]
        return {self.vocabulary[k]: int(found[k]) for k in order if found[k] >= least}

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits over every recording's statements."""
        text = repr((self.vocabulary, [row.tolist() for row in self.rows]))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def step(self, positions: Rows, keys: npt.NDArray[np.uint64]) -> StepTexts:
        """Texts of the recordings at ``positions``, drawn by their ``keys``."""
        longest = max((len(self.rows[p]) for p in positions), default=1)
        sizes = uniforms(keys, _SIZE, 1)[:, 0]
        picks = uniforms(keys, _PICK, max(1, longest))
        drops = uniforms(keys, _DROP, max(1, longest)) < self.places_dropped
        chosen = [
            self._drop_places(self._sample(self.rows[p], size, pick), drop)
            for p, size, pick, drop in zip(positions, sizes, picks, drops, strict=True)
        ]
        sets: dict[frozenset[int], int] = {}
        groups = np.array([sets.setdefault(frozenset(ids.tolist()), len(sets)) for ids in chosen])
        present = np.unique(np.concatenate([self._stated[p] for p in positions]))
        says = self._membership([self._stated[p] for p in positions], present)
        kinds = self._sampled_kinds(positions, keys)
        said = np.unique(np.concatenate([self.rows[p] for p in positions]))
        return StepTexts(
            reports=self._joined(chosen),
            groups=groups,
            statements=[self.vocabulary[k] for k in present],
            says=says,
            holds=_held(says, present, chosen),
            derived=~np.isin(present, said),
            kinds=self._joined(kinds),
            kinds_hold=_held(says, present, kinds),
        )

    def _joined(self, chosen: Sequence[Rows]) -> list[str]:
        return [join_statements([self.vocabulary[k] for k in ids]) for ids in chosen]

    def _sampled_kinds(self, positions: Rows, keys: npt.NDArray[np.uint64]) -> list[Rows]:
        if not self._kinds:
            return []
        rows = [self._kinds[p] for p in positions]
        sizes = uniforms(keys, _KIND_SIZE, 1)[:, 0]
        picks = uniforms(keys, _KIND_PICK, max(1, *(len(row) for row in rows)))
        return [self._sample(row, size, pick) for row, size, pick in zip(rows, sizes, picks, strict=True)]

    @staticmethod
    def _membership(rows: Sequence[Rows], present: Rows) -> npt.NDArray[np.bool_]:
        found = np.zeros((len(rows), len(present)), dtype=bool)
        for number, row in enumerate(rows):
            found[number, np.searchsorted(present, row)] = True
        return found

    def _drop_places(self, ids: Rows, drop: npt.NDArray[np.bool_]) -> Rows:
        if not self._unplaced:
            return ids
        said = [self._unplaced.get(k, k) if away else k for k, away in zip(ids.tolist(), drop, strict=False)]
        return _distinct(said)

    def _sample(self, ids: Rows, size: float, pick: npt.NDArray[np.float64]) -> Rows:
        if not self.sampling or len(ids) < 2:
            return ids
        order = np.argsort(pick[: len(ids)], kind="stable")
        return ids[order[: 1 + int(size * len(ids))]]


def _distinct(numbers: Iterable[int]) -> Rows:
    return np.array(list(dict.fromkeys(numbers)), dtype=np.int64)


def _held(says: npt.NDArray[np.bool_], present: Rows, texts: Sequence[Rows]) -> npt.NDArray[np.bool_]:
    """``(batch, len(texts))``: whether a recording says all statements of a text."""
    # no matrix product: the threads of numpy's would spin on through the encoder's first layers
    columns = [says[:, np.searchsorted(present, ids)].all(axis=1) for ids in texts]
    return np.stack(columns, axis=1) if columns else np.zeros((len(says), 0), dtype=bool)


@dataclass(frozen=True)
class Order:
    """Which recordings make each joined batch; no recording comes twice in an epoch.

    Attributes:
        count: training recordings.
        batch_size: recordings of a joined batch.
        seed: of the run.
    """

    count: int
    batch_size: int
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in an epoch; what is left over is another set of recordings each epoch."""
        return max(1, self.count // self.batch_size)

    def keys(self, epoch: int, positions: Rows) -> npt.NDArray[np.uint64]:
        """The key of each recording in an epoch: its augmentation, statements and dropout follow from it."""
        return augmentation_keys(self.seed, epoch, positions)

    def epoch(self, epoch: int) -> Rows:
        """Positions of all recordings in the order of an epoch."""
        everything = np.arange(self.count)
        drawn = uniforms(self.keys(epoch, everything), _ORDER, 1)[:, 0]
        return np.argsort(drawn, kind="stable")

    def steps(self, start: int, stop: int) -> Iterator[tuple[int, int, Rows]]:
        """Steps ``start`` to ``stop`` as (step, epoch, positions of the joined batch)."""
        epoch, order = -1, np.zeros(0, dtype=np.int64)
        for step in range(start, stop):
            if step // self.steps_per_epoch != epoch:
                epoch = step // self.steps_per_epoch
                order = self.epoch(epoch)
            first = (step % self.steps_per_epoch) * self.batch_size
            yield step, epoch, order[first : first + self.batch_size]


def load_batch(store: Store, rows: Rows) -> SignalBatch:
    """Gather rows of the store as tensors."""
    found = store.read(rows)
    return SignalBatch.from_arrays(
        found.signal, found.lead_mask, found.lengths, found.beats, found.beat_mask, found.fs
    )


def signed(keys: npt.NDArray[np.uint64]) -> torch.Tensor:
    """Keys as the int64 tensor that torch can hold: the same 64 bits."""
    return torch.from_numpy(keys.view(np.int64).copy())


def prefetch(make: Callable[[], Iterator[Item]], depth: int = 2) -> Iterator[Item]:
    """Run an iterator in a thread, a few items ahead; its error is raised here."""
    items: queue.Queue[tuple[Item | None, BaseException | None]] = queue.Queue(depth)
    stop = threading.Event()

    def put(entry: tuple[Item | None, BaseException | None]) -> bool:
        while not stop.is_set():
            try:
                items.put(entry, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in make():
                if not put((item, None)):
                    return
            put((None, None))
        except BaseException as error:  # noqa: BLE001 - handed to the consumer, who raises it
            put((None, error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            item, error = items.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
    finally:
        stop.set()
        thread.join()
