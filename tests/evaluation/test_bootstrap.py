"""The vectorised bootstrap equals a plain loop over the same draws; p-values and Holm behave."""

import subprocess
import sys
import time

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ecgclip.errors import DataError, UsageError
from ecgclip.evaluation import auroc, holm, macro_interval, paired_bootstrap, patient_weights


def _scores(seed=0, n=240, labels=5, skill=1.0):
    rng = np.random.default_rng(seed)
    targets = (rng.random((n, labels)) < [0.5, 0.3, 0.2, 0.1, 0.02]).astype(int)
    patients = rng.integers(0, n * 2 // 3, n).astype(str)
    base = rng.normal(size=(n, labels))
    return base + skill * targets, targets, patients


def _loop(scores, targets, weights, labels):
    """A plain bootstrap: rows repeated, scikit-learn on each label, labels without positives skipped."""
    figures, skipped = [], 0
    for multiplicity in weights:
        rows = np.repeat(np.arange(len(targets)), multiplicity)
        kept = []
        for label in labels:
            y = targets[rows, label]
            if y.sum() in (0, len(y)):
                skipped += 1
            else:
                kept.append(roc_auc_score(y, scores[rows, label]))
        figures.append(np.mean(kept))
    return np.array(figures), skipped


def test_macro_interval_equals_the_plain_loop():
    scores, targets, patients = _scores()
    weights = patient_weights(patients, draws=60, seed=5)
    chosen = [i for i in range(5) if targets[:, i].sum() >= 2]
    figures, skipped = _loop(scores, targets, weights, chosen)
    interval = macro_interval(scores, targets, patients, minimum=2, draws=60, seed=5)
    low, high = np.percentile(figures, [2.5, 97.5])
    assert (interval.low, interval.high) == (pytest.approx(low, abs=1e-12), pytest.approx(high, abs=1e-12))
    assert interval.skipped == skipped
    assert interval.n_labels == len(chosen)
    assert interval.estimate == pytest.approx(np.mean(auroc(scores, targets)[chosen]), abs=1e-12)


def test_draws_take_whole_patients():
    patients = np.array(["a", "a", "b", "c", "c", "c"])
    weights = patient_weights(patients, draws=50, seed=1)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, [0, 2, 3]].sum(axis=1) == 3).all()


def test_paired_difference_uses_the_same_draws():
    scores, targets, patients = _scores()
    worse = scores + np.random.default_rng(9).normal(size=scores.shape)
    result = paired_bootstrap(scores, worse, targets, patients, draws=80, seed=2)
    weights = patient_weights(patients, draws=80, seed=2)
    chosen = [i for i in range(5) if targets[:, i].sum() >= 10]
    change = _loop(scores, targets, weights, chosen)[0] - _loop(worse, targets, weights, chosen)[0]
    low, high = np.percentile(change, [2.5, 97.5])
    assert (result.low, result.high) == (pytest.approx(low, abs=1e-12), pytest.approx(high, abs=1e-12))
    assert result.difference > 0
    assert result.p == pytest.approx(2 * (1 + (change <= 0).sum()) / 81)


def test_equal_models_do_not_differ():
    scores, targets, patients = _scores()
    result = paired_bootstrap(scores, scores * 2 + 1, targets, patients, draws=50)
    assert (result.difference, result.low, result.high, result.p) == (0.0, 0.0, 0.0, 1.0)


def test_folds_are_scored_apart_and_sets_weigh_equally():
    scores, targets, patients = _scores(n=400)
    folds = np.arange(400) % 2
    sets = ["one", "one", "one", "two", "two"]
    shifted = scores + 100.0 * folds[:, None]  # another model, another scale: must not matter
    plain = macro_interval(scores, targets, patients, folds=folds, sets=sets, draws=40)
    moved = macro_interval(shifted, targets, patients, folds=folds, sets=sets, draws=40)
    assert moved == plain
    by_fold = []
    for fold in (0, 1):
        part, truth = scores[folds == fold], targets[folds == fold]
        figure = auroc(part, truth)
        ok = (truth.sum(axis=0) >= 10) & ((1 - truth).sum(axis=0) >= 10)
        by_set = [np.mean(figure[[i for i in group if ok[i]]]) for group in ((0, 1, 2), (3, 4))]
        by_fold.append(np.mean(by_set))
    assert plain.estimate == pytest.approx(np.mean(by_fold), abs=1e-12)


def test_nothing_to_score_is_an_error():
    with pytest.raises(DataError, match="no label has 10 positives"):
        macro_interval(np.zeros((5, 2)), np.zeros((5, 2)), np.arange(5))
    with pytest.raises(DataError, match="one patient"):
        macro_interval(np.zeros((30, 1)), np.arange(30)[:, None] < 15, np.arange(29))


def test_holm():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]
    with pytest.raises(DataError):
        holm([0.2, 1.2])


@pytest.mark.slow
def test_a_thousand_draws_of_2200_by_71_take_under_ten_seconds():
    rng = np.random.default_rng(0)
    targets = rng.random((2200, 71)) < rng.uniform(0.002, 0.4, 71)
    scores = rng.normal(size=(2200, 71)) + targets
    weights = patient_weights(np.arange(2200), draws=1000)
    start = time.perf_counter()
    auroc(scores, targets, weights)
    assert time.perf_counter() - start < 10


def test_evaluation_loads_no_torch():
    code = (
        "import sys, ecgclip.evaluation as e; e.auroc, e.linear_probe, e.auroc_table; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_seed_below_zero_is_refused():
    with pytest.raises(UsageError, match="seed -1"):
        patient_weights(["a", "b"], seed=-1)
