"""The classifier's surface, which outside programs are written against."""

import numpy as np
import pytest

from ecgclip import ZeroShotClassifier
from ecgclip.corpora import label_set
from ecgclip.errors import DataError, UsageError
from ecgclip.prompts import PromptBank, finding_scores, score_phrases
from ecgclip.records import LEADS, ECGRecord

PHRASES = {
    "AF": ["atrial fibrillation", "Vorhofflimmern"],
    "SR": ["sinus rhythm"],
    "LBBB": ["left bundle branch block"],
}
CLOSE = {"atol": 1e-3, "rtol": 0}


@pytest.fixture
def classifier(tiny_model):
    return ZeroShotClassifier(tiny_model, PHRASES)


@pytest.fixture(scope="module")
def records(simulated):
    return [simulated.record(k) for k in range(4)]


@pytest.mark.parametrize(
    "name", ["ptbxl-superclass", "ptbxl-subclass", "ptbxl-form", "ptbxl-rhythm", "cpsc2018"]
)
def test_classes_follow_the_label_set(tiny_model, records, name):
    classifier = ZeroShotClassifier(tiny_model, name)
    assert tuple(classifier.classes_) == label_set(name).codes
    assert classifier.decision_function(records).shape == (4, len(label_set(name).codes))


def test_shapes_types_and_ranges(classifier, records):
    assert classifier.classes_.tolist() == ["AF", "SR", "LBBB"]
    scores = classifier.decision_function(records)
    probability = classifier.predict_proba(records)
    predicted = classifier.predict(records)
    assert scores.shape == probability.shape == predicted.shape == (4, 3)
    assert scores.dtype == probability.dtype == np.float32
    assert np.isfinite(scores).all()
    assert (probability >= 0).all()
    assert (probability <= 1).all()
    assert set(np.unique(predicted)) <= {0, 1}
    assert np.array_equal(predicted, probability >= 0.5)
    for column in range(3):
        assert np.array_equal(np.argsort(scores[:, column]), np.argsort(probability[:, column]))
    assert np.array_equal(classifier.probability(scores), probability)
    assert classifier.errors_ == {}


def test_no_recording_gives_no_row(classifier):
    assert classifier.decision_function([]).shape == (0, 3)
    assert classifier.predict_proba([]).shape == (0, 3)
    assert classifier.predict([]).shape == (0, 3)


def test_a_recording_scores_alone_as_in_a_batch(classifier, records):
    joined = classifier.decision_function(records)
    for row, record in enumerate(records):
        assert classifier.decision_function(record).shape == (1, 3)
        np.testing.assert_allclose(classifier.decision_function(record)[0], joined[row], **CLOSE)
    np.testing.assert_allclose(classifier.decision_function(records, batch_size=1), joined, **CLOSE)


def test_a_label_does_not_hang_on_the_other_labels(tiny_model, records):
    whole = ZeroShotClassifier(tiny_model, PHRASES).decision_function(records)
    alone = ZeroShotClassifier(tiny_model, {"SR": PHRASES["SR"]}).decision_function(records)
    np.testing.assert_allclose(alone[:, 0], whole[:, 1], **CLOSE)


def test_corpora_and_stores_with_their_split(classifier, simulated, tiny_store):
    from_corpus = classifier.decision_function(simulated, split="test")
    from_store = classifier.decision_function(tiny_store, split="test")
    assert len(from_corpus) == len(tiny_store.indices(split="test"))
    np.testing.assert_allclose(from_store, from_corpus, **CLOSE)
    both = classifier.decision_function(tiny_store)
    np.testing.assert_allclose(both[tiny_store.indices(split="test")], from_store, **CLOSE)
    with pytest.raises(UsageError, match="split"):
        classifier.decision_function([simulated.record(0)], split="test")
    with pytest.raises(UsageError, match="validation"):
        classifier.decision_function(tiny_store, split="validate")


def test_what_cannot_be_read_raises_or_is_marked(classifier, records, tmp_path):
    flat = (np.zeros((1, 500), np.float32), 100, ["I"])
    mixed = [records[0], tmp_path / "absent.hea", flat, records[1]]
    with pytest.raises(DataError, match=r"absent\.hea"):
        classifier.decision_function(mixed)
    scores = classifier.decision_function(mixed, on_error="mark")
    assert np.isnan(scores[1:3]).all()
    np.testing.assert_allclose(scores[[0, 3]], classifier.decision_function(records[:2]), **CLOSE)
    probability = classifier.predict_proba(mixed, on_error="mark")
    assert np.isnan(probability[1:3]).all()
    assert sorted(classifier.errors_) == [1, 2]
    assert "absent.hea" in classifier.errors_[1]
    assert classifier.predict(mixed, on_error="mark")[1:3].tolist() == [[0] * 3] * 2
    classifier.decision_function(records)
    assert classifier.errors_ == {}
    with pytest.raises(UsageError, match="on_error"):
        classifier.decision_function(records, on_error="skip")


def test_long_recordings_take_the_maximum_or_the_mean_of_their_windows(tiny_model, records):
    long = ECGRecord(np.concatenate([r.signal for r in records[:2]], axis=1), fs=100, lead_names=LEADS)
    prepared = tiny_model.preprocessor.prepare(long)
    from ecgclip.models.sources import RecordSource

    class Halves(RecordSource):
        def __len__(self):
            return 2

        def prepared(self, index):
            return prepared.cut(1000 * index, 1000 * (index + 1))

    halves = Halves((), (), tiny_model.preprocessor)
    for window, join in (("max", np.max), ("mean", np.mean)):
        classifier = ZeroShotClassifier(tiny_model, PHRASES, window=window)
        parts = classifier.decision_function(halves)
        np.testing.assert_allclose(classifier.decision_function(long)[0], join(parts, axis=0), **CLOSE)
        among = classifier.decision_function([records[2], long, records[3]], batch_size=2)
        np.testing.assert_allclose(among[1], join(parts, axis=0), **CLOSE)
    with pytest.raises(UsageError, match="window"):
        ZeroShotClassifier(tiny_model, PHRASES, window="median")


def test_labels_as_a_dict_a_bank_and_a_file_are_the_same(tiny_model, records, tmp_path):
    scores = ZeroShotClassifier(tiny_model, PHRASES).decision_function(records)
    bank = PromptBank.from_dict(PHRASES)
    assert np.array_equal(ZeroShotClassifier(tiny_model, bank).decision_function(records), scores)
    shipped = PromptBank.load("ptbxl-superclass")
    assert np.array_equal(
        ZeroShotClassifier(tiny_model, shipped).decision_function(records),
        ZeroShotClassifier(tiny_model, "ptbxl-superclass").decision_function(records),
    )


@pytest.mark.parametrize(
    ("labels", "error"),
    [
        ("ptbxl-superclas", UsageError),
        ({}, DataError),
        ({"AF": []}, DataError),
        ({"AF": [" "]}, DataError),
        (5, UsageError),
        (["AF"], UsageError),
    ],
)
def test_labels_that_are_none_are_told_in_one_sentence(tiny_model, labels, error):
    with pytest.raises(error) as caught:
        ZeroShotClassifier(tiny_model, labels)
    assert "\n" not in str(caught.value)


def test_phrases_that_read_alike_count_once(tiny_model, records):
    plain = ZeroShotClassifier(tiny_model, {"AF": ["atrial fibrillation"]}).decision_function(records)
    twice = ZeroShotClassifier(tiny_model, PHRASES).decision_function(records)
    np.testing.assert_allclose(twice[:, 0], plain[:, 0], **CLOSE)


def test_a_label_of_several_phrases_lies_between_them(tiny_model, records):
    own = {"X": ["sinus rhythm", "left bundle branch block"]}
    scores = ZeroShotClassifier(tiny_model, own).decision_function(records)[:, 0]
    parts = ZeroShotClassifier(tiny_model, PHRASES).decision_function(records)[:, 1:]
    assert (scores <= parts.max(axis=1) + 1e-3).all()
    assert (scores >= parts.min(axis=1) - 1e-3).all()


def test_the_prior_moves_the_probability_and_not_the_ranking(tiny_model, records):
    scores, last = None, None
    for prior in (0.01, 0.1, 0.5, 0.9):
        classifier = ZeroShotClassifier(tiny_model, PHRASES, prior=prior)
        found = classifier.predict_proba(records)
        now = classifier.decision_function(records)
        assert scores is None or np.array_equal(scores, now)
        assert last is None or (found >= last).all()
        scores, last = now, found
    each = ZeroShotClassifier(tiny_model, PHRASES, prior={"AF": 0.9}).predict_proba(records)
    np.testing.assert_allclose(each[:, 0], last[:, 0])
    for wrong in (0.0, 1.0, -1.0, float("nan"), {"AF": 2.0}):
        with pytest.raises(UsageError, match="prior"):
            ZeroShotClassifier(tiny_model, PHRASES, prior=wrong)


def test_extreme_scores_give_probabilities_without_a_warning(classifier, recwarn):
    found = classifier.probability(np.array([[-1e4, 0.0, 1e4]], dtype=np.float32))
    assert found[0, 0] == 0
    assert found[0, 2] == 1
    assert not recwarn.list


def test_scikit_learn_can_clone_it(tiny_model, records):
    from sklearn.base import clone

    classifier = ZeroShotClassifier(tiny_model, PHRASES, prior=0.2, window="mean")
    copy = clone(classifier)
    assert copy is not classifier
    assert copy.get_params()["window"] == "mean"
    assert np.array_equal(copy.predict_proba(records), classifier.predict_proba(records))
    copy.set_params(window="max", labels="ptbxl-rhythm")
    assert copy.window == "max"
    assert len(copy.classes_) == len(label_set("ptbxl-rhythm").codes)
    assert classifier.classes_.tolist() == list(PHRASES)
    with pytest.raises(UsageError, match="windw"):
        copy.set_params(windw="max")


@pytest.mark.parametrize("wrong", [{"window": "foo"}, {"labels": "nope"}, {"prior": 2.0, "negation": True}])
def test_a_refused_argument_leaves_the_classifier_as_it_was(tiny_model, records, wrong):
    classifier = ZeroShotClassifier(tiny_model, PHRASES)
    params, scores = classifier.get_params(), classifier.decision_function(records)
    with pytest.raises(UsageError):
        classifier.set_params(**wrong)
    assert classifier.get_params() == params
    assert np.array_equal(classifier.decision_function(records), scores)


def test_findings_of_a_report_are_scored_as_a_classifier_would_and_may_name_one_another(tiny_model, records):
    several = ["atrial fibrillation", "sinus rhythm"]
    found = finding_scores(tiny_model, records, several)
    expected = ZeroShotClassifier(tiny_model, {text: [text] for text in several}).decision_function(records)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    overlapping = ["atrial fibrillation with rapid ventricular response", *several, "Sinus rhythm"]
    again = finding_scores(tiny_model, records, overlapping)
    np.testing.assert_allclose(again[:, 1:3], expected, atol=1e-5)
    np.testing.assert_allclose(again[:, 3], expected[:, 1], atol=1e-5)


def test_shipped_banks_are_classified_without_the_text_encoder(tiny_run, records):
    model = tiny_run.model()
    expected = ZeroShotClassifier(model, "ptbxl-all").decision_function(records)
    del model.text_encoder
    assert np.array_equal(ZeroShotClassifier(model, "ptbxl-all").decision_function(records), expected)


def test_local_scores_join_by_the_weights_saved_with_the_model(tiny_run, records):
    from dataclasses import replace

    model = tiny_run.model()
    (readout,) = model.config.readouts
    texts = ["sinus rhythm", "atrial fibrillation"]
    parts = score_phrases(model, records, texts, all_parts=True).parts
    assert [part.shape for part in parts] == [(4, 2)] * 2
    spreads = model.config.spreads
    for share in (0.0, 0.25, 1.0):
        model.config = replace(model.config, weights=(1 - share, share))
        scores = ZeroShotClassifier(model, {"a": texts[:1], "b": texts[1:]}).decision_function(records)
        expected = (1 - share) / spreads[0] * parts[0] + share / spreads[1] * parts[1]
        np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-3)
    assert readout.scale == "beat"


def test_a_store_prepared_in_another_way_is_refused(classifier, simulated, tmp_path):
    import numpy as np

    from ecgclip.corpora import prepare
    from ecgclip.signals import Preprocessor

    part = simulated.select(indices=np.arange(3))
    other = prepare(part, Preprocessor(band=(0.3, 40.0)), tmp_path / "store", workers=1)
    with pytest.raises(DataError) as caught:
        classifier.decision_function(other)
    assert other.preprocessor.hash in str(caught.value)
    assert classifier.model.preprocessor.hash in str(caught.value)
