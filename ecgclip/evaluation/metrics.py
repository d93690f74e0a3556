"""Ranking and probability metrics, a figure per label, and per bootstrap draw where weights are given.

Shapes: ``scores``, ``probabilities`` and ``targets`` are ``(n, labels)``, or ``(n,)`` for one label, which
then gives a float. A label for which a figure is not defined (no positive, or no negative where ranks
need one) is NaN. Scores are raw: nothing here guesses whether they are probabilities.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecgclip.errors import DataError, UsageError

__all__ = [
    "auprc",
    "auroc",
    "brier",
    "check_scores",
    "expected_calibration_error",
    "f1",
    "fmax",
    "reliability",
    "sensitivity_at_specificity",
]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_DRAWS_AT_ONCE = 128  # keeps the cumulative weights of one label in cache


def check_scores(scores: ArrayLike, targets: ArrayLike) -> tuple[Floats, Bools]:
    """Scores and targets as ``(n, labels)`` arrays, or the reason why they cannot be scored.

    Raises:
        DataError: shapes differ, there is no record, a score is not finite, a target is not 0 or 1.
    """
    values = np.asarray(scores, dtype=np.float64)
    truth = np.asarray(targets)
    if values.shape != truth.shape or values.ndim not in (1, 2) or values.shape[0] == 0:
        raise DataError(
            f"scores of shape {values.shape} and targets of shape {truth.shape}: both must be (n, labels) "
            "with at least one record"
        )
    if values.ndim == 1:
        values, truth = values[:, None], truth[:, None]
    if not np.isfinite(values).all():
        rows = np.flatnonzero(~np.isfinite(values).all(axis=1))
        raise DataError(
            f"scores of {rows.size} of {len(values)} records are not finite (first: row {rows[0]}): "
            "leave these records out by name or score them again"
        )
    if not np.isin(truth, (0, 1)).all():
        raise DataError("targets hold values other than 0 and 1: give one 0/1 column a label")
    return values, truth.astype(bool)


def _check_weights(weights: ArrayLike, n: int) -> Floats:
    w = np.asarray(weights, dtype=np.float64)
    if w.ndim != 2 or w.shape[1] != n or not (w >= 0).all():
        raise UsageError(f"weights of shape {w.shape}: expected (draws, {n}), none of them negative")
    return w


def _shaped(result: Floats, one_label: bool) -> Any:
    """Drop the label axis where the caller gave ``(n,)`` scores."""
    if not one_label:
        return result
    return float(result[0]) if result.ndim == 1 else result[:, 0]


def _cumulative(weights: Floats) -> Floats:
    """Running sums over the first axis with a leading zero: ``(k, draws)`` to ``(k + 1, draws)``."""
    sums = np.zeros((weights.shape[0] + 1, weights.shape[1]))
    np.cumsum(weights, axis=0, out=sums[1:])
    return sums


def _divide(numerator: Floats, denominator: Floats) -> Floats:
    result = np.full_like(numerator, np.nan)
    return np.divide(numerator, denominator, out=result, where=denominator > 0)


def _auroc_draws(scores: Floats, truth: Bools, weights: Floats) -> Floats:
    """One label: ``sum_i w_i (N(s < s_i) + N(s = s_i) / 2) / (P N)`` over positives i, weights (n, draws)."""
    negatives = np.flatnonzero(~truth)
    negatives = negatives[np.argsort(scores[negatives], kind="stable")]
    below = _cumulative(weights[negatives])
    values, group = np.unique(scores[truth], return_inverse=True)
    left = np.searchsorted(scores[negatives], values, side="left")
    right = np.searchsorted(scores[negatives], values, side="right")
    positive = _grouped(weights[truth], group, len(values))
    wins = np.einsum("gd,gd->d", positive, below[left]) + np.einsum("gd,gd->d", positive, below[right])
    return _divide(0.5 * wins, positive.sum(axis=0) * below[-1])


def _auprc_draws(scores: Floats, truth: Bools, weights: Floats) -> Floats:
    """One label: precision at each distinct positive score, averaged over positives; weights (n, draws)."""
    negatives = np.flatnonzero(~truth)
    negatives = negatives[np.argsort(scores[negatives], kind="stable")]
    below = _cumulative(weights[negatives])
    values, group = np.unique(scores[truth], return_inverse=True)
    positive = _grouped(weights[truth], group, len(values))
    above = positive[::-1].cumsum(axis=0)[::-1]
    false = below[-1] - below[np.searchsorted(scores[negatives], values, side="left")]
    called = above + false
    precision = np.divide(above, called, out=np.zeros_like(above), where=called > 0)
    return _divide(np.einsum("gd,gd->d", positive, precision), positive.sum(axis=0))


def _grouped(weights: Floats, group: NDArray[np.intp], n_groups: int) -> Floats:
    """Sums of the rows of ``weights`` that share a group: ``(k, draws)`` to ``(groups, draws)``."""
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(n_groups))
    if n_groups == 0:
        return weights[:0]
    return np.add.reduceat(weights[order], starts, axis=0)


def _by_label(one_label: Any, scores: ArrayLike, targets: ArrayLike, weights: ArrayLike | None) -> Any:
    values, truth = check_scores(scores, targets)
    drawn = np.ones((1, len(values))) if weights is None else _check_weights(weights, len(values))
    result = np.full((len(drawn), values.shape[1]), np.nan)
    for start in range(0, len(drawn), _DRAWS_AT_ONCE):
        block = np.ascontiguousarray(drawn[start : start + _DRAWS_AT_ONCE].T)
        for label in range(values.shape[1]):
            result[start : start + block.shape[1], label] = one_label(
                values[:, label], truth[:, label], block
            )
    return _shaped(result[0] if weights is None else result, np.ndim(scores) == 1)


def auroc(scores: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None) -> Any:
    """Area under the ROC curve by ranks, ties counting one half (Mann and Whitney 1947).

    Args:
        scores: ``(n, labels)`` or ``(n,)``, any finite values.
        targets: the same shape, 0 or 1.
        weights: ``(draws, n)`` non-negative; a bootstrap draw is the multiplicities of its records.

    Returns:
        ``(labels,)``, or ``(draws, labels)`` with weights; the label axis is dropped for ``(n,)`` scores.
        NaN where a label has no positive or no negative weight.

    Raises:
        DataError: faulty scores or targets.
        UsageError: faulty weights.
    """
    return _by_label(_auroc_draws, scores, targets, weights)


def auprc(scores: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None) -> Any:
    """Average precision, ``sum_k (R_k - R_{k-1}) P_k`` over distinct thresholds; shapes as `auroc`.

    NaN where a label has no positive.
    """
    return _by_label(_auprc_draws, scores, targets, weights)


def _check_probabilities(probabilities: ArrayLike, targets: ArrayLike) -> tuple[Floats, Bools]:
    values, truth = check_scores(probabilities, targets)
    if values.min() < 0 or values.max() > 1:
        raise DataError("probabilities leave [0, 1]: calibrate the scores first")
    return values, truth


def brier(probabilities: ArrayLike, targets: ArrayLike) -> Any:
    """Mean squared difference of probability and outcome, per label (Brier 1950)."""
    values, truth = _check_probabilities(probabilities, targets)
    return _shaped(((values - truth) ** 2).mean(axis=0), np.ndim(probabilities) == 1)


def reliability(
    probabilities: ArrayLike, targets: ArrayLike, *, bins: int = 15
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """The reliability diagram in bins of equal width.

    Returns:
        Mean probability ``(labels, bins)``, share of positives ``(labels, bins)``, both NaN in empty
        bins, and the count ``(labels, bins)``.
    """
    values, truth = _check_probabilities(probabilities, targets)
    n_labels = values.shape[1]
    which = np.minimum((values * bins).astype(np.int64), bins - 1) + bins * np.arange(n_labels)
    size = bins * n_labels
    count = np.bincount(which.ravel(), minlength=size)
    mean = np.bincount(which.ravel(), weights=values.ravel(), minlength=size).astype(np.float64)
    share = np.bincount(which.ravel(), weights=truth.ravel().astype(np.float64), minlength=size)
    shape = (n_labels, bins)
    total: Floats = count.astype(np.float64)
    return (
        _divide(mean, total).reshape(shape),
        _divide(share.astype(np.float64), total).reshape(shape),
        count.reshape(shape),
    )


def expected_calibration_error(probabilities: ArrayLike, targets: ArrayLike, *, bins: int = 15) -> Any:
    """Gap between mean probability and share of positives over bins of equal width, weighted by count.

    Source: Guo et al. 2017, equation 3, read per label for multi-label scores.
    """
    mean, share, count = reliability(probabilities, targets, bins=bins)
    gaps = np.where(count > 0, np.abs(mean - share), 0.0)
    return _shaped((gaps * count).sum(axis=1) / count.sum(axis=1), np.ndim(probabilities) == 1)


def sensitivity_at_specificity(scores: ArrayLike, targets: ArrayLike, *, specificity: float = 0.9) -> Any:
    """The largest sensitivity of any threshold whose specificity is at least ``specificity``, per label."""
    if not 0 <= specificity <= 1:
        raise UsageError(f"specificity {specificity} lies outside [0, 1]")
    values, truth = check_scores(scores, targets)
    result = np.full(values.shape[1], np.nan)
    for label in range(values.shape[1]):
        positive = values[truth[:, label], label]
        negative = np.sort(values[~truth[:, label], label])[::-1]
        if positive.size == 0 or negative.size == 0:
            continue
        allowed = int(np.floor((1 - specificity) * negative.size + 1e-9))
        result[label] = 1.0 if allowed >= negative.size else np.mean(positive > negative[allowed])
    return _shaped(result, np.ndim(scores) == 1)


def f1(scores: ArrayLike, targets: ArrayLike, thresholds: ArrayLike) -> Any:
    """F1 of ``scores >= thresholds``, one threshold a label; NaN where a label has no positive."""
    values, truth = check_scores(scores, targets)
    called = values >= np.broadcast_to(np.asarray(thresholds, dtype=np.float64), values.shape[1])
    positives = truth.sum(axis=0)
    hits = (called & truth).sum(axis=0)
    result = np.where(positives > 0, 2.0 * hits / np.maximum(called.sum(axis=0) + positives, 1), np.nan)
    return _shaped(result, np.ndim(scores) == 1)


def fmax(probabilities: ArrayLike, targets: ArrayLike, *, thresholds: ArrayLike | None = None) -> float:
    """Record-centric Fmax: the best harmonic mean of mean precision and mean recall over thresholds.

    Precision is averaged over records with at least one label called, recall over records that have one
    (Radivojac et al. 2013; for PTB-XL Strodthoff et al. 2021). ``thresholds``: 0, 0.01 .. 1 unless given.
    """
    values, truth = check_scores(probabilities, targets)
    grid = np.linspace(0, 1, 101) if thresholds is None else np.asarray(thresholds, dtype=np.float64)
    labelled = truth.any(axis=1)
    best = np.nan
    for threshold in grid:
        called = values >= threshold
        hits = (called & truth).sum(axis=1)
        some = called.any(axis=1)
        if not some.any() or not labelled.any():
            continue
        precision = np.mean(hits[some] / called[some].sum(axis=1))
        recall = np.mean(hits[labelled] / truth[labelled].sum(axis=1))
        total = precision + recall
        best = np.fmax(best, 2 * precision * recall / total if total > 0 else 0.0)
    return float(best)
