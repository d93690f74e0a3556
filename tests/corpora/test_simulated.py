"""The simulated corpus: what must hold of every recording, and what its truth says."""

import json
import pickle

import numpy as np
import pytest

from ecgclip.corpora import simulate
from ecgclip.errors import DataError, UsageError
from ecgclip.records import LEADS

N = 1500


@pytest.fixture(scope="module")
def corpus():
    return simulate(N, seed=3)


def where(corpus, *codes, without=()):
    """Positions of the records that carry all of the codes and none of ``without``."""
    return [
        i
        for i, have in enumerate(corpus.table["codes"])
        if set(codes) <= set(have) and not set(without) & set(have)
    ]


def beats(corpus, i):
    return json.loads(corpus.table["beats_truth"][i])


def rr(corpus, i):
    return np.diff([time for time, _ in beats(corpus, i)])


def clean_beat(i, seed=3, kind="normal"):
    """(times, 8) mV of QRS of one kind of beat without noise, every 2 ms, and its shape."""
    from ecgclip.corpora.simulated.corpus import stream
    from ecgclip.corpora.simulated.hearts import draw_heart
    from ecgclip.corpora.simulated.measured import qrs_course

    heart = draw_heart(stream(seed, i, 0), 10.0)
    return qrs_course(heart.shapes[kind], heart.amplitude[kind]), heart.shapes[kind], heart


def test_einthoven_and_goldberger_hold_in_every_sample(corpus):
    for i in range(40):
        lead = dict(zip(LEADS, corpus.record(i).signal.astype(np.float64), strict=True))
        assert np.abs(lead["I"] + lead["III"] - lead["II"]).max() < 2e-6
        assert np.abs(lead["aVR"] + lead["aVL"] + lead["aVF"]).max() < 2e-6
        assert np.abs(lead["aVF"] - (lead["II"] + lead["III"]) / 2).max() < 2e-6


def test_signals_are_sound_at_every_rate():
    for fs in (100.0, 250.0, 500.0):
        corpus = simulate(20, seed=1, fs=fs)
        for record in corpus:
            assert record.signal.shape == (12, round(10 * fs))
            assert record.fs == fs
            assert np.isfinite(record.signal).all()
            assert np.abs(record.signal).max() < 12
            assert record.signal.std(axis=1).min() > 0.005


def test_a_record_depends_on_seed_and_index_alone(corpus):
    few = simulate(30, seed=3)
    assert few.table["report"].tolist() == corpus.table["report"][:30].tolist()
    for i in (0, 7, 29):
        np.testing.assert_array_equal(few.record(i).signal, corpus.record(i).signal)
    again = corpus.select(indices=[29, 7])
    np.testing.assert_array_equal(again.record(0).signal, corpus.record(29).signal)
    other = simulate(30, seed=4)
    assert other.table["report"].tolist() != few.table["report"].tolist()
    reader = pickle.loads(pickle.dumps(corpus.reader))
    np.testing.assert_array_equal(reader(corpus.row(7)).signal, corpus.record(7).signal)


def test_two_processes_draw_the_same_table():
    one, two = simulate(1200, seed=2), simulate(1200, seed=2, workers=2)
    assert one.hash == two.hash


def test_the_same_patient_at_another_rate(corpus):
    fast = simulate(5, seed=3, fs=500.0)
    assert fast.table["beats_truth"].tolist() == corpus.table["beats_truth"][:5].tolist()
    assert fast.table["report"].tolist() == corpus.table["report"][:5].tolist()


def test_splits_are_80_10_10(corpus):
    share = corpus.table["split"].value_counts(normalize=True)
    assert share["train"] == pytest.approx(0.8, abs=0.04)
    assert share["validation"] == pytest.approx(0.1, abs=0.03)


def test_every_scp_statement_occurs_and_reports_are_there(corpus):
    seen = {code for codes in simulate(4000, seed=0).table["codes"] for code in codes}
    assert len(seen) == 71
    assert corpus.table["report"].str.len().min() > 3
    assert set(corpus.table["language"]) == {"en", "de"}
    for codes in corpus.table["codes"]:
        assert len(codes) == len(set(codes))


def test_medicine_holds(corpus):
    p_wave = {"LAO/LAE", "RAO/RAE", "1AVB", "LPR", "SR", "SBRAD", "STACH", "SARRH"}
    for codes in map(set, corpus.table["codes"]):
        if codes & {"AFIB", "AFLT"}:
            assert not codes & p_wave
        if codes & {"CLBBB", "PACE", "WPW"}:
            assert not any(code.endswith("MI") for code in codes)
        if "NORM" in codes:
            assert codes <= {"NORM", "SR", "SBRAD", "STACH", "SARRH", "PAC", "PVC"}
        assert not {"CLBBB", "CRBBB"} <= codes
        assert codes & {"SR", "SBRAD", "STACH", "SARRH", "AFIB", "AFLT", "SVTAC", "PSVT", "PACE", "SVARR"}


def test_rates_are_what_the_rhythm_says(corpus):
    def rates(code):
        return [60 / np.mean(rr(corpus, i)) for i in where(corpus, code, without=("PVC", "PAC"))]

    assert max(rates("SBRAD")) < 62
    assert min(rates("STACH")) > 92
    assert min(rates("SVTAC")) > 110

    def spread(i):
        return np.std(rr(corpus, i)) / np.mean(rr(corpus, i))

    regular = [spread(i) for i in where(corpus, "SR", "NORM", without=("PVC", "PAC"))]
    irregular = [spread(i) for i in where(corpus, "AFIB", without=("PVC",))]
    assert np.median(irregular) > 4 * np.median(regular)
    assert np.quantile(irregular, 0.1) > np.quantile(regular, 0.9)


@pytest.mark.parametrize("kind", ["PVC", "PAC"])
def test_premature_beats_are_early_and_in_the_truth(corpus, kind):
    early = []
    for i in where(corpus, kind, without=("SVARR", "AFIB", "AFLT", "BIGU", "TRIGU", "PRC(S)", "PACE")):
        truth = {finding["code"]: finding for finding in json.loads(corpus.table["findings_truth"][i])}
        row = beats(corpus, i)
        times = [t for t, _ in row]
        of_kind = [n for n, (_, what) in enumerate(row) if what == kind]
        assert len(truth[kind]["spans"]) == len(of_kind)
        normal = np.median(np.diff([t for t, what in row if what == "normal"]))
        for n, (start, stop) in zip(of_kind, truth[kind]["spans"], strict=True):
            assert start < times[n] < stop
            if n > 0 and row[n - 1][1] == "normal":
                early.append((times[n] - times[n - 1]) / normal)
    assert len(early) > 30
    assert np.quantile(early, 0.9) < 0.85


def test_every_r_peak_of_the_truth_lies_on_a_steep_place(corpus):
    hit = total = 0
    for i in range(60):
        signal = corpus.record(i).signal
        slope = np.sqrt((np.diff(signal, axis=1) ** 2).sum(axis=0))
        calm = np.quantile(slope, 0.8)
        for time, _ in beats(corpus, i):
            at = round(time * 100)
            if 8 < at < 990:
                total += 1
                hit += slope[at - 8 : at + 8].max() > calm
    assert hit / total > 0.98


def test_bundle_branch_blocks_are_wide_and_point_the_right_way(corpus):
    for i in where(corpus, "CLBBB")[:40]:
        course, shape, _ = clean_beat(i)
        assert shape.qrs > 0.12
        v1, v6 = course[:, 2], course[:, 7]
        assert -v1.min() > 2 * max(v1.max(), 0.0)
        assert v6.max() > -v6.min()
    late = []
    for i in where(corpus, "CRBBB", without=("PMI", "IPMI", "IPLMI"))[:40]:
        course, shape, _ = clean_beat(i)
        assert shape.qrs > 0.12
        end = course[round(0.075 / 0.002) :]
        late.append(end[:, 2].max() > 0.05 and end[:, 0].min() < 0)
    assert np.mean(late) > 0.9
    narrow = [clean_beat(i)[1].qrs for i in where(corpus, "NORM")[:40]]
    assert max(narrow) < 0.12


def test_axis_and_voltage_follow_their_labels(corpus):
    axis = corpus.table["axis"]
    left = [axis[i] for i in where(corpus, "LAFB", without=("CRBBB", "IMI", "ILMI", "IPMI", "IPLMI"))]
    right = [axis[i] for i in where(corpus, "LPFB", without=("CRBBB",))]
    assert np.mean(np.array(left) < -30) > 0.9
    assert np.mean(np.array(right) > 80) > 0.9

    def sokolow(i):
        course = clean_beat(i)[0]
        return -course[:, 2].min() + max(course[:, 6].max(), course[:, 7].max())

    large = np.median([sokolow(i) for i in where(corpus, "LVH")[:60]])
    usual = np.median([sokolow(i) for i in where(corpus, "NORM")[:60]])
    low = np.median([sokolow(i) for i in where(corpus, "LVOLT")[:30]])
    assert large > 1.3 * usual > 2.2 * low


def test_infarct_and_st_show_in_their_leads(corpus):
    from ecgclip.corpora.simulated.measured import by_lead
    from ecgclip.corpora.simulated.waveforms import ST

    old = where(corpus, "ASMI", without=("CRBBB", "IRBBB"))[:40]
    normal = where(corpus, "NORM")[:40]
    r_wave = [np.median([clean_beat(i)[0][:20, 3].max() for i in group]) for group in (old, normal)]
    assert r_wave[0] < 0.5 * r_wave[1]
    for code, sign in (("STE_", 1), ("STD_", -1)):
        for i in where(corpus, code, without=("CLBBB", "LVOLT"))[:40]:
            heart = clean_beat(i)[2]
            st = by_lead(heart.amplitude["normal"][ST])
            leads = heart.patient.leads[code]
            assert leads
            assert max(sign * st[lead] for lead in leads) > 0.02


def test_impossible_requests_are_refused():
    with pytest.raises(UsageError, match="at least 1"):
        simulate(0)
    with pytest.raises(UsageError, match="fs must be"):
        simulate(5, fs=10)
    with pytest.raises(DataError, match="not a simulated one"):
        simulate(5).reader({"record_id": "A0001"})
    with pytest.raises(DataError, match="seed 1, not 0"):
        simulate(5, seed=0).reader({"record_id": "sim-1-000003"})
