"""Which phrases speak for a label, and how they are brought together."""

import numpy as np
import pytest

from ecgclip import ZeroShotClassifier
from ecgclip.errors import DataError, UsageError
from ecgclip.models import readable_texts
from ecgclip.prompts import PromptBank, score_phrases
from ecgclip.prompts.classifier import Places

CLOSE = {"atol": 2e-3, "rtol": 0}

OWN = """
name: own
labels:
  - code: AF
    name: atrial fibrillation
    phrases:
      - {lang: en, kind: name, source: book, text: "atrial fibrillation"}
      - {lang: de, kind: name, source: book, text: "Vorhofflattern"}
      - {lang: en, kind: description, source: book, text: "left bundle branch block"}
    negation: {en: "no atrial fibrillation"}
  - code: SR
    name: sinus rhythm
    phrases:
      - {lang: en, kind: name, source: book, text: "sinus rhythm"}
      - {lang: de, kind: synonym, source: book, text: "Sinustachykardie"}
      - {lang: en, kind: description, source: book, text: "normal ECG"}
"""


@pytest.fixture(scope="module")
def records(simulated):
    return [simulated.record(k) for k in range(4)]


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    path = tmp_path_factory.mktemp("bank") / "own.yaml"
    path.write_text(OWN, encoding="utf-8")
    return PromptBank.load(path)


def scores_of(model, records, *texts):
    labels = {f"label {k}": [text] for k, text in enumerate(texts)}
    return ZeroShotClassifier(model, labels).decision_function(records)


@pytest.mark.filterwarnings("ignore:prompt bank own")
@pytest.mark.parametrize(
    ("how", "texts"),
    [
        ({"languages": "en"}, ("atrial fibrillation", "sinus rhythm")),
        ({"languages": ["de"]}, ("Vorhofflattern", "Sinustachykardie")),
        ({"kinds": "description"}, ("left bundle branch block", "normal ECG")),
        ({"kinds": {"name", "synonym"}, "languages": ("de",)}, ("Vorhofflattern", "Sinustachykardie")),
    ],
)
def test_languages_and_kinds_choose_the_phrases(tiny_model, records, bank, how, texts):
    found = ZeroShotClassifier(tiny_model, bank, **how).decision_function(records)
    np.testing.assert_allclose(found, scores_of(tiny_model, records, *texts), **CLOSE)


@pytest.mark.filterwarnings("ignore:prompt bank own")
def test_a_negation_is_subtracted_where_there_is_one(tiny_model, records, bank):
    plain = ZeroShotClassifier(tiny_model, bank).decision_function(records)
    against = ZeroShotClassifier(tiny_model, bank, negation=True).decision_function(records)
    denied = scores_of(tiny_model, records, "no atrial fibrillation")[:, 0]
    np.testing.assert_allclose(against[:, 0], plain[:, 0] - denied, **CLOSE)
    np.testing.assert_allclose(against[:, 1], plain[:, 1], **CLOSE)


def test_the_mean_of_embeddings_is_scored_as_one_text(tiny_model, records):
    phrases = ["sinus rhythm", "left bundle branch block"]
    found = ZeroShotClassifier(tiny_model, {"X": phrases}, combine="embedding").decision_function(records)
    texts = tiny_model.text_vectors(phrases)
    weights = np.log([1.05 + tiny_model.config.familiar.get(phrase, 0) for phrase in phrases])
    means = [np.average(vectors, axis=0, weights=weights)[None] for vectors in texts]
    unit = tuple((mean / np.linalg.norm(mean)).astype(np.float32) for mean in means)
    from ecgclip.prompts import joined

    expected = joined(score_phrases(tiny_model, records, [], vectors=unit).parts, tiny_model.config)
    np.testing.assert_allclose(found, expected, **CLOSE)


def test_one_phrase_scores_alike_in_both_spaces(tiny_model, records):
    labels = {"AF": ["atrial fibrillation"], "SR": ["sinus rhythm"]}
    by_score = ZeroShotClassifier(tiny_model, labels).decision_function(records)
    by_embedding = ZeroShotClassifier(tiny_model, labels, combine="embedding").decision_function(records)
    np.testing.assert_allclose(by_embedding, by_score, **CLOSE)


def known(model, phrases):
    """How well the model knows the best known wording of a part."""
    readings = [readable_texts(phrase.text, "canonical") or (phrase.text.lower(),) for phrase in phrases]
    places = Places(model.config.familiar)
    said = [min(model.config.familiar.get(text, 0) for text in reading) for reading in readings]
    counts = [max(n, sum(places.of(reading).values())) for n, reading in zip(said, readings, strict=True)]
    return np.log(1.05 + max(counts))


@pytest.mark.filterwarnings("ignore:prompt bank own")  # parts may name one another
def test_any_part_of_a_super_label_is_enough(tiny_model, records):
    bank = PromptBank.load("ptbxl-superclass")
    found = ZeroShotClassifier(tiny_model, bank, places=False).decision_function(records)
    own = ZeroShotClassifier(tiny_model, bank, parts=False, places=False).decision_function(records)
    for column, code in enumerate(bank.labels):
        phrases = bank.parts(code)
        labels = {part: [p.text for p in said] for part, said in phrases.items()}
        spoken = PromptBank.from_dict(labels)
        parts = ZeroShotClassifier(tiny_model, spoken, places=False).decision_function(records)
        groups = np.column_stack([own[:, column], parts])
        weights = np.array([known(tiny_model, said) for said in (bank.phrases(code), *phrases.values())])
        expected = np.log(np.exp(2.0 * groups) @ weights / weights.sum()) / 2.0
        np.testing.assert_allclose(found[:, column], expected, **CLOSE)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"combine": "scores"}, "way to combine phrases 'scores': did you mean score"),
        ({"languages": "fr"}, "language of prompt bank .* 'fr'"),
        ({"kinds": "synonyms"}, "kind of phrase 'synonyms': did you mean synonym"),
        ({"languages": "sv", "kinds": "abbreviation"}, "label .* has no phrase with languages='sv'"),
        ({"prior": {"AFIBB": 0.1}}, "label in prior: 'AFIBB': did you mean AFIB"),
        ({"prior": "high"}, "prior of 'NDT' must lie between 0 and 1"),
    ],
)
def test_what_cannot_be_chosen_is_told_in_one_sentence(tiny_model, how, message):
    with pytest.raises(UsageError, match=message) as caught:
        ZeroShotClassifier(tiny_model, "ptbxl-rhythm" if "languages" in how else "ptbxl-all", **how)
    assert "\n" not in str(caught.value)


def test_negation_asked_of_a_bank_without_any(tiny_model):
    with pytest.raises(UsageError, match="'own' has no negations"):
        ZeroShotClassifier(tiny_model, {"AF": ["atrial fibrillation"]}, negation=True)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"af": ["fibrillation", "no fibrillation"]}, "denies the label itself"),
        ({"af": ["fibrillation", "atrial flutter"], "fl": ["atrial flutter"]}, "is shared by the labels"),
        ({"af": ["fibrillation", "fibrillation or atrial flutter"], "fl": ["atrial flutter"]}, "names fl"),
        ({"isc": ["in lateral leads"]}, "noun was lost"),
        ({"big": ["Bigeminy. Let me know if this meets your requirements!"]}, "chatter"),
        ({"af": ["?!"]}, "empty phrase"),
    ],
)
def test_a_faulty_bank_is_refused_when_a_classifier_is_made_of_it(tiny_model, labels, message):
    for given in (labels, PromptBank.from_dict(labels)):
        with pytest.raises(DataError, match=message) as caught:
            ZeroShotClassifier(tiny_model, given)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"af": [" ".join(["fibrillation"] * 17)]}, "more than 16 words"),
        ({"ste": ["ST elevation"], "mi": ["ST elevation myocardial infarction"]}, "names ste"),
    ],
)
def test_what_is_only_long_or_may_be_meant_is_a_warning(tiny_model, labels, message):
    with pytest.warns(UserWarning, match=message):
        classifier = ZeroShotClassifier(tiny_model, labels)
    assert classifier.classes_.tolist() == list(labels)


def test_a_thin_bank_file_is_a_warning(tiny_model, bank):
    with pytest.warns(UserWarning, match="fewer than 3 distinct names and synonyms"):
        ZeroShotClassifier(tiny_model, bank)


def test_every_argument_is_a_parameter(tiny_model, records):
    from sklearn.base import clone

    how = {
        "prior": {"AFIB": 0.2},
        "window": "mean",
        "languages": ("en", "de"),
        "kinds": ("name", "scp", "synonym"),
        "combine": "embedding",
        "negation": True,
        "parts": False,
        "places": True,
    }
    classifier = ZeroShotClassifier(tiny_model, "ptbxl-rhythm", **how)
    copy = clone(classifier)
    assert copy is not classifier
    assert copy.get_params() == {"model": tiny_model, "labels": "ptbxl-rhythm", **how}
    assert np.array_equal(copy.decision_function(records), classifier.decision_function(records))
    assert set(how) | {"model", "labels"} == set(ZeroShotClassifier(tiny_model).get_params())


def test_phrases_are_embedded_anew_when_the_model_was_trained_on(tiny_run, records):
    import torch

    model = tiny_run.model()
    model.kept_texts = {}
    classifier = ZeroShotClassifier(model, {"AF": ["atrial fibrillation"]})
    before = classifier.decision_function(records)
    assert np.array_equal(classifier.decision_function(records), before)
    with torch.no_grad():
        model.text_head.straight.weight.add_(0.5 * torch.randn(model.text_head.straight.weight.shape))
    assert not np.allclose(classifier.decision_function(records), before, atol=1e-3)
