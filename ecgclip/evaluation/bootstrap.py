"""Intervals by resampling patients, paired differences of two models, and Holm's correction.

The figure that is resampled is the macro AUROC: the mean over scored labels, then over label sets, then
over folds, each step with equal weights. A fold holds the scores of one model of a rotation; patients are
resampled within folds, and scores of different folds are never pooled.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecgclip.errors import DataError, UsageError

from .metrics import Bools, Floats, auroc, check_scores

__all__ = [
    "Interval",
    "PairedDifference",
    "holm",
    "macro_interval",
    "paired_bootstrap",
    "patient_weights",
    "percentiles",
    "scorable",
]


@dataclass(frozen=True)
class Interval:
    """A figure and its percentile interval of 95 %.

    ``skipped`` counts pairs of draw and label left out because the draw held no positive (or no negative)
    of the label; ``n_labels`` the labels that the figure averages, summed over folds.
    """

    estimate: float
    low: float
    high: float
    draws: int
    skipped: int
    n_labels: int


@dataclass(frozen=True)
class PairedDifference:
    """Figure of A minus figure of B over the same draws of patients; ``p`` is two-sided."""

    estimate_a: float
    estimate_b: float
    difference: float
    low: float
    high: float
    p: float
    draws: int
    skipped: int
    n_labels: int


def patient_weights(patients: ArrayLike, *, draws: int = 1000, seed: int = 0) -> NDArray[np.int32]:
    """Multiplicities ``(draws, n)`` of records when patients are drawn with replacement.

    Each draw takes as many patients as there are, with all their records.
    """
    if draws < 1:
        raise UsageError(f"{draws} bootstrap draws: at least 1 is needed")
    if seed < 0:
        raise UsageError(f"seed {seed} of the bootstrap: expected 0 or more")
    _, index = np.unique(np.asarray(patients), return_inverse=True)
    if index.size == 0:
        raise DataError("no patient to resample: the table is empty")
    k = int(index.max()) + 1
    rng = np.random.default_rng(seed)
    weights = np.empty((draws, index.size), dtype=np.int32)
    for draw in range(draws):
        weights[draw] = np.bincount(rng.integers(0, k, size=k), minlength=k)[index]
    return weights


def scorable(targets: Bools, minimum: int) -> Bools:
    """Labels ``(labels,)`` with at least ``minimum`` positives and as many negatives."""
    positives = targets.sum(axis=0)
    return np.asarray((positives >= minimum) & (len(targets) - positives >= minimum), dtype=bool)


def percentiles(draws: Floats) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile of the draws that are defined."""
    finite = draws[np.isfinite(draws)]
    if finite.size == 0:
        return float("nan"), float("nan")
    low, high = np.percentile(finite, [2.5, 97.5])
    return float(low), float(high)


def _mean(values: Floats) -> Floats:
    """Mean over the last axis of what is defined there, NaN where nothing is."""
    defined = np.isfinite(values)
    count = defined.sum(axis=-1)
    total = np.where(defined, values, 0.0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _macro(by_label: Floats, sets: NDArray[np.str_]) -> Floats:
    """Mean over labels within each set, then over sets: ``(draws, labels)`` to ``(draws,)``."""
    return _mean(np.stack([_mean(by_label[:, sets == name]) for name in np.unique(sets)], axis=-1))


@dataclass(frozen=True)
class _Fold:
    """One test part: which records, which labels are scored, their sets and the drawn weights."""

    rows: NDArray[np.intp]
    labels: NDArray[np.intp]
    sets: NDArray[np.str_]
    weights: NDArray[np.int32]

    def figures(self, scores: Floats, truth: Bools) -> tuple[float, Floats, int]:
        """Point estimate, draws ``(draws,)`` and the number of pairs of draw and label left out."""
        part, target = scores[np.ix_(self.rows, self.labels)], truth[np.ix_(self.rows, self.labels)]
        drawn = auroc(part, target, self.weights)
        point = _macro(auroc(part, target)[None], self.sets)
        return float(point[0]), _macro(drawn, self.sets), int(np.isnan(drawn).sum())


def _plan(
    truth: Bools,
    patients: ArrayLike,
    folds: ArrayLike | None,
    sets: Sequence[str] | None,
    minimum: int,
    draws: int,
    seed: int,
) -> list[_Fold]:
    """The draws of every fold, the same whatever scores are then resampled."""
    who = np.asarray(patients)
    part = np.zeros(len(truth), dtype=np.int64) if folds is None else np.asarray(folds)
    names = np.asarray(["all"] * truth.shape[1] if sets is None else list(sets), dtype=np.str_)
    if who.shape != (len(truth),) or part.shape != (len(truth),) or names.shape != (truth.shape[1],):
        raise DataError(
            f"{len(truth)} records and {truth.shape[1]} labels, but {who.size} patients, {part.size} folds "
            f"and {names.size} label sets: give one patient and fold a record, one set a label"
        )
    plan = []
    for number, fold in enumerate(np.unique(part)):
        rows = np.flatnonzero(part == fold)
        labels = np.flatnonzero(scorable(truth[rows], minimum))
        if labels.size == 0:
            raise DataError(
                f"no label has {minimum} positives and {minimum} negatives among the {rows.size} records "
                f"of fold {fold}: lower the minimum or take a larger test part"
            )
        weights = patient_weights(who[rows], draws=draws, seed=seed + number)
        plan.append(_Fold(rows, labels, names[labels], weights))
    return plan


def _over_folds(plan: list[_Fold], scores: Floats, truth: Bools) -> tuple[float, Floats, int]:
    parts = [fold.figures(scores, truth) for fold in plan]
    point = float(np.mean([p[0] for p in parts]))
    return point, _mean(np.stack([p[1] for p in parts], axis=-1)), sum(p[2] for p in parts)


def macro_interval(
    scores: ArrayLike,
    targets: ArrayLike,
    patients: ArrayLike,
    *,
    folds: ArrayLike | None = None,
    sets: Sequence[str] | None = None,
    minimum: int = 10,
    draws: int = 1000,
    seed: int = 0,
) -> Interval:
    """Macro AUROC with the percentile interval of a patient bootstrap.

    Args:
        scores: ``(n, labels)`` raw scores.
        targets: ``(n, labels)`` 0 or 1.
        patients: ``(n,)`` patient of each record.
        folds: ``(n,)`` fold of each record in a rotation; one fold unless given.
        sets: label set of each column; averaged within a set first. One set unless given.
        minimum: positives and negatives that a label needs (in each fold) to be scored.
        draws: bootstrap draws.
        seed: of the draws.

    Raises:
        DataError: shapes that do not fit, scores that are not finite, or no label to score.
    """
    values, truth = check_scores(scores, targets)
    plan = _plan(truth, patients, folds, sets, minimum, draws, seed)
    point, drawn, skipped = _over_folds(plan, values, truth)
    low, high = percentiles(drawn)
    return Interval(point, low, high, draws, skipped, sum(f.labels.size for f in plan))


def paired_bootstrap(
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    targets: ArrayLike,
    patients: ArrayLike,
    *,
    folds: ArrayLike | None = None,
    sets: Sequence[str] | None = None,
    minimum: int = 10,
    draws: int = 1000,
    seed: int = 0,
) -> PairedDifference:
    """Macro AUROC of A minus that of B, both on the same draws of patients.

    ``p`` is ``2 min(share of draws <= 0, share >= 0)`` with one added to counts and draws, so that it is
    never zero (Davison and Hinkley 1997, section 4.2). Arguments as in `macro_interval`.

    Raises:
        DataError: shapes that do not fit, scores that are not finite, or no label to score.
    """
    first, truth = check_scores(scores_a, targets)
    second, _ = check_scores(scores_b, targets)
    plan = _plan(truth, patients, folds, sets, minimum, draws, seed)
    point_a, drawn_a, skipped = _over_folds(plan, first, truth)
    point_b, drawn_b, _ = _over_folds(plan, second, truth)
    change = drawn_a - drawn_b
    change = change[np.isfinite(change)]
    low, high = percentiles(change)
    tails = [(1 + int((sign * change <= 0).sum())) / (1 + change.size) for sign in (1, -1)]
    return PairedDifference(
        estimate_a=point_a,
        estimate_b=point_b,
        difference=point_a - point_b,
        low=low,
        high=high,
        p=min(1.0, 2 * min(tails)),
        draws=draws,
        skipped=skipped,
        n_labels=sum(f.labels.size for f in plan),
    )


def holm(pvalues: ArrayLike) -> Floats:
    """Adjusted p-values of a family, in the order given (Holm 1979).

    Raises:
        DataError: a p-value outside [0, 1].
    """
    p = np.asarray(pvalues, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise DataError(f"p-values {p.tolist()}: expected a list of numbers in [0, 1]")
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * (p.size - np.arange(p.size)))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted
