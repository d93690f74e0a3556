"""Tables of several label sets: one pass over the recordings, and the figures of calls of their own."""

import numpy as np
import pandas as pd
import pytest

from ecgclip.corpora import Corpus
from ecgclip.errors import DataError, UsageError
from ecgclip.evaluation.evaluate import evaluate, evaluation, evaluations
from ecgclip.models import StorePart
from ecgclip.prompts import ZeroShotClassifier, decision_functions

SETS = ["ptbxl-superclass", "ptbxl-form", "ptbxl-rhythm"]


@pytest.fixture
def counted(simulated):
    """Twelve recordings, the fourth of which is torn, and the ids that were read, in order."""
    table, read = simulated.table.iloc[:12].reset_index(drop=True), []

    def reader(row):
        read.append(row["record_id"])
        if row["record_id"] == table["record_id"][3]:
            raise DataError("torn")
        return simulated.reader(row)

    return Corpus(table, name="torn", reader=reader), read


@pytest.fixture(scope="module")
def part(tiny_store):
    return StorePart(tiny_store, np.arange(60))


def test_figures_are_those_of_calls_of_their_own(tiny_model, part):
    together = evaluations(tiny_model, part, SETS, split=None, draws=20)
    assert list(together) == SETS
    for name in SETS:
        alone = evaluation(tiny_model, part, name, split=None, draws=20)
        np.testing.assert_allclose(together[name].scores, alone.scores, rtol=0, atol=1e-6)
        np.testing.assert_array_equal(together[name].targets, alone.targets)
        pd.testing.assert_frame_equal(together[name].table, alone.table, atol=1e-6, rtol=0)
        pd.testing.assert_frame_equal(
            evaluate(tiny_model, part, name, split=None, draws=20), alone.table, atol=1e-6, rtol=0
        )


def test_every_recording_is_read_once_and_a_torn_one_is_marked_in_every_set(tiny_model, counted):
    corpus, read = counted
    found = evaluations(tiny_model, corpus, SETS, split=None, draws=2)
    assert read == list(corpus.table["record_id"])
    for name in SETS:
        assert len(found[name].rows) == 11
        assert list(found[name].errors) == [corpus.table["record_id"][3]]


def test_classifiers_of_one_model_answer_together(tiny_model, part, tiny_run):
    classifiers = [
        ZeroShotClassifier(tiny_model, "ptbxl-rhythm", window="mean"),
        ZeroShotClassifier(tiny_model, {"AF": ["atrial fibrillation"]}),
    ]
    for each, scores in zip(classifiers, decision_functions(classifiers, part), strict=True):
        np.testing.assert_allclose(scores, each.decision_function(part), rtol=0, atol=1e-6)
    with pytest.raises(UsageError, match="same model"):
        decision_functions([classifiers[0], ZeroShotClassifier(tiny_run.model(), "ptbxl-rhythm")], part)
    with pytest.raises(UsageError, match="same model"):
        decision_functions([], part)


def test_what_cannot_be_evaluated_is_told_before_anything_is_read(tiny_model, counted):
    corpus, read = counted
    with pytest.raises(UsageError, match="no label set"):
        evaluations(tiny_model, corpus, [], split=None)
    with pytest.raises(DataError, match="cpsc2018"):
        evaluations(tiny_model, corpus, ["ptbxl-rhythm", "cpsc2018"], split=None)
    assert read == []
