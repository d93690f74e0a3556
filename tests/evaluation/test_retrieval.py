"""Retrieval counts identical texts as hits and cannot be fooled by a collapsed encoder."""

import numpy as np
import pytest

from ecgclip.errors import DataError
from ecgclip.evaluation import retrieval_table


def test_perfect_and_collapsed_encoders():
    z = np.eye(20)
    texts = [f"report {i}" for i in range(20)]
    table = retrieval_table(z, z, texts)
    assert (table["recall@1"] == 1).all()
    assert (table["median_rank"] == 1).all()
    flat = retrieval_table(np.ones((20, 3)), np.ones((20, 3)), texts)
    assert (flat["median_rank"] == 10.5).all()
    assert (flat["recall@10"] == 0).all()


def test_identical_texts_are_hits():
    ecg = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    text = np.array([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    table = retrieval_table(ecg, text, ["sinus", "sinus", "other"])
    # recording 1 and its twin text agree; recording 0 prefers text 2; recording 2 prefers the sinus texts
    assert table.loc["ecg to text", "recall@1"] == pytest.approx(1 / 3)
    assert table.loc["ecg to text", "distinct_texts"] == 2
    assert table.loc["text to ecg", "recall@1"] == pytest.approx(2 / 3)


def test_chunks_do_not_matter_and_empty_texts_are_counted():
    rng = np.random.default_rng(0)
    ecg, text = rng.normal(size=(2, 50, 8))
    texts = [f"t{i % 17}" for i in range(49)] + [" "]
    whole = retrieval_table(ecg, text, texts)
    assert whole.equals(retrieval_table(ecg, text, texts, chunk=7))
    assert (whole["left_out"] == 1).all()
    assert (whole["n"] == 49).all()


def test_faults_are_refused():
    with pytest.raises(DataError, match="expected two"):
        retrieval_table(np.ones((2, 3)), np.ones((3, 3)), ["a", "b"])
    with pytest.raises(DataError, match="not finite"):
        retrieval_table(np.full((1, 2), np.nan), np.ones((1, 2)), ["a"])
    with pytest.raises(DataError, match="none of the records"):
        retrieval_table(np.ones((1, 2)), np.ones((1, 2)), [""])
