"""Scores of phrases: what else is asked changes none of them, whichever coupling the model reads out."""

from dataclasses import replace

import numpy as np
import pytest

from ecgclip.models import LocalReadout
from ecgclip.prompts import score_phrases
from ecgclip.prompts.scoring import reference_bank

READOUTS = tuple(
    LocalReadout(plan=plan, score=score, reg_m=reg_m, reg_m_signal=reg_m_signal)
    for plan, score, reg_m, reg_m_signal in (
        ("transport", "similarity", 0.05, None),
        ("transport", "mass", 0.2, 0.5),
        ("transport", "potential", None, None),
        ("softmax", "mass", 0.05, None),
        ("attention", "similarity", 0.05, None),
    )
)
TEXTS = ["sinus rhythm", "a phrase nobody wrote", "atrial fibrillation", "left bundle branch block"]


@pytest.fixture
def model(tiny_run):
    model = tiny_run.model()
    count = len(READOUTS) + 1
    model.config = replace(
        model.config, readouts=READOUTS, weights=(1 / count,) * count, spreads=(1.0,) * count
    )
    return model


@pytest.fixture(scope="module")
def records(simulated):
    return [simulated.record(k) for k in range(4)]


def test_a_score_does_not_hang_on_what_else_is_asked(model, records):
    together = score_phrases(model, records, TEXTS).parts
    assert len(together) == len(READOUTS) + 1
    for column, text in enumerate(TEXTS):
        alone = score_phrases(model, records, [text]).parts
        twice = score_phrases(model, records, [text, text]).parts
        for part, own, double in zip(together, alone, twice, strict=True):
            assert part.std() > 0
            np.testing.assert_allclose(own[:, 0], part[:, column], atol=1e-5)
            np.testing.assert_allclose(double[:, 1], part[:, column], atol=1e-5)


def test_the_bank_is_kept_with_the_model_and_its_findings_are_told_apart(tiny_run):
    config = tiny_run.model().config
    assert 0 < len(config.bank) <= 80
    assert set(config.bank) <= set(config.familiar)
    counts = [config.familiar[text] for text in config.bank]
    assert counts == sorted(counts, reverse=True)


def test_a_model_saved_before_there_was_a_bank_takes_its_commonest_findings(model, records):
    old = model.config.to_dict()
    del old["bank"]
    for readout in old["readouts"]:
        del readout["merge"], readout["reg_m_signal"]
    with_bank = reference_bank(model)
    model.config = type(model.config).from_dict(old)
    assert model.config.bank == ()
    assert model.config.reference[0] == max(model.config.familiar, key=lambda t: model.config.familiar[t])
    assert len(reference_bank(model)) >= len(with_bank)
    assert np.isfinite(score_phrases(model, records, TEXTS).parts[1]).all()


def test_without_competition_there_is_no_bank(model):
    model.config = replace(model.config, readouts=READOUTS[-1:], weights=(0.5, 0.5), spreads=(1.0, 1.0))
    assert reference_bank(model) is None
