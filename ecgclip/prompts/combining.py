"""From the scores of phrases to the scores of labels, by stated rules."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ecgclip.models import readable_texts

from .bank import Phrase, PromptBank

if TYPE_CHECKING:
    from ecgclip.models import ECGTextModel

__all__ = ["PhraseMap"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PhraseMap:
    """Which phrases make which label.

    A label's phrases are read as reports are; phrases that read alike count once. A label's score is the
    mean over its distinct readings; a label with parts is scored by the soft maximum of its parts' scores and
    its own (any part is enough for the label).

    Attributes:
        texts: one phrase for each distinct reading.
        groups: for each label, the groups of text positions whose means are brought together.
        center: what recordings score with each label, ``(n_labels,)``.
        spread: spread of that over recordings.
    """

    texts: list[str]
    groups: tuple[tuple[tuple[int, ...], ...], ...]
    spread: float

    @classmethod
    def of(cls, bank: PromptBank, model: "ECGTextModel") -> "PhraseMap":
        """Read a bank's phrases by the model's reader."""
        place: dict[tuple[str, ...], int] = {}
        texts: list[str] = []

        def add(phrases: Iterable[Phrase]) -> tuple[int, ...]:
            found = []
            for phrase in phrases:
                reading = readable_texts(phrase.text, model.config.findings) or (phrase.text.lower(),)
                if reading not in place:
                    place[reading] = len(texts)
                    texts.append(phrase.text)
                found.append(place[reading])
            return tuple(dict.fromkeys(found))

        groups = []
        for code in bank.labels:
            own = add(bank.phrases(code))
            groups.append((own,))
        return cls(texts=texts, groups=tuple(groups), spread=1.0)

    def labels(self, scores: Floats) -> Floats:
        """Bring scores of phrases ``(n, n_phrases)`` to labels ``(n, n_labels)``."""
        columns = []
        for groups in self.groups:
            means = [scores[:, list(group)].mean(axis=1) for group in groups]
            columns.append(means[0] if len(means) == 1 else _soft_maximum(np.stack(means)))
        return np.stack(columns, axis=1) if columns else np.zeros((len(scores), 0), dtype=np.float32)

    def standardised(self, scores: Floats) -> Floats:
        """Scores of labels in spreads; even at twice the spread above nothing in common."""
        found: Floats = scores / np.float32(self.spread) - np.float32(2.0)
        return found


def _soft_maximum(parts: Floats, sharpness: float = 4.0) -> Floats:
    """``log mean exp`` over the first axis, at a sharpness in units of the joined score."""
    top = parts.max(axis=0)
    total: Floats = top + np.log(np.exp(sharpness * (parts - top)).mean(axis=0)) / np.float32(sharpness)
    return total
