"""What every protocol is handed: one model, one part of one corpus, and what was computed already."""

import hashlib
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ecgclip.corpora import LabelSet, Store, label_set
from ecgclip.models import ECGTextModel, StorePart
from ecgclip.prompts import BANKS, PromptBank, ZeroShotClassifier, decision_functions

from .cache import Cache
from .encoders import Encoder
from .progress import Counted, Progress
from .views import SeenThrough, View

if TYPE_CHECKING:
    from ecgclip.training.recipe import Recipe

__all__ = ["MEAN_OF", "OWN", "SETS_OF", "Bench"]

Floats = npt.NDArray[np.floating[Any]]

SETS_OF = {
    "scp": ("ptbxl-superclass", "ptbxl-subclass", "ptbxl-form", "ptbxl-rhythm"),
    "cpsc2018": ("cpsc2018",),
    "snomed": ("challenge-2021", "cpsc2018"),
    "csn": ("csn",),
}
"""Label sets of a corpus, by its code system."""

MORE_SETS_OF = {"scp": ("ptbxl-diagnostic", "ptbxl-all")}
MEAN_OF = SETS_OF["scp"]
OWN = "own"
"""The label set of a manifest whose labels are of no known set."""


@dataclass(eq=False)
class Bench:
    """One model (or outside encoder), one part of one corpus.

    Attributes:
        name: what the model is called.
        encoder: the frozen encoder of the row ``model``.
        model: the model; None for an outside encoder, which has no text side.
        recipe: what it was trained by; None where nobody knows.
        store: the corpus, prepared for the encoder.
        split: the part that is scored.
        sets: label sets to score.
        marks: what every row of the model says of itself.
        cache: of embeddings and scores.
        draws: bootstrap draws.
        seed: of draws.
        minimum: positives and negatives that a label needs.
        probe_draws: draws of training patients.
        supervised: whether the supervised twin is trained for its row.
        epochs: of that twin and of fine-tuning; None for the recipe's and the protocol's own.
        other: a second corpus, prepared alike, for ``transfer``.
        workers: processes that delineate.
        progress: told which step of a protocol begins.
        more_sets: label sets that only ``zero_shot`` scores.
    """

    name: str
    encoder: Encoder
    model: ECGTextModel | None
    recipe: "Recipe | None"
    store: Store
    split: str
    sets: tuple[str, ...]
    marks: tuple[str, ...]
    cache: Cache
    draws: int = 1000
    seed: int = 0
    minimum: int = 10
    probe_draws: int = 3
    supervised: bool = False
    epochs: int | None = None
    other: Store | None = None
    workers: int = 1
    progress: Progress = field(default_factory=lambda: Progress(print), repr=False)
    more_sets: tuple[str, ...] = ()
    _banks: dict[str, PromptBank] = field(default_factory=dict, init=False, repr=False)
    _tables: dict[str, pd.DataFrame] = field(default_factory=dict, init=False, repr=False)
    _targets: dict[tuple[str, str], tuple[LabelSet, npt.NDArray[np.int8]]] = field(
        default_factory=dict, init=False, repr=False
    )

    @property
    def figures(self) -> dict[str, int]:
        """Arguments of whatever makes a row."""
        return {"minimum": self.minimum, "draws": self.draws, "seed": self.seed}

    def rows(self, split: str | None) -> npt.NDArray[np.int64]:
        """Positions of a part; everything for ``all``."""
        return np.arange(len(self.store)) if split in (None, "all") else self.store.indices(split=split)

    def table(self, split: str | None = None) -> pd.DataFrame:
        """The table of a part, by default the scored one."""
        part = split or self.split
        if part not in self._tables:
            self._tables[part] = self.store.table.iloc[self.rows(part)].reset_index(drop=True)
        return self._tables[part]

    def features(self, encoder: Encoder, store: Store | None = None) -> Floats:
        """Features ``(n, dim)`` of every recording of the store, from the cache where they are there."""
        held = store if store is not None else self.store
        facts = {"encoder": encoder.hash, "store": held.hash, "preprocessor": held.preprocessor.hash}

        def make() -> dict[str, npt.NDArray[Any]]:
            tell = self.progress.counting(f"embeds the recordings of {held.name}", len(held))
            return {"features": encoder.features(Counted(StorePart(held, np.arange(len(held))), tell))}

        return self.cache.arrays("features", facts, make)["features"]

    def scores(
        self, labels: str, *, split: str | None = None, view: View | None = None, store: Store | None = None
    ) -> Floats:
        """Zero-shot scores ``(n, labels)`` of a part by the shipped bank, from the cache where they are there.

        Recordings are embedded once for all label sets that will be asked of them.
        """
        held, seen = (store if store is not None else self.store), (view if view is not None else View())
        part = split or self.split
        rows = np.arange(len(held)) if part == "all" else held.indices(split=part)
        shared = {
            "model": self.encoder.hash,
            "store": held.hash,
            "preprocessor": held.preprocessor.hash,
            "rows": hashlib.sha256(rows.tobytes()).hexdigest()[:12],
            "view": seen.facts,
        }

        def facts(name: str) -> dict[str, Any]:
            return {**shared, "labels": name, "bank": self.bank_hash(name)}

        def make() -> dict[str, npt.NDArray[Any]]:
            source = StorePart(held, rows) if seen.plain else SeenThrough(held, rows, seen)
            beside = () if store is not None else (*self.banked, *(self.more_sets if seen.plain else ()))
            known = [name for name in beside if name in BANKS and name != labels]
            sets = [labels, *(name for name in known if not self.cache.has("scores", facts(name)))]
            found = decision_functions([self.classifier(name) for name in sets], source)
            for name, scores in zip(sets[1:], found[1:], strict=True):
                self.cache.arrays("scores", facts(name), partial(dict, scores=scores))
            return {"scores": found[0]}

        return self.cache.arrays("scores", facts(labels), make)["scores"]

    def classifier(self, labels: str) -> ZeroShotClassifier:
        """The shipped bank's classifier of a label set."""
        assert self.model is not None
        return ZeroShotClassifier(self.model, self._bank(labels))

    def bank_hash(self, labels: str) -> str:
        """Hash of the shipped bank of a label set."""
        return self._bank(labels).hash

    def _bank(self, labels: str) -> PromptBank:
        if labels not in self._banks:
            self._banks[labels] = PromptBank.load(labels)
        return self._banks[labels]

    def targets(self, labels: str, split: str | None = None) -> tuple[LabelSet, npt.NDArray[np.int8]]:
        """A label set and its truth ``(n, labels)`` on a part."""
        key = labels, split or self.split
        if key not in self._targets:
            wanted = self.label_set(labels)
            self._targets[key] = wanted, wanted.matrix(self.table(split))
        return self._targets[key]

    def label_set(self, labels: str) -> LabelSet:
        """A label set by name; ``own`` is every label that the corpus's manifest names."""
        if labels != OWN:
            return label_set(labels)
        return LabelSet.of(OWN, sorted({code for codes in self.store.table["codes"] for code in codes}))

    @property
    def banked(self) -> tuple[str, ...]:
        """The label sets that a shipped bank has phrases for."""
        return tuple(name for name in self.sets if name != OWN)
