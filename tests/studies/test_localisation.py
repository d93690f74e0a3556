"""The localisation studies: a model that is right by construction is found right, one that is blind is not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ecgclip.errors import DataError
from ecgclip.models import LocalReadout
from ecgclip.prompts.explain import Asked, Looked, explain_looked
from ecgclip.studies import localisation as study


@pytest.fixture(scope="module")
def cases(tiny_model):
    return list(study.planted_simulated(tiny_model, ["PVC", "PAC"], n=6, seed=21))


def test_every_case_has_an_r_peak_at_each_planted_beat(cases):
    assert len({case.name for case in cases}) == 6
    for case in cases:
        for (at,) in case.seconds.values():
            assert np.abs(case.prepared.beats - at).min() <= 0.12


def test_a_model_that_knows_the_beats_lays_each_finding_on_its_own(tiny_model, cases, monkeypatch):
    """Beats get the vectors of what they are; the rest of the road is the product's own."""
    texts = {study.PVC: 0, study.PAC: 1}
    look = study.look

    def knowing_look(model, prepared):
        seen = look(model, prepared)
        ((start, local),) = seen.parts
        case = next(case for case in cases if case.prepared is prepared)
        beats = torch.zeros(1, local.beats.shape[1], 3)
        beats[..., 2] = 1.0
        for place, kind in enumerate(("PVC", "PAC")):
            k = int((local.beat_times[0] - case.seconds[kind][0]).abs().argmin())
            beats[0, k] = torch.eye(3)[place] * 0.9 + torch.eye(3)[1 - place] * 0.4
        return Looked(((start, replace(local, beats=beats)),), seen.beats)

    def knowing_ask(model, phrases, measure):
        vectors = torch.eye(3)[[texts[phrase] for phrase in phrases]]
        return Asked(tuple(phrases), vectors, torch.eye(3) if measure == "bank" else None, measure)

    monkeypatch.setattr(study, "look", knowing_look)
    monkeypatch.setattr(study, "ask", knowing_ask)
    readings = study.readings_of(tiny_model)
    rows = study.two_finding_rows(tiny_model, cases, readings)
    assert len(rows) == len(cases) * len(readings)
    found = study.summary(rows, "both", against=["attention"])
    assert all(each["mean"] == 1.0 for each in found.values())
    assert found["transport, bank"]["over attention"]["mean"] == 0.0
    planted = study.within_rows(tiny_model, cases, readings)
    assert all(row["share"] > 0.5 for row in planted if row["reading"] == "attention")


def test_blind_tokens_favour_no_beat(tiny_model, cases):
    looked = study.look(tiny_model, cases[0].prepared)
    ((start, local),) = looked.parts
    same = replace(local, beats=torch.ones_like(local.beats) / local.beats.shape[2] ** 0.5)
    asked = study.ask(tiny_model, [study.PVC, study.PAC], "phrases")
    for plan in ("attention", "transport", "softmax"):
        found = explain_looked(Looked(((start, same),), looked.beats), asked, LocalReadout(plan=plan))
        share = found.plan / found.plan.sum(axis=0)
        np.testing.assert_allclose(share, 1 / len(share), atol=1e-5)


def test_real_beats_over_their_share_of_time(tiny_model, cases):
    rows = study.real_rows(
        tiny_model, cases[:2], [study.Reading("uniform", LocalReadout(plan="uniform"), "phrases")]
    )
    for row, case in zip(rows, cases, strict=False):
        time = 0.6 / (case.prepared.signal.shape[1] / 100)
        assert row["possible"] == pytest.approx(1 / time, rel=0.02)
        assert row["share"] == pytest.approx(1 / len(case.prepared.beats), rel=1e-4)
        assert row["ratio"] == pytest.approx(row["share"] * row["possible"], rel=1e-6)


def test_premature_means_under_four_fifths_of_the_median():
    beats = np.array([1.0, 2.0, 3.0, 3.7, 5.0, 5.85, 7.0], dtype=np.float32)
    assert study.premature_beats(beats).tolist() == pytest.approx([3.7])
    assert len(study.premature_beats(beats[:1])) == 0


def test_real_cases_are_those_whose_report_names_the_beat(tiny_store):
    found = list(study.real_cases(tiny_store, range(1, 11)))
    assert found
    table = tiny_store.table.set_index("record_id")
    for case in found:
        assert "ventricular premature complex" in table["statements"][case.name]
        assert 1 <= len(case.seconds["PVC"]) <= 4


def test_beats_are_planted_in_as_many_real_recordings_as_asked_for(tiny_store):
    found = list(study.planted_in_real(tiny_store, range(1, 11), ["PVC"], n=3))
    again = list(study.planted_in_real(tiny_store, range(1, 11), ["PVC"], n=3))
    assert [case.name for case in found] == [case.name for case in again]
    assert len(set(case.name for case in found)) == 3
    with pytest.raises(DataError, match="expected 900"):
        list(study.planted_in_real(tiny_store, range(1, 11), ["PVC"], n=900))


def test_the_interval_is_over_patients():
    rows = [{"patient": k // 2, "reading": "a", "x": float(k // 2 % 2)} for k in range(40)]
    both = rows + [{**row, "reading": "b", "x": 0.0} for row in rows]
    found = study.summary(both, "x", against=["b"])
    assert found["a"]["mean"] == 0.5
    assert found["a"]["low"] < 0.35  # twenty patients, not forty records
    assert found["a"]["over b"] == {key: found["a"][key] for key in ("mean", "low", "high")}
    assert found["b"]["high"] == 0.0
