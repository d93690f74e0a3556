"""An explanation is the plan that the loss used, in seconds of the recording."""

from copy import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from ecgclip import explain
from ecgclip.alignment import PLANS, couple
from ecgclip.errors import DataError, UsageError
from ecgclip.models import ECGTextModel, ModelConfig
from ecgclip.prompts.explain import Explanation
from ecgclip.records import LEADS, ECGRecord
from ecgclip.signals import collate

PHRASES = ["ventricular extrasystole", "sinus rhythm", "left bundle branch block"]


@pytest.fixture(scope="module")
def record(simulated):
    return simulated.record(2)


@pytest.fixture(scope="module")
def two_scales(tiny_model):
    """A model whose local branch gives moments too; untrained."""

    torch.manual_seed(0)
    config = replace(tiny_model.config, local={**tiny_model.config.local, "tokens": True})
    return ECGTextModel(config, tiny_model.preprocessor).eval()


def test_the_shape_of_an_explanation(tiny_model, record):
    found = explain(tiny_model, record, PHRASES)
    prepared = tiny_model.preprocessor.prepare(record)
    assert found.plan.shape == (len(found.token_times), 3)
    assert found.plan.dtype == np.float32
    assert (found.plan >= 0).all()
    assert found.plan.sum() == pytest.approx(1.0, abs=1e-5)  # attention: each phrase spreads a third
    np.testing.assert_allclose(found.plan.sum(axis=0), 1 / 3, atol=1e-5)
    assert found.phrases == tuple(PHRASES)
    assert found.token_leads is None
    assert found.coupling == "attention"
    assert found.text_measure == "phrases"
    np.testing.assert_allclose(found.token_times, prepared.beats)
    np.testing.assert_allclose(found.beats, prepared.beats)
    assert 0 < found.token_span < 1.5


def test_a_table_of_it(tiny_model, record):
    found = explain(tiny_model, record, PHRASES)
    table = found.to_frame()
    assert list(table.columns) == ["time_s", *PHRASES]
    assert table["time_s"].tolist() == found.token_times.tolist()
    np.testing.assert_array_equal(table[PHRASES].to_numpy(), found.plan)


@pytest.mark.parametrize("scale", ["beat", "token"])
@pytest.mark.parametrize("plan", PLANS)
def test_what_is_shown_is_what_the_coupling_gives(two_scales, record, scale, plan):
    found = explain(two_scales, record, PHRASES, scale=scale, plan=plan, text_measure="phrases")
    (readout,) = two_scales.config.readouts
    with torch.inference_mode():
        _, local = two_scales.embed_signal(collate([two_scales.preprocessor.prepare(record)], 100.0))
        texts = torch.from_numpy(two_scales.text_vectors(PHRASES)[1])
        tokens, mask = (local.beats, local.beat_mask) if scale == "beat" else (local.tokens, local.token_mask)
        own = couple(
            torch.einsum("bnd,md->bnm", tokens, texts), mask, plan=plan, reg=readout.reg, reg_m=readout.reg_m,
            dustbin=readout.dustbin, dustbin_cost=readout.dustbin_cost, iterations=50,
        )  # fmt: skip
    np.testing.assert_allclose(found.plan, own.plan[0][mask[0]].numpy(), atol=1e-6)
    assert found.coupling == plan
    assert found.plan.sum() <= 1 + 1e-5
    if scale == "token":
        assert found.token_span <= 0.4
        np.testing.assert_allclose(np.diff(found.token_times), 0.16, atol=1e-5)


def test_a_long_recording_is_explained_from_its_start(two_scales, simulated):
    parts = [simulated.record(k).signal for k in (2, 3)]
    long = ECGRecord(np.concatenate(parts, axis=1)[:, :1500], fs=100, lead_names=LEADS)
    for scale in ("beat", "token"):
        found = explain(two_scales, long, PHRASES, scale=scale)
        assert (np.diff(found.token_times) > 0).all()
        assert found.token_times[-1] > 13
        assert len(found.plan) == len(found.token_times)
        assert (found.plan >= 0).all()
        assert found.plan.sum() <= 1 + 1e-5
    beats = explain(two_scales, long, PHRASES, scale="beat")
    np.testing.assert_allclose(beats.token_times, beats.beats, atol=1e-4)
    first = explain(
        two_scales, ECGRecord(long.signal[:, :1000], fs=100, lead_names=LEADS), PHRASES, scale="token"
    )
    again = explain(two_scales, long, PHRASES, scale="token")
    np.testing.assert_allclose(again.token_times[: len(first.token_times)], first.token_times, atol=1e-5)


def test_a_recording_without_beats_is_explained_by_moments(two_scales):
    rng = np.random.default_rng(0)
    slow = np.cumsum(rng.standard_normal((12, 1000)), axis=1) * 1e-4
    found = explain(two_scales, (slow, 100, list(LEADS)), PHRASES)
    assert len(found.plan) == len(found.token_times) > 0
    assert np.isfinite(found.plan).all()


@pytest.mark.parametrize("phrases", [[], "atrial fibrillation", [""], ["  "]])
def test_phrases_that_are_none_are_refused(tiny_model, record, phrases):
    with pytest.raises(UsageError, match=r"phrase|text"):
        explain(tiny_model, record, phrases)


def test_one_recording_is_explained_at_a_time(tiny_model, record):
    for wrong in ([], [record, record]):
        with pytest.raises(UsageError, match="one recording"):
            explain(tiny_model, wrong, PHRASES)
    with pytest.raises(DataError, match="absent"):
        explain(tiny_model, "absent.hea", PHRASES)


def test_an_unknown_scale_or_plan_names_those_there_are(tiny_model, record):
    with pytest.raises(UsageError, match="token"):
        explain(tiny_model, record, PHRASES, scale="lead")
    with pytest.raises(UsageError, match="transport"):
        explain(tiny_model, record, PHRASES, plan="transprot")


def test_a_model_without_moments_says_so(tiny_model, record):
    with pytest.raises(DataError, match="scale token"):
        explain(tiny_model, record, PHRASES, scale="token")


def test_a_model_without_a_local_branch_says_so(tiny_model, record):
    config = ModelConfig(
        dim=8, signal={"kind": "resnet", "size": "tiny"}, text=tiny_model.config.text, local=None
    )
    model = ECGTextModel(config, tiny_model.preprocessor).eval()
    with pytest.raises(DataError, match=r"model\.local"):
        explain(model, record, PHRASES)


def test_it_can_be_explained_by_a_recording_of_any_form(tiny_model, record):
    whole = explain(tiny_model, record, PHRASES)
    plain = explain(tiny_model, (record.signal, record.fs, record.lead_names), PHRASES)
    listed = explain(tiny_model, [record], PHRASES)
    assert np.array_equal(whole.plan, plain.plan)
    assert np.array_equal(whole.plan, listed.plan)


@pytest.fixture(scope="module")
def knowing(two_scales):
    """The same model with findings that it knows."""

    known = {
        "sinus rhythm": 9,
        "left bundle branch block": 5,
        "atrial fibrillation": 4,
        "first degree AV block": 2,
    }
    model = ECGTextModel(replace(two_scales.config, familiar=known, bank=()), two_scales.preprocessor).eval()
    model.load_state_dict(two_scales.state_dict())
    return model


@pytest.mark.parametrize("scale", ["beat", "token"])
@pytest.mark.parametrize("plan", ["transport", "softmax"])
def test_every_token_shares_out_its_mass_and_no_more(two_scales, record, scale, plan):
    found = explain(two_scales, record, PHRASES, scale=scale, plan=plan, text_measure="phrases")
    even = 1 / len(found.token_times)
    assert (found.plan.sum(axis=1) <= even + 1e-5).all()  # the rest of each token went to the dustbin
    assert found.mass.sum() < 1
    np.testing.assert_allclose(found.mass, found.plan.sum(axis=0))


@pytest.mark.parametrize("measure", ["phrases", "bank"])
def test_the_order_of_phrases_is_the_order_of_columns(knowing, record, measure):
    one = explain(knowing, record, PHRASES, plan="transport", text_measure=measure)
    other = explain(knowing, record, PHRASES[::-1], plan="transport", text_measure=measure)
    np.testing.assert_allclose(one.plan, other.plan[:, ::-1], atol=1e-6)


def test_against_the_bank_nothing_else_that_is_asked_matters(knowing, record):
    alone = explain(knowing, record, PHRASES[:1], plan="transport")
    beside = explain(knowing, record, PHRASES, plan="transport")
    assert alone.text_measure == beside.text_measure == "bank"
    np.testing.assert_allclose(alone.plan[:, 0], beside.plan[:, 0], atol=1e-6)
    rivals = explain(knowing, record, PHRASES, plan="transport", text_measure="phrases")
    assert np.abs(rivals.plan[:, 0] - alone.plan[:, 0]).max() > 1e-5


def test_two_wordings_of_one_finding_compete_as_one(two_scales, record):
    words = ["PVC", "sinus rhythm"]
    both = explain(
        two_scales, record, [*words, "ventricular extrasystole"], plan="transport", text_measure="phrases"
    )
    alone = explain(two_scales, record, words, plan="transport", text_measure="phrases")
    np.testing.assert_allclose(both.plan[:, :2], alone.plan, atol=1e-5)
    np.testing.assert_allclose(both.plan[:, 2], both.plan[:, 0], atol=1e-6)


def test_a_model_that_knows_no_findings_has_no_bank(two_scales, record):

    bare = ECGTextModel(replace(two_scales.config, familiar={}, bank=()), two_scales.preprocessor).eval()
    assert explain(bare, record, PHRASES, plan="transport").text_measure == "phrases"
    with pytest.raises(DataError, match="phrases"):
        explain(bare, record, PHRASES, plan="transport", text_measure="bank")
    with pytest.raises(UsageError, match="bank, phrases"):
        explain(bare, record, PHRASES, text_measure="report")


def test_where_the_mass_is():
    plan = np.array([[0.1, 0.0], [0.6, 0.0], [0.3, 0.0]], dtype=np.float32)
    found = Explanation(
        plan=plan, token_times=np.array([1.0, 2.0, 2.25], dtype=np.float32), token_span=0.5, token_leads=None,
        beats=np.array([1.0, 2.0, 2.25], dtype=np.float32), phrases=("a", "b"), text_measure="phrases",
        coupling="transport",
    )  # fmt: skip
    assert found.places(0) == [(2.0, pytest.approx(0.6))]
    assert [second for second, _ in found.places(0, 0.8)] == [2.0, 2.25]
    assert found.places(1) == []
    near = found.share_near([2.1])
    assert near[0] == pytest.approx(0.9)
    assert np.isnan(near[1])
    assert found.share_near([])[0] == 0
    assert list(found.to_frame().columns) == ["time_s", "a", "b"]


def test_tokens_of_single_leads_say_which(tiny_model, record):

    config = replace(tiny_model.config, local={**tiny_model.config.local, "tokens": True, "leads": "each"})
    model = ECGTextModel(config, tiny_model.preprocessor).eval()
    found = explain(model, record, PHRASES, scale="token", plan="transport")
    assert len(found.token_leads) == len(found.token_times)
    assert set(found.token_leads) == set(LEADS)
    assert list(found.to_frame().columns)[:2] == ["time_s", "lead"]
    names, shares = zip(*found.leads(0, 1.0), strict=True)
    assert sorted(names) == sorted(LEADS)
    assert sum(shares) == pytest.approx(1.0, abs=1e-5)
    assert sum(share for _, share in found.places(0, 1.0)) == pytest.approx(1.0, abs=1e-5)
    assert explain(model, record, PHRASES, scale="beat").token_leads is None


def test_beats_that_no_local_term_taught_explain_nothing(tiny_model, record):
    untaught = copy(tiny_model)
    untaught.config = replace(tiny_model.config, readouts=(), weights=(1.0,), spreads=(0.1,))
    with pytest.raises(DataError, match="never aligned with statements"):
        explain(untaught, record, PHRASES)


def test_phrases_may_come_as_any_sequence_and_bear_the_name_of_a_column(tiny_model, record):
    names = ["time_s", "sinus rhythm"]
    expected = explain(tiny_model, record, names)
    for phrases in (np.array(names), (name for name in names), pd.Series(names)):
        found = explain(tiny_model, record, phrases)
        assert found.phrases == ("time_s", "sinus rhythm")
        assert np.array_equal(found.plan, expected.plan)
    table = expected.to_frame()
    assert list(table.columns) == ["time_s", "time_s", "sinus rhythm"]
    assert np.array_equal(table.iloc[:, 1], expected.plan[:, 0])
