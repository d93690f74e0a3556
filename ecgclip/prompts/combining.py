"""From the scores of phrases to the scores of labels, by stated rules."""

import math
from collections.abc import Iterable, Mapping
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
Group = dict[int, float]

_SHARPNESS = 2.0
_UNSEEN = 0.05  # what a reading that no training report used counts as, in reports
_EVEN = 1.5  # standard deviations above the center at which a label is as likely as the stated prior


@dataclass(frozen=True, eq=False)
class PhraseMap:
    """Which phrases make which label.

    A label's phrases are read as reports are, and phrases that read alike count once. A group of phrases is
    scored by the mean over its distinct readings, each weighted by ``log(1.05 + n)``, where ``n`` counts the
    training reports that used its rarest statement: words that the model never met count for little. A label
    with parts is scored by ``log mean exp`` over the groups of its parts and its own: any part is enough.

    Attributes:
        texts: one phrase for each distinct reading.
        mixing: ``(n_phrases, n_groups)`` weights; each column sums to one.
        owner: ``(n_groups,)`` label of each group, ascending.
        center: what other recordings score with findings on the average.
        scatter: standard deviation of that.
    """

    texts: list[str]
    mixing: Floats
    owner: npt.NDArray[np.int64]
    center: float
    scatter: float

    @classmethod
    def of(cls, bank: PromptBank, model: "ECGTextModel") -> "PhraseMap":
        """Read a bank's phrases by the model's reader."""
        readings = _Readings(model.config.findings, model.config.familiar)
        groups: list[Group] = []
        owner: list[int] = []
        for label, code in enumerate(bank.labels):
            own = readings.group(bank.phrases(code))
            parts = [readings.group(phrases) for phrases in bank.parts(code).values()]
            for group in [own, *(part for part in parts if part)]:
                groups.append(group)
                owner.append(label)
        mixing = np.zeros((len(readings.texts), len(groups)), dtype=np.float32)
        for column, group in enumerate(groups):
            for row, weight in group.items():
                mixing[row, column] = weight
        place = np.array(owner, dtype=np.int64)
        config = model.config
        return cls(readings.texts, mixing, place, config.center, config.scatter)

    def labels(self, scores: Floats) -> Floats:
        """Bring scores of phrases ``(n, n_phrases)`` to labels ``(n, n_labels)``."""
        groups = scores @ self.mixing
        starts = np.flatnonzero(np.diff(self.owner, prepend=-1))
        top = np.maximum.reduceat(groups, starts, axis=1)
        lifted = np.exp(_SHARPNESS * (groups - top[:, self.owner]))
        counts = np.diff([*starts, len(self.owner)])
        mean = np.add.reduceat(lifted, starts, axis=1) / counts
        return (top + np.log(mean) / _SHARPNESS).astype(np.float32)

    def standardised(self, scores: Floats) -> Floats:
        """Distance of a label's score from where it says nothing either way, in standard deviations."""
        return np.asarray((scores - self.center) / self.scatter - _EVEN, dtype=np.float32)


class _Readings:
    """Distinct readings of phrases and how familiar each is."""

    def __init__(self, findings: str, familiar: Mapping[str, int]) -> None:
        self.texts: list[str] = []
        self._findings, self._familiar = findings, familiar
        self._place: dict[tuple[str, ...], int] = {}

    def group(self, phrases: Iterable[Phrase]) -> Group:
        """Weights over text positions of a group of phrases, summing to one."""
        found: Group = {}
        for phrase in phrases:
            reading = readable_texts(phrase.text, self._findings) or (phrase.text.lower(),)
            if reading not in self._place:
                self._place[reading] = len(self.texts)
                self.texts.append(phrase.text)
            rarest = min(self._familiar.get(statement, 0) for statement in reading)
            found[self._place[reading]] = math.log(1.0 + _UNSEEN + rarest)
        total = sum(found.values())
        return {row: weight / total for row, weight in found.items()}
