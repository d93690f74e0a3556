"""Probabilities that mean what they say: a curve for each label, fitted by scikit-learn, kept as plain numbers.

A curve maps the logit that rests on the stated prior to a probability. ``sigmoid`` (Platt 1999) and
``temperature`` (Guo et al. 2017, one for each label) are increasing and keep the ranking within a label;
``isotonic`` (Zadrozny and Elkan 2002) never reverses it but makes ties.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from ecgclip.errors import UsageError, unknown_name

__all__ = ["METHODS", "PRIOR", "Calibration", "fit_calibration", "logistic", "prior_logits"]

Floats = npt.NDArray[np.float64]

PRIOR = 0.1
"""Share of recordings in which a label is expected where nobody said otherwise."""

METHODS = ("sigmoid", "isotonic", "temperature")


@dataclass(frozen=True, eq=False)
class Calibration:
    """What calibrated a classifier.

    Attributes:
        method: of `METHODS`.
        curves: for each calibrated label two rows of numbers: slope and intercept of the logit (the second row
            is then empty), or the knots of the isotonic curve and their probabilities.
        kept: why a label keeps the stated prior, by code.
        n: recordings that it was fitted on.
    """

    method: str
    curves: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]]
    kept: Mapping[str, str] = field(default_factory=dict)
    n: int = 0

    def apply(self, logits: npt.NDArray[np.float32], codes: tuple[str, ...]) -> npt.NDArray[np.float32]:
        """Turn logits ``(n, n_labels)`` into probabilities; labels without a curve take their logistic."""
        found = logistic(logits.astype(np.float64))
        for column, code in enumerate(codes):
            if code in self.curves:
                first, second = self.curves[code]
                x = logits[:, column].astype(np.float64)
                if self.method == "isotonic":
                    found[:, column] = np.interp(x, first, second)
                else:
                    found[:, column] = logistic(first[0] * x + first[1])
        return found.astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Give JSON data; ``from_dict`` reads it."""
        curves = {code: [list(first), list(second)] for code, (first, second) in self.curves.items()}
        return {"method": self.method, "curves": curves, "kept": dict(self.kept), "n": self.n}

    @staticmethod
    def from_dict(state: Mapping[str, Any]) -> "Calibration":
        """Make again what ``to_dict`` gave."""
        curves = {code: (tuple(first), tuple(second)) for code, (first, second) in state["curves"].items()}
        return Calibration(str(state["method"]), curves, dict(state["kept"]), int(state["n"]))


def logistic(x: Floats) -> Floats:
    """The logistic function, without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))


def prior_logits(prior: float | Mapping[str, float], codes: Sequence[str]) -> npt.NDArray[np.float32]:
    """Logits of a stated prior, ``(n_labels,)``; labels that it leaves out take `PRIOR`.

    Raises:
        UsageError: an unknown label, or a share outside (0, 1).
    """
    if isinstance(prior, Mapping):
        for code in prior:
            if code not in codes:
                raise unknown_name("label in prior:", code, codes)
    values = [prior.get(code, PRIOR) if isinstance(prior, Mapping) else prior for code in codes]
    for code, value in zip(codes, values, strict=True):
        if not _is_number(value) or not 0.0 < float(value) < 1.0:
            raise UsageError(f"prior of {code!r} must lie between 0 and 1, got {value!r}")
    p = np.array(values, dtype=np.float32)
    return np.log(p / (1.0 - p))


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def fit_calibration(
    logits: npt.NDArray[np.float32],
    targets: npt.NDArray[np.bool_],
    codes: tuple[str, ...],
    *,
    method: str,
    minimum: int,
) -> Calibration:
    """Fit a curve for each label that has enough positives and negatives.

    Args:
        logits: ``(n, n_labels)``, resting on the stated prior.
        targets: the same shape.
        codes: the labels.
        method: of `METHODS`.
        minimum: positives, and negatives, that a label needs; others keep the prior and are listed.

    Raises:
        UsageError: an unknown method, one that this scikit-learn has not, or ``minimum`` below 1.
    """
    if method not in METHODS:
        raise unknown_name("method of calibration", method, METHODS)
    if minimum < 1:
        raise UsageError(f"minimum must be at least 1, got {minimum!r}")
    curves, kept = {}, {}
    for column, code in enumerate(codes):
        truth = targets[:, column]
        positives, negatives = int(truth.sum()), int((~truth).sum())
        if min(positives, negatives) < minimum:
            kept[code] = f"{positives} positives and {negatives} negatives, {minimum} of each needed"
            continue
        first, second = _curve(_fitted(logits[:, column].astype(np.float64), truth, method), method)
        if method != "isotonic" and first[0] <= 0:
            kept[code] = f"its scores do not rise with the label on these {len(truth)} recordings"
        else:
            curves[code] = (first, second)
    return Calibration(method, curves, kept, len(targets))


def _fitted(logit: Floats, truth: npt.NDArray[np.bool_], method: str) -> Any:
    """Fit one of scikit-learn's calibrators to logits that are taken as they are."""
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.calibration import CalibratedClassifierCV

    class Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        """A classifier whose decision is its only feature."""

        classes_ = np.array([0, 1])

        def fit(self, x: Floats, y: Floats) -> "Given":
            return self

        def predict(self, x: Floats) -> Floats:
            return np.asarray(x[:, 0] > 0)

        def decision_function(self, x: Floats) -> Floats:
            return np.asarray(x[:, 0])

    everything = np.arange(len(truth))
    calibrator = CalibratedClassifierCV(Given(), method=method, cv=[(everything, everything)], ensemble=False)
    try:
        calibrator.fit(logit[:, None], truth.astype(int))
    except ValueError as error:
        if method == "temperature" and "method" in str(error):  # scikit-learn before 1.8 has no temperature
            raise UsageError(
                f"calibration by {method!r} needs a newer scikit-learn: choose sigmoid or isotonic, or upgrade it"
            ) from None
        raise
    return calibrator.calibrated_classifiers_[0].calibrators[0]


def _curve(calibrator: Any, method: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if method == "isotonic":
        knots, values = calibrator.X_thresholds_, calibrator.y_thresholds_
        return tuple(map(float, knots)), tuple(map(float, values))
    if method == "temperature":
        return (2.0 * float(calibrator.beta_), 0.0), ()  # scikit-learn's two classes have logits -x and x
    return (-float(calibrator.a_), -float(calibrator.b_)), ()
