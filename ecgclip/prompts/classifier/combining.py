"""From the scores of phrases to the scores of labels, by stated rules."""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ecgclip.errors import UsageError, unknown_name
from ecgclip.models import readable_texts
from ecgclip.prompts.bank import Phrase, PromptBank

from .places import Places

if TYPE_CHECKING:
    from ecgclip.models import ECGTextModel

__all__ = ["COMBINE", "PhraseMap", "Wording"]

Floats = npt.NDArray[np.float32]
Group = dict[int, float]
Vectors = tuple[Floats, Floats]

COMBINE = ("score", "embedding")
"""Where the phrases of a group are averaged: their scores, or their embeddings before anything is scored."""

_SHARPNESS = 2.0
_UNSEEN = 0.05  # what a reading that no training report used counts as, in reports
_EVEN = 1.5  # standard deviations above the center at which a label is as likely as the stated prior


@dataclass(frozen=True, kw_only=True)
class Wording:
    """Which phrases of a bank speak for a label, and how they are brought together.

    Attributes:
        languages: languages of the phrases; None for all.
        kinds: kinds of phrase, of ``KINDS``; None for all that name the finding (no descriptions).
        combine: ``score`` or ``embedding``.
        negation: score a label by its phrases less its negations.
        parts: score a super-label from its parts as well.
        places: score a finding whose phrase names no place by the places that training reports name, too.

    Raises:
        UsageError: ``combine`` is neither.
    """

    languages: str | Collection[str] | None = None
    kinds: str | Collection[str] | None = None
    combine: str = "score"
    negation: bool = False
    parts: bool = True
    places: bool = True

    def __post_init__(self) -> None:
        if self.combine not in COMBINE:
            raise unknown_name("way to combine phrases", self.combine, COMBINE)


@dataclass(frozen=True, eq=False)
class PhraseMap:
    """Which phrases make which label.

    A label's phrases are read as reports are, and phrases that read alike count once. A group of phrases is
    scored by the mean over its distinct readings (of their scores, or of their embeddings, brought to unit
    length again), each weighted by ``log(1.05 + n)``, where ``n`` counts the training reports that used its
    rarest statement (or, of a finding without a place, any place of it): words that the model never met count
    for little. A label with parts is scored by ``log mean exp`` over the groups of its parts and its own, each
    weighted as its best known reading is: any part is enough, and one that the model never met counts for
    little. A phrase that names no place ("Q waves") holds wherever the finding lies, so the statements of
    training reports that place it ("Q waves in septal leads") are parts as well. Where negations are asked for,
    the score of the label's negations, a group of its own, is subtracted; a label without any is left as it is.

    Attributes:
        texts: one phrase for each distinct reading.
        mixing: ``(n_phrases, n_groups)`` weights; each column sums to one.
        owner: ``(n_positive_groups,)`` label of each group of phrases, ascending; they come first.
        share: ``(n_positive_groups,)`` weight of each among those of its label, summing to one.
        against: ``(n_negative_groups,)`` label of each group of negations; they come last.
        by_embedding: whether a group is scored as one text, by the mean of its embeddings.
        center: what other recordings score with findings on the average.
        scatter: standard deviation of that.
    """

    texts: list[str]
    mixing: Floats
    owner: npt.NDArray[np.int64]
    share: Floats
    center: float
    scatter: float
    against: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    by_embedding: bool = False

    @classmethod
    def of(cls, bank: PromptBank, model: "ECGTextModel", wording: Wording | None = None) -> "PhraseMap":
        """Read a bank's phrases by the model's reader.

        Raises:
            UsageError: a language or kind that the bank has not, a label that keeps no phrase, or negations
                asked of a bank without any.
        """
        how = wording if wording is not None else Wording()
        readings = _Readings(model.config.findings, model.config.familiar)
        groups: list[Group] = []
        owner: list[int] = []
        for label, code in enumerate(bank.labels):
            found = [_own(bank, code, how)]
            found += bank.parts(code, how.languages, how.kinds).values() if how.parts else ()
            made = [readings.group(phrases) for phrases in found]
            made += readings.placed(made) if how.places else ()
            groups += made
            owner += [label] * len(made)
        denied = {
            label: phrases
            for label, code in enumerate(bank.labels)
            if how.negation and (phrases := bank.negation(code, how.languages))
        }
        if how.negation and not denied:
            raise UsageError(
                f"prompt bank {bank.name!r} has no negations to set its phrases against: write 'negation' into its "
                "file, or leave negation=False"
            )
        groups += [readings.group(phrases) for phrases in denied.values()]
        return cls(
            texts=readings.texts,
            mixing=_mixing(groups, len(readings.texts)),
            owner=np.array(owner, dtype=np.int64),
            share=_share(readings, groups[: len(owner)], owner),
            center=model.config.center,
            scatter=model.config.scatter,
            against=np.array(list(denied), dtype=np.int64),
            by_embedding=how.combine == "embedding",
        )

    def vectors(self, texts: Vectors) -> Vectors:
        """Give what is scored: the embeddings of ``texts``, or their means by group, of unit length.

        Args:
            texts: what ``model.text_vectors`` gives for ``texts``.
        """
        if not self.by_embedding:
            return texts
        means = [self.mixing.T @ vectors for vectors in texts]
        first, second = (mean / np.linalg.norm(mean, axis=1, keepdims=True) for mean in means)
        return np.asarray(first, dtype=np.float32), np.asarray(second, dtype=np.float32)

    def labels(self, scores: Floats) -> Floats:
        """Bring scores of what ``vectors`` gave, ``(n, n_scored)``, to labels ``(n, n_labels)``."""
        groups = scores if self.by_embedding else scores @ self.mixing
        count = len(self.owner)
        found = self._any_part(groups[:, :count])
        found[:, self.against] -= groups[:, count:]
        return found

    def _any_part(self, groups: Floats) -> Floats:
        starts = np.flatnonzero(np.diff(self.owner, prepend=-1))
        top = np.maximum.reduceat(groups, starts, axis=1)
        lifted = np.exp(_SHARPNESS * (groups - top[:, self.owner]))
        mean = np.add.reduceat(lifted * self.share, starts, axis=1)
        return (top + np.log(mean) / _SHARPNESS).astype(np.float32)

    def standardised(self, scores: Floats) -> Floats:
        """Distance of a label's score from where it says nothing either way, in standard deviations.

        A difference of two scores lies about zero, and spreads as two that do not hang together.
        """
        n_labels = int(self.owner[-1]) + 1
        center = np.full(n_labels, self.center, dtype=np.float32)
        scatter = np.full(n_labels, self.scatter, dtype=np.float32)
        center[self.against] = 0.0
        scatter[self.against] *= math.sqrt(2.0)
        return np.asarray((scores - center) / scatter - _EVEN, dtype=np.float32)


def _own(bank: PromptBank, code: str, how: Wording) -> tuple[Phrase, ...]:
    found = bank.phrases(code, how.languages, how.kinds)
    if not found:
        raise UsageError(
            f"prompt bank {bank.name!r}: label {code} has no phrase with languages={how.languages!r}, "
            f"kinds={how.kinds!r}; ask for more of them"
        )
    return found


def _share(readings: "_Readings", groups: list[Group], owner: list[int]) -> Floats:
    known = np.array([max(readings.known[row] for row in group) for group in groups])
    return np.asarray(known / np.bincount(owner, weights=known)[owner], dtype=np.float32)


def _mixing(groups: list[Group], n_texts: int) -> Floats:
    mixing = np.zeros((n_texts, len(groups)), dtype=np.float32)
    for column, group in enumerate(groups):
        for row, weight in group.items():
            mixing[row, column] = weight
    return mixing


class _Readings:
    """Distinct readings of phrases, and how well known each is."""

    def __init__(self, findings: str, familiar: Mapping[str, int]) -> None:
        self.texts: list[str] = []
        self.known: list[float] = []
        self._findings, self._familiar = findings, familiar
        self._place: dict[tuple[str, ...], int] = {}
        self._places = Places(familiar if findings != "raw" else {})

    def group(self, phrases: Iterable[Phrase]) -> Group:
        """Weights over text positions of a group of phrases, summing to one."""
        found: Group = {}
        for phrase in phrases:
            reading = readable_texts(phrase.text, self._findings) or (phrase.text.lower(),)
            row = self._row(reading, phrase.text)
            found[row] = self.known[row]
        total = sum(found.values())
        return {row: weight / total for row, weight in found.items()}

    def placed(self, groups: Iterable[Group]) -> list[Group]:
        """A group for each statement that places a finding of ``groups`` and is in none of them."""
        rows = {row: None for group in groups for row in group}
        readings = list(self._place)
        found = dict.fromkeys(text for row in rows for text in self._places.of(readings[row]))
        return [{row: 1.0} for row in (self._row((text,), text) for text in found) if row not in rows]

    def _row(self, reading: tuple[str, ...], text: str) -> int:
        if reading not in self._place:
            self._place[reading] = len(self.texts)
            self.texts.append(text)
            rarest = min(self._familiar.get(statement, 0) for statement in reading)
            self.known.append(math.log(1.0 + _UNSEEN + max(rarest, sum(self._places.of(reading).values()))))
        return self._place[reading]
