"""The texts that compete for a recording's mass: the phrases asked for, alone or beside the model's bank."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

if TYPE_CHECKING:
    from ecgclip.models import ECGTextModel

__all__ = ["TEXT_MEASURES", "Competing", "bank_findings", "competing_texts"]

TEXT_MEASURES = ("phrases", "bank")

_BANK = 64
"""Findings of the bank at most: the commonest of the reports that the model was trained with."""
_SAME = 0.75
"""Cosine from which two findings count as one; the commoner stands for both."""


@dataclass(frozen=True, eq=False)
class Competing:
    """Distinct texts of the local space, those asked for first.

    Attributes:
        phrases: what was asked for, in the order asked.
        vectors: ``(n_texts, dim)`` unit vectors.
        places: ``(n_phrases,)`` which of them each phrase is; phrases that read the same share one.
        measure: ``phrases`` or ``bank``.
    """

    phrases: tuple[str, ...]
    vectors: Tensor
    places: npt.NDArray[np.int64]
    measure: str

    def of_phrases(self, plan: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Columns of a plan ``(n_tokens, n_texts)`` for the phrases, ``(n_tokens, n_phrases)``.

        Phrases that share a text take equal parts of its mass.
        """
        users = np.bincount(self.places)[self.places].astype(np.float32)
        return plan[:, self.places] / users


def bank_findings(model: "ECGTextModel") -> list[str]:
    """The findings that the model knows, commonest first; those that it takes for the same are merged.

    Two findings count as one when their vectors in the local space have a cosine of at least 0.75, and the
    commoner one stands for both: transport would split the mass of one beat between them.
    """
    counts = model.config.familiar
    names = sorted(counts, key=lambda name: (-counts[name], name))[:_BANK]
    if not names:
        return []
    kept = _distinct(model.text_vectors(names)[1])
    return [names[k] for k in kept]


def competing_texts(model: "ECGTextModel", phrases: Sequence[str], measure: str) -> Competing:
    """Bring together what competes.

    Args:
        model: gives the vectors, and the bank.
        phrases: what is asked for.
        measure: ``phrases``, or ``bank`` for the findings of `bank_findings` as well, without those that
            mean the same as a phrase.

    Raises:
        UsageError: a phrase is empty.
    """
    asked = model.text_vectors(phrases)[1]
    distinct, places = _unique(asked)
    vectors = [distinct]
    if measure == "bank" and (names := bank_findings(model)):
        bank = model.text_vectors(names)[1]
        vectors.append(bank[(bank @ distinct.T).max(axis=1) < _SAME])
    joined = torch.from_numpy(np.concatenate(vectors)).to(model.device)
    return Competing(tuple(phrases), joined, places, measure)


def _unique(vectors: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Distinct rows in order of appearance, and which of them each row is."""
    seen: dict[bytes, int] = {}
    places = [seen.setdefault(row.tobytes(), len(seen)) for row in vectors]
    first = [places.index(k) for k in range(len(seen))]
    return vectors[first], np.array(places, dtype=np.int64)


def _distinct(vectors: npt.NDArray[np.float32]) -> list[int]:
    """Rows that are no near-duplicate of an earlier one that was kept."""
    kept: list[int] = []
    for row in range(len(vectors)):
        if not kept or float((vectors[kept] @ vectors[row]).max()) < _SAME:
            kept.append(row)
    return kept
