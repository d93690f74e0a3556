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
FIXED_FROM_SCORES = 0.001  # of a probe that starts from scores
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
    prior: Floats | None = None
    test_prior: Floats | None = None

    @classmethod
    def of(
        cls,
        features: ArrayLike,
        targets: ArrayLike,
        patients: ArrayLike,
        split: ArrayLike,
        codes: Sequence[str],
        test: str,
        prior: ArrayLike | None = None,
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
        standard = _standardise(values, train)
        start = None if prior is None else _standardise(_check_prior(prior, truth, codes), train)
        return cls(
            tuple(codes),
            train,
            standard[train],
            truth[train],
            who[train],
            standard[held],
            truth[held],
            who[held],
            None if start is None else start[train],
            None if start is None else start[held],
        )

    def fit(self, rows: NDArray[np.intp], rng: np.random.Generator) -> tuple[Floats, Floats, bool]:
        """Fit on some rows of the training part.

        Returns:
            Logits of the test part ``(n_test, labels)``, C of each label ``(labels,)``, both NaN for a label without
            a positive (or a negative) among the rows, and whether every fit reached its tolerance.
        """
        train, targets = Axes.of(self.features[rows]), self.truth[rows]
        prior = None if self.prior is None else self.prior[rows]
        penalties = self._penalties(rows, train, prior, rng)
        scores = np.full((len(self.test_features), targets.shape[1]), np.nan)
        present = np.isfinite(penalties)
        if not present.any():
            return scores, penalties, True
        start, later = (None if each is None else each[:, present] for each in (prior, self.test_prior))
        fitted = fit_logistic(train, targets[:, present], penalties[present], prior=start)
        scores[:, present] = fitted.decision(self.test_features, later)
        return scores, penalties, bool(fitted.converged.all())

    def _penalties(
        self, rows: NDArray[np.intp], axes: Axes, prior: Floats | None, rng: np.random.Generator
    ) -> Floats:
        """C of each label: by cross-validation, fixed where positives are few, NaN where there is nothing to learn."""
        targets, patients = self.truth[rows], self.patients[rows]
        positives = targets.sum(axis=0)
        present = (positives > 0) & (positives < len(targets))
        enough = present & (positives >= FEW_POSITIVES) & (len(np.unique(patients)) >= FOLDS)
        penalties = np.where(present, FIXED_PENALTY if prior is None else FIXED_FROM_SCORES, np.nan)
        if enough.any():
            folds = patient_folds(targets[:, enough], patients, rng, FOLDS)
            start = None if prior is None else prior[:, enough]
            penalties[enough] = _cross_validate(self.features[rows], axes, targets[:, enough], folds, start)
        return penalties


def _cross_validate(
    features: Floats, axes: Axes, targets: Bools, folds: NDArray[np.intp], prior: Floats | None
) -> Floats:
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
        own = None if prior is None else prior[:, start : start + LABELS_AT_ONCE]
        from_scores = None if own is None else np.repeat(own, len(penalties), axis=1)
        fitted = fit_logistic(
            axes, y, np.tile(penalties, k), weights=w, prior=from_scores, tol=1e-7, max_iter=100
        )
        logits = fitted.decision(features, from_scores)
        loss = ((np.logaddexp(0.0, logits) - y * logits) * (1 - w)).sum(axis=0) / n
        losses[:, start : start + k] = loss.reshape(k, len(grid), FOLDS).sum(axis=2).T
    return np.asarray(grid[losses.argmin(axis=0)])


def _standardise(values: Floats, train: NDArray[np.intp]) -> Floats:
    """Columns with mean 0 and deviation 1 on the training part."""
    mean, deviation = values[train].mean(axis=0), values[train].std(axis=0)
    return np.asarray((values - mean) / np.where(deviation > 0, deviation, 1.0))


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


def _check_prior(prior: ArrayLike, truth: Bools, codes: Sequence[str]) -> Floats:
    scores = np.asarray(prior, dtype=np.float64)
    if scores.shape != truth.shape:
        raise DataError(
            f"scores to start from of shape {scores.shape}: expected {truth.shape}, as the targets"
        )
    bad = np.flatnonzero(~np.isfinite(scores).all(axis=0))
    if bad.size:
        raise DataError(
            f"the scores of {codes[bad[0]]} to start from are not finite: leave out records that have none"
        )
    return scores
