"""What may be asked of a benchmark beside model, corpus and protocols."""

from dataclasses import dataclass
from pathlib import Path

from ecgclip.errors import UsageError, unknown_name

from .results import MARKS

__all__ = ["Options"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What may be asked of a benchmark beside model, corpus and protocols.

    Attributes:
        split: ``validation``, ``test`` or ``all`` (a corpus that no training stage saw).
        labels: label sets; by default those of the corpus.
        to: a second corpus, for ``transfer``.
        draws: bootstrap draws.
        seed: of every draw.
        minimum: positives and negatives that a label needs in the scored part.
        probe_draws: draws of training patients.
        supervised: train the supervised twin for its row (minutes).
        epochs: of that twin and of fine-tuning, instead of their own.
        marks: what every row of the model says of itself; None for what its recipe tells.
        fs: samples a second that an outside encoder expects.
        band: pass band in Hz of what an outside encoder is given.
        allow_missing: go on where recordings of the corpus are absent.
        workers: processes that prepare and delineate.
        command: how this was called, for the results file.
    """

    split: str = "test"
    labels: tuple[str, ...] | None = None
    to: str | Path | None = None
    draws: int = 1000
    seed: int = 0
    minimum: int = 10
    probe_draws: int = 3
    supervised: bool = False
    epochs: int | None = None
    marks: tuple[str, ...] | None = None
    fs: float | None = None
    band: tuple[float, float] | None = None
    allow_missing: bool = False
    workers: int = 1
    command: str = ""

    def __post_init__(self) -> None:
        if self.split not in ("validation", "test", "all"):
            raise unknown_name("split", self.split, ("validation", "test", "all"))
        for mark in self.marks or ():
            if mark not in MARKS:
                raise unknown_name("mark", mark, MARKS)
        for name in ("draws", "minimum", "probe_draws", "workers"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)!r}: expected 1 or more")
