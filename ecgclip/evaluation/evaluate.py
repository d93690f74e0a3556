"""One finished model, one corpus, label sets: the zero-shot tables."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ecgclip.errors import DataError, UsageError

if TYPE_CHECKING:
    from ecgclip.models import ECGTextModel
    from ecgclip.prompts import PromptBank

__all__ = ["Evaluation", "evaluate", "evaluation", "evaluations"]


class Evaluation:
    """A table with the scores that it was made of.

    Attributes:
        table: what ``evaluate`` gives.
        scores: ``(n, n_labels)`` float32; NaN rows of marked recordings are left out here.
        targets: ``(n, n_labels)`` int8.
        rows: the corpus table of the recordings that were scored.
        codes: the labels.
        errors: recordings that could not be read, by record id, with the reason.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        scores: "np.ndarray[Any, Any]",
        targets: "np.ndarray[Any, Any]",
        rows: pd.DataFrame,
        codes: Sequence[str],
        errors: Mapping[str, str],
    ) -> None:
        self.table, self.scores, self.targets = table, scores, targets
        self.rows, self.codes, self.errors = rows, tuple(codes), dict(errors)

    @property
    def macro(self) -> float:
        """Macro AUROC over the labels with enough positives and negatives."""
        return float(self.table["auroc"]["macro"])

    def long_scores(self) -> pd.DataFrame:
        """One row a recording and label: record, patient, split, label, score, target."""
        n, m = self.scores.shape
        repeat = {
            name: np.repeat(self.rows[name].to_numpy(), m) for name in ("record_id", "patient_id", "split")
        }
        found: pd.DataFrame = pd.DataFrame(
            {
                "record": repeat["record_id"],
                "patient": repeat["patient_id"],
                "split": repeat["split"],
                "label": np.tile(np.array(self.codes), n),
                "score": self.scores.reshape(-1),
                "target": self.targets.reshape(-1),
            }
        )
        return found


def evaluate(
    model: "ECGTextModel",
    corpus: Any,
    labels: str = "ptbxl-superclass",
    *,
    split: str | None = "validation",
    bank: "PromptBank | None" = None,
    draws: int = 1000,
    seed: int = 0,
    on_error: str = "mark",
) -> pd.DataFrame:
    """Zero-shot AUROC of each label with its interval, and the macro figures.

    Every recording of the part counts; a label that is absent is a negative. See ``auroc_table`` for the
    columns (``n``, ``positives``, ``auroc``, ``low``, ``high`` …).

    Args:
        model: the finished model.
        corpus: a corpus or a prepared store with codes.
        labels: the label set.
        split: part of the corpus; None for all of it.
        bank: the prompts; by default the shipped bank of the label set.
        draws: bootstrap draws over patients.
        seed: of the draws.
        on_error: ``mark`` leaves out a recording that cannot be read and names it in ``table.attrs['errors']``;
            ``raise`` raises.

    Raises:
        UsageError: an unknown label set or split.
        DataError: the corpus carries no labels of this set, or the part is empty.
    """
    return evaluation(
        model, corpus, labels, split=split, bank=bank, draws=draws, seed=seed, on_error=on_error
    ).table


def evaluation(
    model: "ECGTextModel",
    corpus: Any,
    labels: str,
    *,
    split: str | None = "validation",
    bank: "PromptBank | None" = None,
    draws: int = 1000,
    seed: int = 0,
    on_error: str = "mark",
) -> Evaluation:
    """Do what ``evaluate`` does, and keep the scores."""
    banks = None if bank is None else {labels: bank}
    return evaluations(
        model, corpus, [labels], split=split, banks=banks, draws=draws, seed=seed, on_error=on_error
    )[labels]


def evaluations(
    model: "ECGTextModel",
    corpus: Any,
    labels: Sequence[str],
    *,
    split: str | None = "validation",
    banks: "Mapping[str, PromptBank] | None" = None,
    draws: int = 1000,
    seed: int = 0,
    on_error: str = "mark",
) -> dict[str, Evaluation]:
    """Do what `evaluation` does for several label sets, every recording being read and embedded once.

    Each set is scored by itself: its figures are those of a call of its own.

    Args:
        model: the finished model.
        corpus: a corpus or a prepared store with codes.
        labels: the label sets.
        split: part of the corpus; None for all of it.
        banks: prompts by label set; the shipped bank where a set has none here.
        draws: bootstrap draws over patients.
        seed: of the draws.
        on_error: ``mark`` or ``raise``, as `evaluate` takes it.

    Returns:
        By label set, in the order asked for.

    Raises:
        UsageError: no label set, an unknown one, or an unknown split.
        DataError: the corpus carries no labels of a set, or the part is empty.
    """
    from ecgclip.corpora import label_set
    from ecgclip.models import take_split
    from ecgclip.prompts import ZeroShotClassifier, decision_functions

    if not hasattr(corpus, "table"):
        raise UsageError(f"evaluate needs a corpus or a store with labels, got {type(corpus).__name__}")
    if not labels:
        raise UsageError("no label set to evaluate: name one or more, such as ptbxl-superclass")
    wanted = {name: label_set(name) for name in labels}
    part = take_split(corpus, split)
    rows = part.table
    targets = {name: each.matrix(rows) for name, each in wanted.items()}
    classifiers = {name: ZeroShotClassifier(model, (banks or {}).get(name, name)) for name in wanted}
    for name, classifier in classifiers.items():
        if tuple(classifier.bank.labels) != tuple(wanted[name].codes):
            raise DataError(f"bank {classifier.bank.name!r} has not the labels of {name}: mend the bank")
    found = decision_functions(list(classifiers.values()), part, on_error=on_error)
    scores = dict(zip(wanted, found, strict=True))
    return {
        name: _tabled(
            scores[name], targets[name], each.codes, rows, classifiers[name].errors_, draws=draws, seed=seed
        )
        for name, each in wanted.items()
    }


def _tabled(
    scores: "np.ndarray[Any, Any]",
    targets: "np.ndarray[Any, Any]",
    codes: Sequence[str],
    rows: pd.DataFrame,
    marked: Mapping[int, str],
    *,
    draws: int,
    seed: int,
) -> Evaluation:
    """The table of the recordings that could be read."""
    from .table import auroc_table

    good = np.isfinite(scores).all(axis=1)
    errors = {str(rows["record_id"].iloc[k]): why for k, why in marked.items()}
    if not good.any():
        raise DataError(
            f"none of the {len(rows)} recordings could be read, for example {next(iter(errors.items()))}"
        )
    rows = rows[good].reset_index(drop=True)
    table = auroc_table(
        scores[good], targets[good], codes, rows["patient_id"].to_numpy(), draws=draws, seed=seed
    )
    table.attrs["errors"] = errors
    return Evaluation(table, scores[good], targets[good], rows, codes, errors)
