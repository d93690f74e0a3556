import pandas as pd
import pytest

from ecgclip.corpora import Corpus, concatenate, fold_of, split_of
from ecgclip.errors import DataError, UsageError


def corpus(**columns):
    return Corpus(pd.DataFrame({"record_id": ["a", "b", "c"], **columns}), name="mine")


def test_absent_columns_take_their_empty_value_and_every_record_is_its_own_patient():
    table = corpus().table
    assert table["patient_id"].to_list() == ["a", "b", "c"]
    assert table["fold"].to_list() == [-1, -1, -1]
    assert table["codes"].to_list() == [[], [], []]
    assert set(table["code_system"]) == {"none"}


def test_a_patient_in_two_splits_is_refused_by_name():
    with pytest.raises(DataError, match="patient 'p1' is in test and train"):
        corpus(patient_id=["p1", "p1", "p2"], split=["train", "test", "train"])


def test_a_patient_without_split_is_no_overlap():
    assert len(corpus(patient_id=["p1", "p1", "p2"], split=["train", "", "test"])) == 3


def test_repeated_ids_and_unknown_splits_are_refused():
    with pytest.raises(DataError, match="'a' stands in two rows"):
        Corpus(pd.DataFrame({"record_id": ["a", "a"]}))
    with pytest.raises(DataError, match="split 'dev'"):
        corpus(split=["train", "dev", ""])


def test_select_by_split_fold_and_position():
    whole = corpus(split=["train", "test", "train"], fold=[1, 10, 2])
    assert whole.select(split="train").table["record_id"].to_list() == ["a", "c"]
    assert whole.select(folds=[10, 2]).table["record_id"].to_list() == ["b", "c"]
    assert whole.select(indices=[2, 0]).table["record_id"].to_list() == ["c", "a"]
    assert whole.select(split="train", indices=[2, 1]).table["record_id"].to_list() == ["c"]


def test_an_empty_split_says_what_there_is():
    with pytest.raises(DataError, match=r"split 'test' holds no recording; the corpus has train 3"):
        corpus(split=["train"] * 3).select(split="test")
    with pytest.raises(UsageError, match="did you mean train"):
        corpus().select(split="trian")


def test_hash_follows_content_and_not_place():
    assert corpus(path=["/x/a", "/x/b", "/x/c"]).hash == corpus(path=["/y/a", "/y/b", "/y/c"]).hash
    assert corpus().hash != corpus(report=["", "", "sinus rhythm"]).hash
    assert corpus().hash != corpus(codes=[["NORM"], [], []]).hash


def test_joined_corpora_keep_ids_apart():
    other = Corpus(pd.DataFrame({"record_id": ["a"]}), name="other")
    joined = concatenate([corpus(), other])
    assert joined.table["record_id"].to_list() == ["mine/a", "mine/b", "mine/c", "other/a"]
    assert joined.name == "mine+other"


def test_hashed_folds_do_not_depend_on_the_other_rows_and_are_even():
    folds = [fold_of(str(patient), seed=0) for patient in range(5000)]
    assert set(folds) == set(range(1, 11))
    assert min(folds.count(fold) for fold in range(1, 11)) > 400
    assert folds != [fold_of(str(patient), seed=1) for patient in range(5000)]
    assert [split_of(fold) for fold in (1, 8, 9, 10, -1)] == ["train", "train", "validation", "test", ""]
