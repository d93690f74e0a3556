import numpy as np
import pytest

from ecgclip.corpora import fingerprint, open_corpus, prepare, refuse_seen, shared_recordings
from ecgclip.errors import DataError, UsageError
from ecgclip.records import ECGRecord
from ecgclip.signals import Preprocessor


@pytest.fixture(scope="module")
def low(real_data):
    """PTB-XL at 100 Hz: recordings that also exist at 500 Hz, and others."""
    corpus = open_corpus("ptb-xl", real_data / "ptb-xl")
    high = open_corpus("ptb-xl", real_data / "ptb-xl", rate=500, allow_missing=True)
    twice = {name[:5] for name in high.table["record_id"]}
    keep = [row for row, name in enumerate(corpus.table["record_id"]) if name[:5] in twice or row % 8 == 0]
    return corpus.select(indices=keep)


def prints(corpus, preprocessor=None):
    preprocessor = preprocessor or Preprocessor()
    return np.stack([fingerprint(preprocessor.prepare(record, beats=False)) for record in corpus])


def test_the_same_recording_at_two_rates_is_found_and_nothing_else(real_data, low):
    high = open_corpus("ptb-xl", real_data / "ptb-xl", rate=500, allow_missing=True)
    first = prints(low)
    for preprocessor in (Preprocessor(), Preprocessor(fs=250.0, band=(0.05, 100.0))):
        shared = shared_recordings(first, prints(high, preprocessor))
        names = {
            (low.table["record_id"][pair.first][:5], high.table["record_id"][pair.second][:5])
            for pair in shared
        }
        assert {a for a, b in names if a == b} == {name[:5] for name in high.table["record_id"]}
        # PTB-XL itself holds these recordings twice
        assert all(
            sorted(pair) in (["00145", "00463"], ["00137", "00138"]) for pair in names if len(set(pair)) > 1
        )


def test_challenge_records_that_are_ptb_xls_are_found(real_data):
    ptb = open_corpus("ptb-xl", real_data / "ptb-xl")
    challenge = open_corpus("auto", real_data / "challenge2021")
    numbers = {f"HR{int(name[:5]):05d}" for name in ptb.table["record_id"]}
    keep = [row for row, name in enumerate(challenge.table["record_id"]) if name in numbers]
    assert len(keep) == 7
    wanted = {name[2:] for name in challenge.table["record_id"].iloc[keep]}
    same = [row for row, name in enumerate(ptb.table["record_id"]) if name[:5] in wanted]
    first = prints(ptb.select(indices=sorted({*same, *range(0, 3600, 90)})))
    shared = shared_recordings(first, prints(challenge))
    assert sorted({challenge.table["record_id"][pair.second] for pair in shared}) == sorted(
        challenge.table["record_id"].iloc[keep]
    )


def test_gain_and_missing_leads_do_not_hide_a_recording(low):
    whole = low.record(0)
    part = ECGRecord(whole.signal[:2] * 1.7, fs=whole.fs, lead_names=whole.lead_names[:2])
    shared = shared_recordings(prints(low), prints([part]))
    assert [(pair.first, pair.second) for pair in shared] == [(0, 0)]


def test_a_recording_without_leads_i_and_ii_matches_nothing():
    nothing = np.zeros((3, 400), dtype=np.int8)
    assert shared_recordings(nothing, nothing) == []
    with pytest.raises(UsageError, match="expected"):
        shared_recordings(np.zeros((3, 10), dtype=np.int8), nothing)


def test_a_test_that_holds_training_records_is_refused(low, tmp_path):
    store = prepare(low.select(indices=range(6)), Preprocessor(), tmp_path / "store", workers=1)
    names = store.table["record_id"].to_list()
    np.testing.assert_array_equal(store.fingerprints[2], prints([low.record(2)])[0])
    refuse_seen(store.fingerprints[:0], store, names)
    with pytest.raises(DataError, match=f"2 of 6 recordings .*for example {names[1]}"):
        refuse_seen(store.fingerprints[[4, 1]], store, names)
