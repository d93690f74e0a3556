"""Validation retrieval keeps to a sample of a large part: seeded, the same every time, and sorted."""

import numpy as np
import pytest

from ecgclip.training import validation
from ecgclip.training.validation import MOST_RETRIEVED, ValidationSet, _sample, validate


def test_a_small_part_is_taken_whole():
    rows = list(range(3, 3 + MOST_RETRIEVED))
    assert _sample(rows) == rows


def test_a_large_part_gives_the_same_rows_every_time():
    rows = [3 * k for k in range(2 * MOST_RETRIEVED)]
    chosen = _sample(rows)
    assert chosen == _sample(list(rows))
    assert len(set(chosen)) == MOST_RETRIEVED
    assert chosen == sorted(chosen)
    assert set(chosen) <= set(rows)
    below = np.mean(np.array(chosen) < np.median(rows))
    assert 0.45 < below < 0.55  # drawn from all of it


def test_figures_of_a_sampled_part_repeat_and_leave_findings_alone(tiny_model, tiny_store, monkeypatch):
    rows = np.arange(60)
    lists = [tuple(tiny_store.table["statements"][k]) for k in rows]
    held = ValidationSet.of(tiny_store, rows, lists)
    whole = validate(tiny_model, held)
    monkeypatch.setattr(validation, "MOST_RETRIEVED", 20)
    sampled = validate(tiny_model, held)
    assert sampled == validate(tiny_model, held)
    assert sampled["findings"] == pytest.approx(whole["findings"])
    recalls = [name for name in whole if name.endswith("recall_10")]
    assert recalls
    assert all(sampled[name] > whole[name] for name in recalls)  # fewer to mistake it for
