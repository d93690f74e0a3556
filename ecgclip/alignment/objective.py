"""An objective is a weighted sum of terms, each logged by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from .batch import AlignmentBatch
from .infonce import InfoNCE, StatementInfoNCE
from .local import LocalAlignment

__all__ = ["TERMS", "Objective", "Term", "WeightedTerm"]


class Term(Protocol):
    """One pull between the two sides."""

    @property
    def name(self) -> str:
        """Name in the log."""
        ...

    def __call__(self, batch: AlignmentBatch) -> Tensor:
        """Return a scalar to be made small."""
        ...


TERMS: dict[str, Callable[..., Term]] = {
    "infonce": InfoNCE,
    "statements": StatementInfoNCE,
    "local": LocalAlignment,
}


@dataclass(frozen=True)
class WeightedTerm:
    """A term and its weight."""

    term: Term
    weight: float


@dataclass(frozen=True)
class Objective:
    """Weighted sum of terms.

    Attributes:
        parts: the terms with their weights.
    """

    parts: Sequence[WeightedTerm]

    def __call__(self, batch: AlignmentBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of a joined batch and the value of each term."""
        values = {part.term.name: part.term(batch) for part in self.parts}
        total = sum(
            (part.weight * value for part, value in zip(self.parts, values.values(), strict=True)),
            start=batch.signal.new_zeros(()),
        )
        return total, values
