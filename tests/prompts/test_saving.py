"""A classifier is saved whole, and loads only for the model and the bank that it was made of."""

import json

import numpy as np
import pytest

from ecgclip import ZeroShotClassifier
from ecgclip.errors import DataError
from ecgclip.models import model_hash
from ecgclip.prompts import PromptBank

PHRASES = {"AF": ["atrial fibrillation", "irregular rhythm"], "SR": ["sinus rhythm"], "LBBB": ["LBBB"]}


@pytest.fixture(scope="module")
def records(simulated):
    return [simulated.record(k) for k in range(6)]


def learned(classifier, records):
    scores = classifier.decision_function(records)
    truth = np.zeros(scores.shape, dtype=int)
    truth[np.argsort(scores[:, 0])[3:]] = 1
    truth[:, -1] = 0
    classifier.calibrate(scores, truth, minimum=2)
    return classifier.set_thresholds(scores, truth, rule="sensitivity", at_least=0.6)


@pytest.mark.parametrize(
    ("labels", "how"),
    [
        (PHRASES, {}),
        (PHRASES, {"prior": {"AF": np.float32(0.2)}, "window": "mean", "combine": "embedding"}),
        ("ptbxl-rhythm", {"languages": {"de", "en"}, "kinds": ("name", "scp", "synonym"), "negation": True}),
        ("ptbxl-superclass", {"languages": "en", "parts": False}),
    ],
)
def test_what_is_loaded_is_what_was_saved(tiny_model, records, tmp_path, labels, how):
    classifier = learned(ZeroShotClassifier(tiny_model, labels, **how), records)
    assert classifier.save(tmp_path / "c") == tmp_path / "c"
    loaded = ZeroShotClassifier.load(tmp_path / "c", tiny_model)
    assert np.array_equal(loaded.decision_function(records), classifier.decision_function(records))
    assert np.array_equal(loaded.predict_proba(records), classifier.predict_proba(records))
    assert np.array_equal(loaded.predict(records), classifier.predict(records))
    assert loaded.calibration_.to_dict() == classifier.calibration_.to_dict()
    assert loaded.calibration_.kept != {}
    assert loaded.thresholds_.to_dict() == classifier.thresholds_.to_dict()
    assert loaded.bank.hash == classifier.bank.hash
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again/classifier.json").read_text() == (tmp_path / "c/classifier.json").read_text()


def test_own_phrases_are_classified_without_the_text_encoder(tiny_run, records, tmp_path):
    model = tiny_run.model()
    classifier = ZeroShotClassifier(model, PHRASES)
    expected = classifier.decision_function(records)
    classifier.save(tmp_path)
    loaded = ZeroShotClassifier.load(tmp_path, model)

    def refuse(*args, **kwargs):
        raise AssertionError("the text encoder was used")

    model.embed_text = refuse
    np.testing.assert_array_equal(loaded.decision_function(records), expected)


def test_another_model_is_refused_and_both_are_named(tiny_run, tmp_path):
    import torch

    model = tiny_run.model()
    ZeroShotClassifier(model, PHRASES).save(tmp_path)
    before = model_hash(model)
    with torch.no_grad():
        model.log_scale.add_(1.0)
    with pytest.raises(DataError, match=f"of model {before}, and this model is {model_hash(model)}"):
        ZeroShotClassifier.load(tmp_path, model)


BANK = """
name: mine
labels:
  - code: AF
    name: atrial fibrillation
    phrases: [{lang: en, kind: name, source: book, text: [atrial fibrillation, AF]}]
"""


@pytest.mark.filterwarnings("ignore:prompt bank mine")
def test_an_edited_bank_is_refused_and_both_are_named(tiny_model, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(BANK, encoding="utf-8")
    ZeroShotClassifier(tiny_model, path).save(tmp_path / "c")
    before = PromptBank.load(path).hash
    assert ZeroShotClassifier.load(tmp_path / "c", tiny_model).bank.hash == before
    path.write_text(BANK.replace(", AF]", ", AFib]"), encoding="utf-8")
    with pytest.raises(DataError, match=f"mine {before}, and the bank is {PromptBank.load(path).hash} now"):
        ZeroShotClassifier.load(tmp_path / "c", tiny_model)
    path.unlink()  # on another machine the classifier is enough
    assert ZeroShotClassifier.load(tmp_path / "c", tiny_model).bank.hash == before


def test_a_bank_edited_within_the_folder_is_refused(tiny_model, tmp_path):
    ZeroShotClassifier(tiny_model, "ptbxl-rhythm").save(tmp_path)
    file = tmp_path / "classifier.json"
    file.write_text(file.read_text().replace('"text": "Vorhofflimmern"', '"text": "Vorhofflattern"'))
    with pytest.raises(DataError, match=r"ptbxl-rhythm [0-9a-f]{12}, and the bank is [0-9a-f]{12} now"):
        ZeroShotClassifier.load(tmp_path, tiny_model)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (
            lambda folder: (folder / "classifier.json").unlink(),
            r"no classifier \(classifier.json is absent\)",
        ),
        (lambda folder: (folder / "classifier.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "classifier.json").write_text("[]"), "no classifier of format"),
        (lambda folder: next(folder.glob("*.safetensors")).write_bytes(b"x"), "is not the file that"),
        (lambda folder: next(folder.glob("*.safetensors")).unlink(), "cannot be read"),
    ],
)
def test_a_damaged_folder_is_told_in_one_sentence(tiny_model, tmp_path, harm, message):
    ZeroShotClassifier(tiny_model, PHRASES).save(tmp_path)
    harm(tmp_path)
    with pytest.raises(DataError, match=message) as caught:
        ZeroShotClassifier.load(tmp_path, tiny_model)
    assert "\n" not in str(caught.value)


def test_phrases_that_are_read_differently_are_refused(tiny_model, tmp_path):
    ZeroShotClassifier(tiny_model, PHRASES).save(tmp_path)
    file = tmp_path / "classifier.json"
    state = json.loads(file.read_text())
    state["texts"]["sinus rhythm"] = ["something else"]
    file.write_text(json.dumps(state))
    with pytest.raises(DataError, match="'sinus rhythm' is read differently"):
        ZeroShotClassifier.load(tmp_path, tiny_model)


def test_saving_again_leaves_nothing_behind(tiny_model, tmp_path):
    ZeroShotClassifier(tiny_model, PHRASES).save(tmp_path)
    ZeroShotClassifier(tiny_model, {"AF": ["atrial fibrillation"]}).save(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    assert ZeroShotClassifier.load(tmp_path, tiny_model).classes_.tolist() == ["AF"]


def test_a_file_in_the_way_is_told_in_one_sentence(tiny_model, tmp_path):
    (tmp_path / "c").write_text("")
    with pytest.raises(DataError, match="is a file"):
        ZeroShotClassifier(tiny_model, PHRASES).save(tmp_path / "c")
