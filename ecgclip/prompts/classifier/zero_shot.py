"""A trained model and a list of findings is a classifier."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ecgclip.errors import UsageError
from ecgclip.models import take_split
from ecgclip.prompts.bank import PromptBank, sound_bank
from ecgclip.prompts.scoring import WINDOWS

from .calibration import PRIOR, Calibration, fit_calibration, logistic, prior_logits
from .combining import PhraseMap, Wording
from .labelled import are_scores, known_labels, matched, refuse_test
from .thresholds import Thresholds, check_rule, choose_thresholds
from .together import decision_functions

if TYPE_CHECKING:
    from ecgclip.models import ECGTextModel, Recordings

__all__ = ["ZeroShotClassifier"]

Floats = npt.NDArray[np.float32]

_GAIN = 1.5  # of the prior's logit, for each standard deviation that a score lies above the even point


class ZeroShotClassifier:
    """Multi-label classifier over the labels of a prompt bank; nothing was trained on labels.

    Labels may overlap freely: there is no softmax across them.

    Args:
        model: a trained ``ECGTextModel``.
        labels: name of a shipped bank (a label set), a YAML file, a ``PromptBank``, or
            ``{"label": ["phrase", ...]}``; what the user brings is linted as the shipped banks are.
        prior: share of recordings in which a label is expected, stated by the user for all labels or for
            each; ``predict_proba`` and ``predict`` rest on it until the classifier is calibrated.
        window: how windows of a long recording are brought together, ``max`` or ``mean``.
        languages: languages of the phrases to use, one or several; None for all.
        kinds: kinds of phrase to use, of ``name``, ``synonym``, ``abbreviation``, ``description``, ``scp``;
            None for all that name the finding (all but descriptions).
        combine: where the phrases of a label are averaged, ``score`` or ``embedding`` space.
        negation: score each label by its phrases less its negations ("no atrial fibrillation").
        parts: score a super-label from its parts as well (any part is enough).
        places: score a finding whose phrase names no place by the places that training reports name as well.

    Raises:
        UsageError: an unknown bank, label, language, kind or rule, or a prior outside (0, 1).
        DataError: a bank that cannot be used.
    """

    def __init__(
        self,
        model: "ECGTextModel",
        labels: "str | Path | PromptBank | Mapping[str, Sequence[str]]" = "ptbxl-superclass",
        *,
        prior: float | Mapping[str, float] = PRIOR,
        window: str = "max",
        languages: str | Collection[str] | None = None,
        kinds: str | Collection[str] | None = None,
        combine: str = "score",
        negation: bool = False,
        parts: bool = True,
        places: bool = True,
    ) -> None:
        self.model = model
        self.labels = labels
        self.prior = prior
        self.window = window
        self.languages = languages
        self.kinds = kinds
        self.combine = combine
        self.negation = negation
        self.parts = parts
        self.places = places
        if window not in WINDOWS:
            raise UsageError(f"window must be 'max' or 'mean', got {window!r}")
        self.bank = sound_bank(labels)
        self._logit = prior_logits(prior, self.bank.labels)
        wording = Wording(
            languages=languages,
            kinds=kinds,
            combine=combine,
            negation=negation,
            parts=parts,
            places=places,
        )
        self._map = PhraseMap.of(self.bank, model, wording)
        self._kept: tuple[Floats, Floats] | None = None
        self._embedded: tuple[tuple[int, ...], tuple[Floats, Floats]] | None = None
        self.errors_: dict[int, str] = {}
        self.calibration_: Calibration | None = None
        self.thresholds_: Thresholds | None = None

    @property
    def classes_(self) -> npt.NDArray[np.str_]:
        """Codes of the labels, ``(n_labels,)``, in the bank's order."""
        return np.array(self.bank.labels)

    def __repr__(self) -> str:
        state = "uncalibrated" if self.calibration_ is None else f"calibrated ({self.calibration_.method})"
        return f"ZeroShotClassifier({self.bank.name!r}, {len(self.bank)} labels, {state})"

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor's arguments, as scikit-learn's ``clone`` wants them."""
        return {
            "model": self.model,
            "labels": self.labels,
            "prior": self.prior,
            "window": self.window,
            "languages": self.languages,
            "kinds": self.kinds,
            "combine": self.combine,
            "negation": self.negation,
            "parts": self.parts,
            "places": self.places,
        }

    def set_params(self, **params: Any) -> "ZeroShotClassifier":
        """Set constructor arguments and build again, uncalibrated and without thresholds.

        Raises:
            UsageError: an unknown argument, or what the constructor refuses; nothing has changed then.
            DataError: a bank that cannot be used; nothing has changed then.
        """
        values = self.get_params()
        for key in params:
            if key not in values:
                raise UsageError(f"unknown argument {key!r}: there is {', '.join(values)}")
        self.__dict__ = type(self)(**{**values, **params}).__dict__
        return self

    def __sklearn_clone__(self) -> "ZeroShotClassifier":
        return ZeroShotClassifier(
            **self.get_params()
        )  # the model is shared: it is not what a clone fits again

    def decision_function(
        self,
        records: "Recordings",
        *,
        split: str | None = None,
        batch_size: int = 64,
        on_error: str = "raise",
    ) -> Floats:
        """Raw similarity of each recording with each label, ``(n, n_labels)`` float32.

        Args:
            records: paths, folders, ``ECGRecord``s, ``(array, fs, lead_names)``, a store or a corpus.
            split: only this split of a store or corpus.
            batch_size: windows computed at once.
            on_error: ``raise``, or ``mark``: the row is NaN and ``errors_`` says why, by position.

        Raises:
            DataError: a recording cannot be read.
        """
        return decision_functions([self], records, split=split, batch_size=batch_size, on_error=on_error)[0]

    def predict_proba(
        self,
        records: "Recordings",
        *,
        split: str | None = None,
        batch_size: int = 64,
        on_error: str = "raise",
    ) -> Floats:
        """Probability of each label, ``(n, n_labels)`` in [0, 1]; see `probability`."""
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
        """Zero or one for each label, ``(n, n_labels)``; see `decide`. A marked row is 0."""
        scores = self.decision_function(records, split=split, batch_size=batch_size, on_error=on_error)
        return self.decide(scores)

    def probability(self, scores: Floats) -> Floats:
        """Turn ``decision_function``'s scores ``(n, n_labels)`` into what ``predict_proba`` gives.

        Before calibration, a stated prior's logistic: the score's distance from what other recordings score
        with findings, in spreads, moves the prior's logit. It ranks as ``decision_function`` does.
        """
        logits = self._logits(scores)
        if self.calibration_ is None:
            return logistic(logits.astype(np.float64)).astype(np.float32)
        return self.calibration_.apply(logits, self.bank.labels)

    def decide(self, scores: Floats) -> npt.NDArray[np.int8]:
        """Turn ``decision_function``'s scores ``(n, n_labels)`` into what ``predict`` gives.

        Probability at least one half, or the label's own threshold where ``set_thresholds`` chose one.
        """
        called = np.nan_to_num(self.probability(scores)) >= 0.5
        if self.thresholds_ is not None:
            own = np.isfinite(self.thresholds_.values)
            called[:, own] = scores[:, own] >= self.thresholds_.values[own]
        return called.astype(np.int8)

    def calibrate(
        self,
        records: "Recordings | Floats",
        targets: Any = None,
        *,
        method: str = "sigmoid",
        minimum: int = 3,
        split: str | None = None,
        batch_size: int = 64,
        on_error: str = "raise",
    ) -> "ZeroShotClassifier":
        """Fit probabilities to recordings with labels, by scikit-learn's calibrators, label by label.

        The ranking within a label stays with ``sigmoid`` and ``temperature``; ``isotonic`` may make ties. A
        label with too few positives keeps the stated prior; ``calibration_.kept`` lists it with the reason.

        Args:
            records: recordings, or the scores that ``decision_function`` gave them, ``(n, n_labels)``.
            targets: ``(n, n_labels)`` of 0 and 1 (a DataFrame is matched by the names of its columns); read
                off the table of a store or corpus where left out.
            method: ``sigmoid``, ``isotonic`` or ``temperature``.
            minimum: positives, and negatives, that a label needs.
            split: only this split of a store or corpus; never the test part.
            batch_size: windows computed at once.
            on_error: ``raise``, or ``mark``: recordings that cannot be read are left out; ``errors_`` says why.

        Raises:
            UsageError: the test part, an unknown method, or no targets.
            DataError: a recording cannot be read, or scores and targets do not fit.
        """
        refuse_test(records, split, "calibration")
        scores, truth = self._labelled(records, targets, split, batch_size, on_error)
        self.calibration_ = fit_calibration(
            self._logits(scores), truth, self.bank.labels, method=method, minimum=minimum
        )
        return self

    def set_thresholds(
        self,
        records: "Recordings | Floats | None" = None,
        targets: Any = None,
        *,
        rule: str,
        at_least: float = 0.9,
        split: str | None = None,
        batch_size: int = 64,
        on_error: str = "raise",
    ) -> "ZeroShotClassifier":
        """Choose where a score becomes a yes, by a rule.

        Args:
            records: recordings or their scores, as `calibrate` takes them; not needed for ``prior``.
            targets: as `calibrate` takes them.
            rule: ``prior`` (probability one half), ``sensitivity`` (the highest threshold that keeps a
                sensitivity of ``at_least``) or ``f1`` (the best F1). A label without a positive keeps
                ``prior``; ``thresholds_.left`` lists it with the reason.
            at_least: the sensitivity to keep.
            split: only this split of a store or corpus; never the test part.
            batch_size: windows computed at once.
            on_error: ``raise``, or ``mark``: recordings that cannot be read are left out; ``errors_`` says why.

        Raises:
            UsageError: the test part, an unknown rule, or no recordings.
            DataError: a recording cannot be read, or scores and targets do not fit.
        """
        check_rule(rule, at_least)
        refuse_test(records, split, "thresholds")
        if rule == "prior":
            self.thresholds_ = None
            return self
        if records is None:
            raise UsageError(f"rule {rule!r} needs recordings or scores with their labels")
        scores, truth = self._labelled(records, targets, split, batch_size, on_error)
        self.thresholds_ = choose_thresholds(scores, truth, self.bank.labels, rule=rule, at_least=at_least)
        return self

    def save(self, folder: str | Path) -> Path:
        """Write the classifier, its calibration and thresholds to a folder: JSON and safetensors, no model.

        Raises:
            DataError: the folder cannot be written.
        """
        from .saving import save_classifier

        return save_classifier(self, folder)

    @staticmethod
    def load(folder: str | Path, model: "ECGTextModel") -> "ZeroShotClassifier":
        """Load what ``save`` wrote, for the model that it was saved with; the text encoder is not used.

        Raises:
            DataError: no classifier, a damaged one, one of another model, or one whose bank was edited since.
        """
        from .saving import load_classifier

        return load_classifier(folder, model)

    def _logits(self, scores: Floats) -> Floats:
        return np.asarray(self._logit + _GAIN * self._map.standardised(scores), dtype=np.float32)

    def _vectors(self) -> tuple[Floats, Floats]:
        """What is scored: made of the embeddings that came with a saved classifier, or of the model's."""
        if self._kept is not None:
            return self._map.vectors(self._kept)
        weights = [value for name, value in self.model.named_parameters() if "text" in name]
        state = tuple(value._version for value in weights)  # training on changes it
        if self._embedded is None or self._embedded[0] != state:
            self._embedded = (state, self._map.vectors(self.model.text_vectors(self._map.texts)))
        return self._embedded[1]

    def _labelled(
        self, records: Any, targets: Any, split: str | None, batch_size: int, on_error: str
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Scores and truth of recordings with labels, without what could not be read."""
        if are_scores(records):
            return matched(records, known_labels(None, targets, self.bank), self.bank.labels)
        part = take_split(records, split)
        truth = known_labels(part, targets, self.bank)
        scores = self.decision_function(part, batch_size=batch_size, on_error=on_error)
        return matched(scores, truth, self.bank.labels)
