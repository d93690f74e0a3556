"""The table of phrase kinds: what it says is what the classifier and the metrics say."""

import numpy as np
import pytest

from ecgclip import ZeroShotClassifier
from ecgclip.corpora import label_set
from ecgclip.errors import UsageError
from ecgclip.evaluation import auroc, phrase_kinds
from ecgclip.prompts import PromptBank

SETS = ("ptbxl-superclass", "ptbxl-rhythm")


@pytest.fixture(scope="module")
def table(tiny_model, tiny_store):
    return phrase_kinds(tiny_model, tiny_store, SETS, split=None, minimum=5, draws=20)


@pytest.mark.parametrize(
    ("row", "how"),
    [
        ("default", {}),
        ("german", {"languages": "de"}),
        ("description", {"kinds": "description"}),
        ("negation", {"negation": True}),
        ("embedding", {"combine": "embedding"}),
        ("no-parts", {"parts": False}),
    ],
)
def test_a_row_is_the_classifier_s_figure(tiny_model, tiny_store, table, row, how):
    for name in SETS:
        truth = label_set(name).matrix(tiny_store.table)
        scores = ZeroShotClassifier(tiny_model, name, **how).decision_function(tiny_store)
        positives = truth.sum(axis=0)
        chosen = (positives >= 5) & (positives <= len(truth) - 5)
        assert table[name][row] == pytest.approx(np.mean(auroc(scores, truth)[chosen]), abs=2e-3)


def test_a_bare_name_is_one_string_a_label(tiny_model, tiny_store, table):
    bank = PromptBank.load("ptbxl-superclass")
    truth = label_set("ptbxl-superclass").matrix(tiny_store.table)
    scores = ZeroShotClassifier(tiny_model, dict(bank.names)).decision_function(tiny_store)
    assert table["ptbxl-superclass"]["name"] == pytest.approx(np.mean(auroc(scores, truth)), abs=2e-3)


def test_the_table_says_what_it_rests_on(table):
    assert table["mean"]["scp"] == pytest.approx(table.loc["scp", list(SETS)].mean())
    assert table["difference"]["default"] == 0
    assert (table["low"] <= table["difference"] + 1e-9).all()
    assert (table["difference"] <= table["high"] + 1e-9).all()
    assert table["fallbacks"]["abbreviation"] > 0
    assert table["fallbacks"]["scp"] == 0
    assert table["by_reports"].between(0, 1).all()
    assert table.attrs["banks"] == {name: PromptBank.load(name).hash for name in SETS}
    assert table.attrs["n"] == 200


def test_chosen_rows_and_what_is_not_there(tiny_model, tiny_store, simulated):
    found = phrase_kinds(tiny_model, tiny_store, SETS[:1], rows=["german"], split=None, minimum=5, draws=2)
    assert found.index.tolist() == ["default", "german"]
    with pytest.raises(UsageError, match="kind of phrase 'germn': did you mean german"):
        phrase_kinds(tiny_model, tiny_store, rows=["germn"])
    with pytest.raises(UsageError, match="needs a corpus"):
        phrase_kinds(tiny_model, [simulated.record(0)])
