"""Several classifiers of one model, asked about the same recordings."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ecgclip.errors import UsageError
from ecgclip.models import take_split
from ecgclip.prompts.bank import PromptBank
from ecgclip.prompts.scoring import joined, score_lists

from .combining import PhraseMap

if TYPE_CHECKING:
    from ecgclip.models import ECGTextModel, Recordings

    from .zero_shot import ZeroShotClassifier

__all__ = ["decision_functions", "finding_scores"]

Floats = npt.NDArray[np.float32]


def decision_functions(
    classifiers: Sequence["ZeroShotClassifier"],
    records: "Recordings",
    *,
    split: str | None = None,
    batch_size: int = 64,
    on_error: str = "raise",
) -> list[Floats]:
    """What each classifier's ``decision_function`` gives, every recording being embedded once for all of them.

    Each classifier's phrases are scored by themselves; that others are asked too changes no score.

    Args:
        classifiers: of one model.
        records: paths, folders, ``ECGRecord``s, ``(array, fs, lead_names)``, a store or a corpus.
        split: only this split of a store or corpus.
        batch_size: windows computed at once.
        on_error: ``raise``, or ``mark``: the row is NaN and each ``errors_`` says why, by position.

    Returns:
        For each classifier ``(n, n_labels)`` float32.

    Raises:
        UsageError: no classifier, or classifiers of several models.
        DataError: a recording cannot be read.
    """
    if not classifiers or any(each.model is not classifiers[0].model for each in classifiers):
        raise UsageError(f"{len(classifiers)} classifiers: expected one or more, all of the same model")
    lists = [each._vectors() for each in classifiers]
    source = take_split(records, split)
    found = score_lists(classifiers[0].model, source, lists, batch_size=batch_size, on_error=on_error)
    scores = []
    for each, phrases in zip(classifiers, found, strict=True):
        each.errors_ = dict(phrases.errors)
        labels = each._map.labels(joined(phrases.parts, each.model.config))
        scores.append(phrases.by_record(labels, each.window))
    return scores


def finding_scores(model: "ECGTextModel", records: "Recordings", findings: Sequence[str]) -> Floats:
    """Score findings in any words, each as the one phrase of a label would be: ``(n, n_findings)``.

    What a report says is no bank: findings may name one another, say one thing twice or be no clinical statement.

    Raises:
        DataError: a recording cannot be read.
    """
    bank = PromptBank.from_dict({str(number): [finding] for number, finding in enumerate(findings)})
    phrases = PhraseMap.of(bank, model)
    found = score_lists(model, records, [phrases.vectors(model.text_vectors(phrases.texts))])[0]
    return found.by_record(phrases.labels(joined(found.parts, model.config)), "max")
