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
        """Return the loss of a joined batch and the value of each term; a second of a name is numbered."""
        total, values = batch.signal.new_zeros(()), dict[str, Tensor]()
        for part in self.parts:
            value = part.term(batch)
            total = total + part.weight * value
            same = sum(name.partition("#")[0] == part.term.name for name in values)
            values[f"{part.term.name}#{same + 1}" if same else part.term.name] = value
        return total, values
