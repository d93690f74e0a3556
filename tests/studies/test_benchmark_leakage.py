"""What must not be published is refused with its reason: planted leaks and planted label faults."""

import json

import numpy as np
import pandas as pd
import pytest

from ecgclip.corpora import Corpus, LabelSet, label_set, prepare, simulate
from ecgclip.errors import DataError
from ecgclip.models import model_hash
from ecgclip.records import ECGRecord
from ecgclip.signals import Preprocessor
from ecgclip.studies.benchmark.leakage import (
    refuse_patients,
    refuse_seen_in_training,
    refuse_shared,
    refuse_substring_labels,
)


def a_table(patients, splits):
    return pd.DataFrame(
        {"record_id": [f"r{k}" for k in range(len(patients))], "patient_id": patients, "split": splits}
    )


def test_a_patient_in_train_and_test_is_refused():
    splits = ["train", "train", "test", "validation"]
    refuse_patients(a_table(["a", "b", "c", "b"], splits), "test", "corpus")
    with pytest.raises(DataError, match=r"1 patients are in train and in validation .first: 'b'."):
        refuse_patients(a_table(["a", "b", "c", "b"], splits), "validation", "corpus")
    with pytest.raises(DataError, match="the training part is not a test"):
        refuse_patients(a_table(["a"], ["train"]), "train", "corpus")


@pytest.fixture(scope="module")
def doubled(tmp_path_factory):
    """Twelve recordings, of which the last is the first at another rate and gain under another name."""
    corpus = simulate(n=12, seed=3)
    table, read = corpus.table.copy(), corpus.reader
    first = table.iloc[0].to_dict()
    table["split"] = ["train"] * 8 + ["test"] * 4
    twin = pd.DataFrame([{**first, "record_id": "HR00001", "patient_id": "Q1", "split": "test"}])

    def reader(row):
        if row["record_id"] != "HR00001":
            return read(row)
        record = read(first)
        return ECGRecord(record.signal * 1.5, fs=record.fs, lead_names=record.lead_names, record_id="HR00001")

    whole = Corpus(pd.concat([table, twin], ignore_index=True), "doubled", reader=reader)
    return prepare(whole, Preprocessor(), tmp_path_factory.mktemp("doubled") / "store", workers=1)


def test_a_recording_under_another_name_is_refused(doubled):
    train, test = doubled.indices(split="train"), doubled.indices(split="test")
    with pytest.raises(DataError, match=r"1 of the 5 .* under another name .*HR00001 is ") as caught:
        refuse_shared(doubled, train, doubled, test)
    assert "\n" not in str(caught.value)
    refuse_shared(doubled, train, doubled, test[:-1])


def a_run(folder, store, digest=None, start=None, start_hash=None):
    folder.mkdir(exist_ok=True)
    fed = {"store": digest or store.hash, **({} if start_hash is None else {"start_from": start_hash})}
    (folder / "run.json").write_text(json.dumps({"fed": fed}))
    recipe = {"data": {"store": str(store.path)}, "start_from": None if start is None else str(start)}
    (folder / "recipe.json").write_text(json.dumps(recipe))
    return folder


def test_recordings_that_the_run_was_trained_on_are_refused(doubled, tiny_store, tmp_path):
    run = a_run(tmp_path, doubled)
    with pytest.raises(DataError, match="8 of the 13 recordings to be tested were seen in training"):
        refuse_seen_in_training(run, doubled, np.arange(13))
    with pytest.raises(DataError, match="HR00001"):
        refuse_seen_in_training(run, doubled, doubled.indices(split="test"))
    assert refuse_seen_in_training(run, tiny_store, tiny_store.indices(split="test")) == ""


def test_what_cannot_be_checked_is_said(doubled, tmp_path):
    assert "not at hand" in refuse_seen_in_training(tmp_path, doubled, np.arange(3))
    a_run(tmp_path, doubled, digest="0" * 12)
    assert "not at hand" in refuse_seen_in_training(tmp_path, doubled, np.arange(3))


def test_what_a_model_saw_before_it_was_trained_on_is_refused(doubled, tiny_store, tiny_model, tmp_path):
    elsewhere = prepare(simulate(n=12, seed=3), Preprocessor(), tmp_path / "elsewhere", workers=1)
    first = a_run(tmp_path / "first", doubled)
    tiny_model.save_pretrained(first / "model")
    known = model_hash(tiny_model)
    second = a_run(tmp_path / "second", tiny_store, start=first / "model", start_hash=known)
    tiny_model.save_pretrained(second / "model")
    third = a_run(tmp_path / "third", tiny_store, start=second, start_hash=known)
    for run in (second, third):
        with pytest.raises(
            DataError, match=r"8 of the 13 .* seen in the training of .*first.model, where the model"
        ):
            refuse_seen_in_training(run, doubled, np.arange(13))
        with pytest.raises(DataError, match=r"HR00001"):
            refuse_seen_in_training(run, doubled, doubled.indices(split="test"))
        with pytest.raises(
            DataError, match=r"8 of the 12 .* in the training of .*first.* under another name"
        ):
            refuse_seen_in_training(run, elsewhere, np.arange(12))
        assert refuse_seen_in_training(run, tiny_store, tiny_store.indices(split="test")) == ""


def test_a_start_that_cannot_be_checked_is_said(doubled, tiny_store, tiny_model, tmp_path):
    first = a_run(tmp_path / "first", doubled)
    tiny_model.save_pretrained(first / "model")
    test = tiny_store.indices(split="test")
    for start, digest in (
        (first / "model", "0" * 12),  # another model lies there by now
        (first / "model", None),  # a run of before hashes were kept
        (tmp_path / "gone" / "model", model_hash(tiny_model)),
        ("owner/of-the-hub", model_hash(tiny_model)),
    ):
        run = a_run(tmp_path / "second", tiny_store, start=start, start_hash=digest)
        told = refuse_seen_in_training(run, tiny_store, test)
        assert f"started from ({start}) was trained on is not at hand" in told


def test_a_run_that_started_from_itself_ends(doubled, tiny_model, tmp_path):
    run = a_run(
        tmp_path / "own", doubled, start=tmp_path / "own" / "model", start_hash=model_hash(tiny_model)
    )
    tiny_model.save_pretrained(run / "model")
    assert "not at hand" in refuse_seen_in_training(run, doubled, doubled.indices(split="test")[:-1])


def labelled(rows):
    return pd.DataFrame({"codes": rows, "code_system": ["label"] * len(rows)})


EXACT = [["AVB"]] * 6 + [["2AVB"]] * 6 + [["AFIB"]] * 6 + [["VB"]] * 2 + [["AF", "AFIB"]]
SUBSTRING = [[short for short in ("AVB", "2AVB", "AFIB", "VB", "AF") if short in row[0]] for row in EXACT]


def test_labels_made_by_substring_search_are_refused():
    refuse_substring_labels(label_set("csn"), labelled(EXACT), "exact")
    with pytest.raises(DataError, match=r"substring search: all .* recordings with .* give exact labels"):
        refuse_substring_labels(label_set("csn"), labelled(SUBSTRING), "legacy")
    refuse_substring_labels(label_set("csn-legacy"), labelled(SUBSTRING), "legacy")


def test_own_labels_that_happen_to_share_letters_are_not_suspected():
    own = LabelSet.of("own", ["A", "AB"])
    refuse_substring_labels(own, labelled([["A", "AB"]] * 9), "own")
