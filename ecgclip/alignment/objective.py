"""An objective is a weighted sum of terms, each logged by name."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from .batch import AlignmentBatch
from .terms import TokenTerm

__all__ = ["Objective", "Term", "WeightedTerm"]


class Term(Protocol):
    """One pull between the two sides; a module where it has parameters of its own."""

    @property
    def name(self) -> str:
        """Name in the log."""
        ...

    @property
    def needs(self) -> frozenset[str]:
        """What of a batch it looks at beside the pairs: some of ``batch.NEEDS``."""
        ...

    def __call__(self, batch: AlignmentBatch) -> Tensor:
        """Return a scalar to be made small."""
        ...


@dataclass(frozen=True)
class WeightedTerm:
    """A term and its weight."""

    term: Term
    weight: float


class Objective(nn.Module):
    """Weighted sum of terms; it holds the parameters that are theirs and not the model's.

    Called under autocast, it lets it reach the networks of terms that have one; every loss is in float32.

    Args:
        parts: the terms with their weights.
    """

    def __init__(self, parts: Sequence[WeightedTerm]) -> None:
        super().__init__()
        self.parts = tuple(parts)
        self.terms = nn.ModuleDict(
            {str(k): part.term for k, part in enumerate(self.parts) if isinstance(part.term, nn.Module)}
        )

    @property
    def needs(self) -> frozenset[str]:
        """What some term needs."""
        return frozenset().union(*(part.term.needs for part in self.parts))

    def forward(self, batch: AlignmentBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of a joined batch and the value of each term; a second of a name is numbered."""
        device = batch.signal.device.type
        total, values = batch.signal.new_zeros(()), dict[str, Tensor]()
        for part in self.parts:
            network = isinstance(part.term, TokenTerm)
            with nullcontext() if network else torch.autocast(device, enabled=False):
                value = part.term(batch)
            total = total + part.weight * value
            same = sum(name.partition("#")[0] == part.term.name for name in values)
            values[f"{part.term.name}#{same + 1}" if same else part.term.name] = value
        return total, values
