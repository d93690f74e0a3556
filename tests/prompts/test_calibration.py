"""Probabilities that mean what they say, and thresholds by a rule; neither ever chosen on the test part."""

import warnings

import numpy as np
import pandas as pd
import pytest

from ecgclip import ZeroShotClassifier
from ecgclip.corpora import label_set
from ecgclip.errors import DataError, UsageError
from ecgclip.evaluation import expected_calibration_error, f1
from ecgclip.prompts.classifier.calibration import METHODS, Calibration, fit_calibration
from ecgclip.prompts.classifier.thresholds import choose_thresholds

CODES = ("A", "B", "C")
PHRASES = {
    "A": ["atrial fibrillation"],
    "B": ["sinus rhythm"],
    "C": ["left bundle branch block"],
}


@pytest.fixture
def classifier(tiny_model):
    return ZeroShotClassifier(tiny_model, PHRASES)


def drawn(n=600, seed=0, shares=(0.3, 0.1, 0.5)):
    """Scores and labels whose true probability is known."""
    rng = np.random.default_rng(seed)
    truth = rng.random((n, len(shares))) < shares
    scores = rng.normal(size=truth.shape) + 1.5 * truth
    return scores.astype(np.float32), truth


def ranks(values):
    return np.argsort(np.argsort(values, kind="stable"), kind="stable")


@pytest.mark.parametrize("method", METHODS)
def test_the_curves_are_scikit_learn_s(method):
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    class Given(ClassifierMixin, BaseEstimator):
        def fit(self, x, y):
            self.classes_ = np.array([0, 1])
            return self

        def predict(self, x):
            return (x[:, 0] > 0).astype(int)

        def decision_function(self, x):
            return x[:, 0]

    scores, truth = drawn()
    fitted = fit_calibration(scores, truth, CODES, method=method, minimum=1)
    new = np.linspace(-3, 4, 50, dtype=np.float32)
    found = fitted.apply(np.tile(new[:, None], 3), CODES)
    for column in range(3):
        x = scores[:, [column]].astype(np.float64)
        frozen = FrozenEstimator(Given().fit(x, truth[:, column]))
        every = [(np.arange(len(x)), np.arange(len(x)))]
        expected = CalibratedClassifierCV(frozen, method=method, cv=every).fit(
            x, truth[:, column].astype(int)
        )
        wanted = expected.predict_proba(new[:, None].astype(np.float64))[:, 1]
        np.testing.assert_allclose(found[:, column], wanted, atol=1e-6)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibrated_probabilities_hold_on_other_recordings(classifier, method):
    classifier.calibrate(*drawn(n=2000), method=method)
    scores, truth = drawn(n=2000, seed=1)
    after = expected_calibration_error(classifier.probability(scores), truth)
    classifier.calibration_ = None
    before = expected_calibration_error(classifier.probability(scores), truth)
    assert after.max() < 0.05
    assert after.mean() < before.mean()


@pytest.mark.parametrize("method", METHODS)
def test_the_ranking_within_a_label_stays(classifier, method):
    scores, truth = drawn()
    classifier.calibrate(scores, truth, method=method)
    probability = classifier.probability(scores)
    for column in range(3):
        if method == "isotonic":  # ties, never a reversal
            order = np.argsort(scores[:, column], kind="stable")
            assert (np.diff(probability[order, column]) >= 0).all()
            assert len(np.unique(probability[:, column])) < len(probability)
        else:
            assert np.array_equal(ranks(scores[:, column]), ranks(probability[:, column]))


def test_labels_that_cannot_be_calibrated_keep_the_prior_and_are_listed(classifier):
    scores, truth = drawn()
    truth[:, 0] = False
    truth[:, 1] = False
    truth[:2, 1] = True
    scores[:2, 1] = 3.0
    scores[:, 2] *= -1
    prior = classifier.probability(scores)
    classifier.calibrate(scores, truth)
    assert classifier.calibration_.kept == {
        "A": "0 positives and 600 negatives, 3 of each needed",
        "B": "2 positives and 598 negatives, 3 of each needed",
        "C": "its scores do not rise with the label on these 600 recordings",
    }
    np.testing.assert_allclose(classifier.probability(scores), prior, atol=1e-6)
    assert "A" in classifier.calibrate(scores, truth, minimum=1).calibration_.kept
    assert "B" not in classifier.calibrate(scores, truth, minimum=1).calibration_.kept


def test_rows_that_could_not_be_scored_are_left_out(classifier):
    scores, truth = drawn()
    expected = classifier.calibrate(scores[10:], truth[10:]).calibration_.to_dict()
    thresholds = classifier.set_thresholds(scores[10:], truth[10:], rule="f1").thresholds_.values
    scores[:10] = np.nan
    classifier.calibrate(scores, truth)
    assert classifier.calibration_.to_dict() == expected
    assert classifier.calibration_.n == 590
    assert np.array_equal(classifier.set_thresholds(scores, truth, rule="f1").thresholds_.values, thresholds)
    assert np.isnan(classifier.probability(scores[:10])).all()
    assert not classifier.decide(scores[:10]).any()
    with pytest.raises(DataError, match="no recording is left"):
        classifier.calibrate(scores[:10], truth[:10])


def test_tables_are_matched_by_the_names_of_their_columns(classifier):
    scores, truth = drawn()
    expected = classifier.calibrate(scores, truth).calibration_.to_dict()
    table = pd.DataFrame(truth.astype(int), columns=list(CODES))[["C", "A", "B"]].assign(other=1)
    assert classifier.calibrate(scores, table).calibration_.to_dict() == expected
    named = pd.DataFrame(scores, columns=list(CODES))[["B", "C", "A"]]
    assert classifier.calibrate(named, table).calibration_.to_dict() == expected
    with pytest.raises(UsageError, match="none for label 'B'"):
        classifier.calibrate(scores, table.drop(columns="B"))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"targets": None}, UsageError, "targets are needed"),
        ({"targets": np.zeros((600, 2))}, DataError, r"both must be \(n, 3\)"),
        ({"targets": np.full((600, 3), 2)}, DataError, "other than 0 and 1"),
        ({"records": np.full((600, 3), np.inf, dtype=np.float32)}, DataError, "infinite"),
        ({"method": "platt"}, UsageError, "method of calibration 'platt'"),
        ({"minimum": 0}, UsageError, "minimum must be at least 1"),
        ({"split": "test"}, UsageError, "must not be chosen on the test split"),
    ],
)
def test_what_cannot_be_calibrated_is_told_in_one_sentence(classifier, change, error, message):
    scores, truth = drawn()
    with pytest.raises(error, match=message) as caught:
        classifier.calibrate(**{"records": scores, "targets": truth, **change})
    assert "\n" not in str(caught.value)
    assert classifier.calibration_ is None


# --- thresholds


def test_f1_thresholds_are_the_best_there_are(classifier):
    scores, truth = drawn()
    found = classifier.set_thresholds(scores, truth, rule="f1").thresholds_
    assert found.left == {}
    best = f1(scores, truth, found.values)
    for column in range(3):
        grid = scores[:, column]
        every = [f1(scores[:, column], truth[:, column], [cut]) for cut in grid]
        assert best[column] == pytest.approx(max(every), abs=1e-12)
    assert np.array_equal(classifier.decide(scores), scores >= found.values)


@pytest.mark.parametrize("at_least", [0.5, 0.9, 1.0])
def test_a_sensitivity_floor_is_kept_and_no_lower_than_needed(classifier, at_least):
    scores, truth = drawn()
    values = classifier.set_thresholds(
        scores, truth, rule="sensitivity", at_least=at_least
    ).thresholds_.values
    called = classifier.decide(scores).astype(bool)
    for column in range(3):
        positives = truth[:, column]
        assert (called & truth)[:, column].sum() / positives.sum() >= at_least
        above = np.sort(scores[positives, column])
        next_up = above[np.searchsorted(above, values[column], side="left")]
        assert (scores[positives, column] > next_up).mean() < at_least


def test_equal_scores_are_called_together():
    scores = np.array([[0.0], [1.0], [1.0], [1.0], [2.0]], dtype=np.float32)
    truth = np.array([[0], [1], [0], [0], [1]], dtype=bool)
    found = choose_thresholds(scores, truth, ("A",), rule="sensitivity", at_least=1.0)
    assert found.values[0] == 0.5
    found = choose_thresholds(scores, truth, ("A",), rule="f1", at_least=0.9)
    assert found.values[0] == 1.5


def test_a_label_without_a_positive_keeps_probability_one_half(classifier):
    scores, truth = drawn()
    truth[:, 1] = False
    classifier.set_thresholds(scores, truth, rule="f1")
    assert classifier.thresholds_.left == {"B": "no positive among 600 recordings"}
    assert np.array_equal(classifier.decide(scores)[:, 1], classifier.probability(scores)[:, 1] >= 0.5)
    assert classifier.set_thresholds(rule="prior").thresholds_ is None
    assert np.array_equal(classifier.decide(scores), classifier.probability(scores) >= 0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rule": "youden"}, "rule for thresholds 'youden'"),
        ({"rule": "sensitivity", "at_least": 0.0}, "a sensitivity lies in"),
        ({"rule": "sensitivity", "at_least": 1.5}, "a sensitivity lies in"),
        ({"rule": "f1", "records": None}, "needs recordings or scores"),
        ({"rule": "f1", "split": "test"}, "must not be chosen on the test split"),
    ],
)
def test_thresholds_that_cannot_be_chosen(classifier, change, message):
    scores, truth = drawn()
    with pytest.raises(UsageError, match=message):
        classifier.set_thresholds(**{"records": scores, "targets": truth, **change})


# --- recordings


def test_a_store_brings_its_own_labels(tiny_model, tiny_store):
    classifier = ZeroShotClassifier(tiny_model, "ptbxl-superclass")
    classifier.calibrate(tiny_store, split="validation")
    rows = tiny_store.table.iloc[tiny_store.indices(split="validation")]
    scores = classifier.decision_function(tiny_store, split="validation")
    by_hand = ZeroShotClassifier(tiny_model, "ptbxl-superclass")
    by_hand.calibrate(scores, label_set("ptbxl-superclass").matrix(rows))
    assert by_hand.calibration_.to_dict() == classifier.calibration_.to_dict()
    classifier.set_thresholds(tiny_store, split="validation", rule="sensitivity", at_least=0.8)
    assert classifier.thresholds_.n == len(rows)


def test_the_test_part_is_refused_however_it_is_handed_in(tiny_model, tiny_store, simulated):
    from ecgclip.models import take_split

    classifier = ZeroShotClassifier(tiny_model, "ptbxl-superclass")
    held = (
        (tiny_store, "test"),
        (simulated, "test"),
        (tiny_store, ["validation", "test"]),
        (tiny_store, None),
        (take_split(tiny_store, "test"), None),
        (simulated.select(split="test"), None),
        (simulated.select(split=["validation", "test"]), None),
    )
    for records, split in held:
        for learn in (
            classifier.calibrate,
            lambda r, split: classifier.set_thresholds(r, rule="f1", split=split),
        ):
            with pytest.raises(UsageError, match="must not be chosen on the test split") as caught:
                learn(records, split=split)
            assert "\n" not in str(caught.value)
    assert classifier.calibration_ is classifier.thresholds_ is None


def test_an_own_bank_needs_targets(classifier, tiny_store):
    with pytest.raises(UsageError, match="'own' is of no label set"):
        classifier.calibrate(tiny_store, split="validation")


def test_unreadable_recordings_are_marked_and_left_out(classifier, simulated, tmp_path):
    records = [simulated.record(k) for k in range(12)]
    truth = np.arange(36).reshape(12, 3) % 2
    with pytest.raises(DataError, match=r"absent\.hea"):
        classifier.calibrate([*records, tmp_path / "absent.hea"], np.vstack([truth, [[1, 1, 1]]]))
    mixed = [tmp_path / "absent.hea", *records]
    classifier.calibrate(mixed, np.vstack([[[1, 1, 1]], truth]), minimum=1, on_error="mark")
    assert classifier.calibration_.n == 12
    assert "absent.hea" in classifier.errors_[0]
    classifier.set_thresholds(mixed, np.vstack([[[1, 1, 1]], truth]), rule="f1", on_error="mark")
    assert classifier.thresholds_.n == 12
    with pytest.raises(DataError, match="no recording is left"):
        classifier.calibrate([], np.zeros((0, 3)))


def test_scikit_learn_measures_what_comes_out(classifier):
    from sklearn.metrics import (
        average_precision_score,
        brier_score_loss,
        classification_report,
        f1_score,
        roc_auc_score,
    )

    scores, truth = drawn()
    classifier.calibrate(scores, truth).set_thresholds(scores, truth, rule="f1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert roc_auc_score(truth, scores, average="macro") > 0.8
        assert average_precision_score(truth, classifier.probability(scores)) > 0.3
        assert f1_score(truth, classifier.decide(scores), average="macro") > 0.3
        assert brier_score_loss(truth[:, 0], classifier.probability(scores)[:, 0]) < 0.25
        assert "A" in classification_report(
            truth, classifier.decide(scores), target_names=classifier.classes_, zero_division=0
        )


def test_a_clone_learns_for_itself(classifier):
    from sklearn.base import clone

    classifier.calibrate(*drawn())
    assert clone(classifier).calibration_ is None
    assert classifier.set_params(window="mean").calibration_ is None


def test_json_keeps_every_digit():
    scores, truth = drawn()
    for method in METHODS:
        fitted = fit_calibration(scores, truth, CODES, method=method, minimum=1)
        again = Calibration.from_dict(fitted.to_dict())
        assert np.array_equal(again.apply(scores, CODES), fitted.apply(scores, CODES))
