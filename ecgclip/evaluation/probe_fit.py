"""What a probe fits: one logistic regression a label on standardised features, C by patient-wise cross-validation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecgclip.errors import DataError

from .drawing import patient_folds
from .logistic import Axes, fit_logistic
from .metrics import Bools, Floats

__all__ = ["ProbeParts"]

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
FIXED_PENALTY = 0.01
FEW_POSITIVES = 10
FOLDS = 5
LABELS_AT_ONCE = 8  # regressions of these labels share their matrix products


@dataclass(frozen=True, eq=False)
class ProbeParts:
    """The training and the test part, features standardised on the former."""

    codes: tuple[str, ...]
    rows: NDArray[np.intp]
    features: Floats
    truth: Bools
    patients: NDArray[np.generic]
    test_features: Floats
    test_truth: Bools
    test_patients: NDArray[np.generic]

    @classmethod
    def of(
        cls,
        features: ArrayLike,
        targets: ArrayLike,
        patients: ArrayLike,
        split: ArrayLike,
        codes: Sequence[str],
        test: str,
    ) -> "ProbeParts":
        """Split and standardise what `linear_probe` is given."""
        values = np.asarray(features, dtype=np.float64)
        truth = _check(values, targets, patients, split, codes)
        who, part = np.asarray(patients), np.asarray(split)
        train, held = np.flatnonzero(part == "train"), np.flatnonzero(part == test)
        if train.size == 0 or held.size == 0:
            raise DataError(f"{train.size} train and {held.size} {test} records: the probe needs both")
        both = np.intersect1d(who[train], who[held])
        if both.size:
            raise DataError(
                f"{both.size} patients are in train and in {test} (first: {both[0]}): split by patient"
            )
        mean, deviation = values[train].mean(axis=0), values[train].std(axis=0)
        standard = (values - mean) / np.where(deviation > 0, deviation, 1.0)
        return cls(
            tuple(codes),
            train,
            standard[train],
            truth[train],
            who[train],
            standard[held],
            truth[held],
            who[held],
        )

    def fit(self, rows: NDArray[np.intp], rng: np.random.Generator) -> tuple[Floats, Floats, bool]:
        """Fit on some rows of the training part.

        Returns:
            Logits of the test part ``(n_test, labels)``, C of each label ``(labels,)``, both NaN for a label without
            a positive (or a negative) among the rows, and whether every fit reached its tolerance.
        """
        return _fit(self.features[rows], self.truth[rows], self.patients[rows], self.test_features, rng)


def _cross_validate(features: Floats, axes: Axes, targets: Bools, folds: NDArray[np.intp]) -> Floats:
    """C ``(labels,)`` with the lowest log loss on the held-out folds."""
    n, n_labels = targets.shape
    grid = np.array(PENALTIES)
    inside = (folds[:, None] != np.arange(FOLDS)).astype(np.float64)  # (n, folds)
    penalties, weights = np.repeat(grid, FOLDS), np.tile(inside, (1, len(grid)))
    losses = np.empty((len(grid), n_labels))
    for start in range(0, n_labels, LABELS_AT_ONCE):
        part = targets[:, start : start + LABELS_AT_ONCE]
        k = part.shape[1]
        y, w = np.repeat(part, len(penalties), axis=1), np.tile(weights, (1, k))
        fitted = fit_logistic(axes, y, np.tile(penalties, k), weights=w, tol=1e-7, max_iter=100)
        logits = fitted.decision(features)
        loss = ((np.logaddexp(0.0, logits) - y * logits) * (1 - w)).sum(axis=0) / n
        losses[:, start : start + k] = loss.reshape(k, len(grid), FOLDS).sum(axis=2).T
    return np.asarray(grid[losses.argmin(axis=0)])


def _fit(
    train: Floats, targets: Bools, patients: NDArray[np.generic], test: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats, bool]:
    """Logits of the test part, C of each label, and whether every fit reached its tolerance."""
    axes, positives = Axes.of(train), targets.sum(axis=0)
    present = (positives > 0) & (positives < len(targets))
    enough = present & (positives >= FEW_POSITIVES) & (len(np.unique(patients)) >= FOLDS)
    penalties = np.full(targets.shape[1], np.nan)
    penalties[present] = FIXED_PENALTY
    if enough.any():
        folds = patient_folds(targets[:, enough], patients, rng, FOLDS)
        penalties[enough] = _cross_validate(train, axes, targets[:, enough], folds)
    scores = np.full((len(test), targets.shape[1]), np.nan)
    if not present.any():
        return scores, penalties, True
    fitted = fit_logistic(axes, targets[:, present], penalties[present])
    scores[:, present] = fitted.decision(test)
    return scores, penalties, bool(fitted.converged.all())


def _check(
    features: Floats, targets: ArrayLike, patients: ArrayLike, split: ArrayLike, codes: Sequence[str]
) -> Bools:
    truth = np.asarray(targets)
    n = len(features)
    if features.ndim != 2 or truth.shape != (n, len(codes)):
        raise DataError(
            f"features of shape {features.shape} and targets of shape {truth.shape} with {len(codes)} codes: "
            "expected (n, dim) and (n, labels)"
        )
    if np.asarray(patients).shape != (n,) or np.asarray(split).shape != (n,):
        raise DataError(f"{n} records: expected one patient and one split for each")
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if bad.size:
        raise DataError(
            f"the encoder's features of {bad.size} records are not finite (first: row {bad[0]}): "
            "leave these records out or correct the encoder"
        )
    if not np.isin(truth, (0, 1)).all():
        raise DataError("targets hold values other than 0 and 1: give one 0/1 column a label")
    return truth.astype(bool)
