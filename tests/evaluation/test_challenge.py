"""The Challenge metric against answers worked out by hand."""

import numpy as np
import pytest

from ecgclip.errors import DataError
from ecgclip.evaluation import challenge_metric
from ecgclip.evaluation.challenge import SINUS_RHYTHM, challenge_weights

CLASSES, WEIGHTS = challenge_weights()
SINUS = next(k for k, known in enumerate(CLASSES) if SINUS_RHYTHM in known)


def rows(*classes):
    table = np.zeros((len(classes), len(CLASSES)), dtype=int)
    for row, each in enumerate(classes):
        table[row, list(each)] = 1
    return table


def test_thirty_codes_make_26_classes_and_a_class_is_wholly_itself():
    assert len(CLASSES) == 26
    assert sum(map(len, CLASSES)) == 30
    assert np.array_equal(np.diag(WEIGHTS), np.ones(26))
    assert np.array_equal(WEIGHTS, WEIGHTS.T)


def test_truth_is_one_and_always_sinus_is_nought():
    truth = rows([0], [1, 2], [SINUS], [5])
    assert challenge_metric(truth, truth, CLASSES) == 1.0
    assert challenge_metric(rows(*[[SINUS]] * 4), truth, CLASSES) == 0.0


def test_a_record_divides_its_credit_by_the_classes_in_truth_or_call():
    # one record of class 0, called 0 and 1: (w00 + w01) / 2 against 1 for the truth and w0s / 2 for sinus rhythm
    found = challenge_metric(rows([0, 1]), rows([0]), CLASSES)
    floor = WEIGHTS[0, SINUS] / 2
    assert found == pytest.approx(((1 + WEIGHTS[0, 1]) / 2 - floor) / (1 - floor), abs=1e-12)


def test_calls_nothing():
    found = challenge_metric(rows([]), rows([0]), CLASSES)
    floor = WEIGHTS[0, SINUS] / 2
    assert found == pytest.approx(-floor / (1 - floor), abs=1e-12)


def test_equals_a_plain_loop_in_any_order_of_columns():
    rng = np.random.default_rng(0)
    truth, called = rng.random((50, 26)) < 0.1, rng.random((50, 26)) < 0.15

    def total(calls):
        score = 0.0
        for t, c in zip(truth, calls, strict=True):
            share = max((t | c).sum(), 1)
            score += sum(WEIGHTS[j, k] / share for j in np.flatnonzero(t) for k in np.flatnonzero(c))
        return score

    sinus = np.zeros_like(truth)
    sinus[:, SINUS] = True
    wanted = (total(called) - total(sinus)) / (total(truth) - total(sinus))
    order = rng.permutation(26)
    found = challenge_metric(called[:, order], truth[:, order], [CLASSES[k] for k in order])
    assert found == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(
    ("called", "targets", "codes", "says"),
    [
        (rows([0]), rows([0], [1]), CLASSES, "expected"),
        (rows([0]) * 2, rows([0]), CLASSES, "of 0 and 1"),
        (rows([0])[:, :25], rows([0])[:, :25], CLASSES[:25], "has no column"),
        (rows([SINUS]), rows([SINUS]), CLASSES, "not defined"),
    ],
)
def test_what_cannot_be_scored_is_refused(called, targets, codes, says):
    with pytest.raises(DataError, match=says):
        challenge_metric(called, targets, codes)
