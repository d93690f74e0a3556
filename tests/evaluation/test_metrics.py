"""Metrics equal scikit-learn's to 1e-12, ties and degenerate labels included."""

import numpy as np
import pytest
from sklearn import metrics as sk

from ecgclip.errors import DataError, UsageError
from ecgclip.evaluation import (
    auprc,
    auroc,
    brier,
    expected_calibration_error,
    f1,
    fmax,
    patient_weights,
    reliability,
    sensitivity_at_specificity,
)
from ecgclip.prompts.classifier.thresholds import choose_thresholds


def _problem(seed, n=300, labels=7, ties=True):
    rng = np.random.default_rng(seed)
    targets = (rng.random((n, labels)) < rng.uniform(0.02, 0.6, labels)).astype(np.int8)
    targets[0], targets[1] = 0, 1
    scores = rng.normal(size=(n, labels)) + targets
    return (np.round(scores, 1) if ties else scores), targets


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_equals_scikit_learn(seed, ties):
    scores, targets = _problem(seed, ties=ties)
    np.testing.assert_allclose(
        auroc(scores, targets), sk.roc_auc_score(targets, scores, average=None), atol=1e-12
    )
    expected = sk.average_precision_score(targets, scores, average=None)
    np.testing.assert_allclose(auprc(scores, targets), expected, atol=1e-12)


@pytest.mark.parametrize("ties", [True, False])
def test_weighted_draws_equal_scikit_learn_on_repeated_rows(ties):
    scores, targets = _problem(1, n=120, labels=4, ties=ties)
    patients = np.arange(120) // 2
    weights = patient_weights(patients, draws=20, seed=3)
    fast, precision = auroc(scores, targets, weights), auprc(scores, targets, weights)
    for draw, multiplicity in enumerate(weights):
        rows = np.repeat(np.arange(120), multiplicity)
        for label in range(4):
            y, s = targets[rows, label], scores[rows, label]
            if 0 < y.sum() < len(y):
                assert fast[draw, label] == pytest.approx(sk.roc_auc_score(y, s), abs=1e-12)
                assert precision[draw, label] == pytest.approx(sk.average_precision_score(y, s), abs=1e-12)
            else:
                assert np.isnan(fast[draw, label])


def test_raw_scores_far_outside_the_unit_interval_keep_their_ranking():
    assert auroc(np.arange(20.0, 40.0), np.arange(20) >= 10) == 1.0
    assert auprc(-np.arange(20.0, 40.0), np.arange(20) < 10) == 1.0


def test_constant_scores_are_chance_and_missing_classes_are_nan():
    assert auroc(np.zeros(10), np.arange(10) < 3) == 0.5
    assert np.isnan(auroc(np.arange(4.0), np.zeros(4)))
    assert np.isnan(auroc(np.arange(4.0), np.ones(4)))
    assert np.isnan(auprc(np.arange(4.0), np.zeros(4)))


def test_brier_and_reliability():
    rng = np.random.default_rng(0)
    p = rng.random((200, 3))
    y = (rng.random((200, 3)) < p).astype(int)
    for label in range(3):
        assert brier(p, y)[label] == pytest.approx(sk.brier_score_loss(y[:, label], p[:, label]), abs=1e-12)
    mean, share, count = reliability(p, y, bins=10)
    assert count.sum(axis=1).tolist() == [200] * 3
    which = np.minimum((p[:, 1] * 10).astype(int), 9)
    gaps = sum(
        np.sum(which == b) / 200 * abs(p[which == b, 1].mean() - y[which == b, 1].mean()) for b in range(10)
    )
    assert expected_calibration_error(p, y, bins=10)[1] == pytest.approx(gaps, abs=1e-12)
    assert mean[1, 3] == pytest.approx(p[which == 3, 1].mean())
    assert share[1, 3] == pytest.approx(y[which == 3, 1].mean())
    assert expected_calibration_error(np.ones(5), np.ones(5)) == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_sensitivity_at_specificity_is_the_best_point_of_the_roc_curve(seed):
    scores, targets = _problem(seed)
    figures = sensitivity_at_specificity(scores, targets)
    for label in range(scores.shape[1]):
        fpr, tpr, _ = sk.roc_curve(targets[:, label], scores[:, label], drop_intermediate=False)
        assert figures[label] == pytest.approx(tpr[fpr <= 0.1 + 1e-12].max(), abs=1e-12)


def test_f1_and_its_best_threshold():
    scores, targets = _problem(2)
    codes = tuple("abcdefg")
    thresholds = choose_thresholds(scores, targets > 0, codes, rule="f1", at_least=0.9).values
    figures = f1(scores, targets, thresholds)
    for label in range(scores.shape[1]):
        precision, recall, _ = sk.precision_recall_curve(targets[:, label], scores[:, label])
        best = np.nanmax(2 * precision * recall / np.maximum(precision + recall, 1e-300))
        assert figures[label] == pytest.approx(best, abs=1e-12)
        called = scores[:, label] >= thresholds[label]
        assert figures[label] == pytest.approx(sk.f1_score(targets[:, label], called), abs=1e-12)
    assert np.isnan(f1(np.arange(3.0), np.zeros(3), 1.0))


def test_fmax_by_hand():
    p = np.array([[0.9, 0.8], [0.2, 0.9]])
    y = np.array([[1, 0], [0, 1]])
    # thresholds in (0.8, 0.9]: every call right, every label found
    assert fmax(p, y) == 1.0
    assert fmax(np.zeros((2, 2)), y) == pytest.approx(2 * 0.5 * 1 / 1.5)


@pytest.mark.parametrize(
    ("scores", "targets"),
    [
        ([0.1, np.nan], [0, 1]),
        ([0.1, np.inf], [0, 1]),
        ([0.1, 0.2], [0, 2]),
        ([0.1, 0.2], [0, 1, 1]),
        ([], []),
    ],
)
def test_faulty_input_is_refused(scores, targets):
    with pytest.raises(DataError):
        auroc(scores, targets)


def test_probabilities_and_weights_are_checked():
    with pytest.raises(DataError, match="calibrate"):
        brier([0.2, 1.4], [0, 1])
    with pytest.raises(UsageError, match="weights"):
        auroc([0.2, 0.4], [0, 1], np.ones((3, 5)))
