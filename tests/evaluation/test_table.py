"""The table counts, explains what it leaves out, and prints."""

import numpy as np
import pytest

from ecgclip.errors import DataError
from ecgclip.evaluation import auroc, auroc_table, macro_interval, render_table


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    targets = np.zeros((200, 4), dtype=int)
    targets[:80, 0] = 1
    targets[60:90, 1] = 1
    targets[5:8, 2] = 1
    return rng.normal(size=targets.shape) + targets, targets, [f"p{i // 2}" for i in range(200)]


def test_rows_and_reasons(problem):
    scores, targets, patients = problem
    table = auroc_table(scores, targets, ["A", "B", "C", "D"], patients, draws=50, seed=1)
    assert table.index.tolist() == ["A", "B", "C", "D", "macro", "all-classes"]
    assert table.loc["A", "positives"] == 80
    assert table["scored"].tolist() == [True, True, False, False, True, True]
    assert table.loc["C", "reason"] == "3 positives, 10 needed"
    assert np.isnan(table.loc["D", "auroc"])
    figure = auroc(scores, targets)
    assert table.loc["macro", "auroc"] == pytest.approx(figure[:2].mean())
    assert table.loc["all-classes", "auroc"] == pytest.approx(figure[:3].mean())
    assert table.loc["C", "skipped_draws"] > 0
    assert table.loc["D", "skipped_draws"] == 50
    assert (table["low"].dropna() <= table["high"].dropna()).all()


def test_macro_row_agrees_with_macro_interval(problem):
    scores, targets, patients = problem
    table = auroc_table(scores, targets, list("ABCD"), patients, draws=50, seed=1)
    interval = macro_interval(scores, targets, patients, draws=50, seed=1)
    assert table.loc["macro", ["auroc", "low", "high"]].tolist() == pytest.approx(
        [interval.estimate, interval.low, interval.high]
    )


def test_render(problem):
    scores, targets, patients = problem
    table = auroc_table(scores, targets, list("ABCD"), patients, draws=20)
    text = render_table(table, title="demo", names={"A": "atrial fibrillation"})
    assert text.startswith("demo\n")
    assert "atrial fibrillation" in text
    assert "3 positives, 10 needed" in text
    assert "20 draws of 100 patients" in text
    assert f"{table.loc['macro', 'auroc']:.3f}" in text


def test_a_table_without_a_scorable_label_says_so():
    table = auroc_table(np.zeros((5, 1)), np.zeros((5, 1)), ["A"], range(5), draws=3)
    assert np.isnan(table.loc["macro", "auroc"])
    assert "none can be scored" in table.loc["macro", "reason"]


def test_mismatched_codes_are_refused(problem):
    scores, targets, patients = problem
    with pytest.raises(DataError, match="one code a column"):
        auroc_table(scores, targets, ["A"], patients)
