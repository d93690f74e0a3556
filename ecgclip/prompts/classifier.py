"""A trained model and a list of findings is a classifier."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ecgclip.errors import UsageError
from ecgclip.models import take_split

from .bank import PromptBank
from .combining import PhraseMap
from .scoring import joined, score_phrases

if TYPE_CHECKING:
    from ecgclip.models import ECGTextModel, Recordings

__all__ = ["ZeroShotClassifier"]

_PRIOR = 0.1


class ZeroShotClassifier:
    """Multi-label classifier over the labels of a prompt bank; nothing was trained on labels.

    Labels may overlap freely: there is no softmax across them.

    Args:
        model: a trained ``ECGTextModel``.
        labels: name of a shipped bank (a label set), a ``PromptBank``, or ``{"label": ["phrase", ...]}``.
        prior: share of recordings in which a label is expected, stated by the user for all labels or for
            each; ``predict_proba`` and ``predict`` rest on it until the classifier is calibrated.
        window: how windows of a long recording are brought together, ``max`` or ``mean``.

    Raises:
        UsageError: an unknown bank or a prior outside (0, 1).
        DataError: a bank that cannot be used.
    """

    def __init__(
        self,
        model: "ECGTextModel",
        labels: "str | Path | PromptBank | Mapping[str, Sequence[str]]" = "ptbxl-superclass",
        *,
        prior: float | Mapping[str, float] = _PRIOR,
        window: str = "max",
    ) -> None:
        self.model = model
        self.labels = labels
        self.prior = prior
        self.window = window
        self.bank = _bank(labels)
        self._map = PhraseMap.of(self.bank, model)
        self._logit = _prior_logits(prior, self.bank.labels)
        self.errors_: dict[int, str] = {}
        if window not in ("max", "mean"):
            raise UsageError(f"window must be 'max' or 'mean', got {window!r}")

    @property
    def classes_(self) -> npt.NDArray[np.str_]:
        """Codes of the labels, ``(n_labels,)``, in the bank's order."""
        return np.array(self.bank.labels)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor's arguments, as scikit-learn's ``clone`` wants them."""
        return {"model": self.model, "labels": self.labels, "prior": self.prior, "window": self.window}

    def set_params(self, **params: Any) -> "ZeroShotClassifier":
        """Set constructor arguments and build again.

        Raises:
            UsageError: an unknown argument.
        """
        values = self.get_params()
        for key in params:
            if key not in values:
                raise UsageError(f"unknown argument {key!r}: there is {', '.join(values)}")
        self.__init__(**{**values, **params})  # type: ignore[misc]
        return self

    def decision_function(
        self,
        records: "Recordings",
        *,
        split: str | None = None,
        batch_size: int = 64,
        on_error: str = "raise",
    ) -> npt.NDArray[np.float32]:
        """Raw similarity of each recording with each label, ``(n, n_labels)`` float32.

        Args:
            records: paths, folders, ``ECGRecord``s, ``(array, fs, lead_names)``, a store or a corpus.
            split: only this split of a store or corpus.
            batch_size: windows computed at once.
            on_error: ``raise``, or ``mark``: the row is NaN and ``errors_`` says why, by position.

        Raises:
            DataError: a recording cannot be read.
        """
        source = take_split(records, split)
        found = score_phrases(self.model, source, self._map.texts, batch_size=batch_size, on_error=on_error)
        self.errors_ = found.errors
        scores = joined(found.parts, self.model.config)
        return found.by_record(self._map.labels(scores), self.window)

    def predict_proba(
        self,
        records: "Recordings",
        *,
        split: str | None = None,
        batch_size: int = 64,
        on_error: str = "raise",
    ) -> npt.NDArray[np.float32]:
        """Probability of each label, ``(n, n_labels)`` in [0, 1]; a stated prior's logistic.

        The score's distance from what other recordings score with the label's phrases, in spreads, moves
        the prior's logit. It ranks as ``decision_function`` does and is not calibrated.
        """
        scores = self.decision_function(records, split=split, batch_size=batch_size, on_error=on_error)
        return self.probability(scores)

    def predict(
        self,
        records: "Recordings",
        *,
        split: str | None = None,
        batch_size: int = 64,
        on_error: str = "raise",
    ) -> npt.NDArray[np.int8]:
        """Zero or one for each label, ``(n, n_labels)``; probability at least one half. A marked row is 0."""
        probability = self.predict_proba(records, split=split, batch_size=batch_size, on_error=on_error)
        return (np.nan_to_num(probability) >= 0.5).astype(np.int8)

    def probability(self, scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Turn ``decision_function``'s scores ``(n, n_labels)`` into what ``predict_proba`` gives."""
        logit = self._logit + 1.5 * self._map.standardised(scores)
        return (0.5 * (1.0 + np.tanh(0.5 * logit))).astype(np.float32)  # the logistic, without overflow


def _bank(labels: "str | Path | PromptBank | Mapping[str, Sequence[str]]") -> PromptBank:
    if isinstance(labels, PromptBank):
        return labels
    if isinstance(labels, Mapping):
        return PromptBank.from_dict(labels)
    if isinstance(labels, (str, Path)):
        return PromptBank.load(labels)
    raise UsageError(
        f"labels must be a label set's name, a PromptBank or a dict of phrases, got {type(labels).__name__}"
    )


def _prior_logits(prior: float | Mapping[str, float], codes: Sequence[str]) -> npt.NDArray[np.float32]:
    values = [prior.get(code, _PRIOR) if isinstance(prior, Mapping) else prior for code in codes]
    for code, value in zip(codes, values, strict=True):
        if not 0.0 < float(value) < 1.0:
            raise UsageError(f"prior of {code!r} must lie between 0 and 1, got {value!r}")
    p = np.array(values, dtype=np.float32)
    return np.log(p / (1.0 - p))
