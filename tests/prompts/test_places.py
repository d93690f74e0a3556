"""A phrase without a place holds wherever its finding lies."""

from dataclasses import replace

import numpy as np

from ecgclip.prompts.bank import PromptBank
from ecgclip.prompts.classifier import PhraseMap, Places, Wording

USED = {
    "Q waves in septal leads": 40,
    "Q waves in inferior leads": 9,
    "Q waves in lateral leads": 2,
    "no Q waves in inferior leads": 30,
    "possible Q waves in anterior leads": 30,
    "old inferior myocardial infarction": 30,
    "inferior myocardial infarction": 30,
    "sinus rhythm": 900,
}


def test_the_places_of_a_finding_are_those_that_enough_reports_name() -> None:
    places = Places(USED)
    assert places.of(("Q waves",)) == {"Q waves in septal leads": 40, "Q waves in inferior leads": 9}
    assert places.of(("myocardial infarction",)) == {"inferior myocardial infarction": 30}


def test_what_names_a_place_denies_or_says_two_things_has_no_further_places() -> None:
    places = Places(USED)
    for reading in (
        ("Q waves in septal leads",),
        ("no Q waves",),
        ("Q waves", "sinus rhythm"),
        ("sinus rhythm",),
    ):
        assert places.of(reading) == {}


def test_a_label_without_a_place_is_scored_by_each_place_and_any_is_enough(tiny_model) -> None:
    bank = PromptBank.from_dict({"QWAVE": ["Q waves"], "QSEPT": ["Q waves in septal leads"]})
    config = tiny_model.config
    tiny_model.config = replace(config, familiar=USED)
    try:
        placed, plain = (PhraseMap.of(bank, tiny_model, Wording(places=p)) for p in (True, False))
    finally:
        tiny_model.config = config
    assert set(placed.texts) == {"Q waves", "Q waves in septal leads", "Q waves in inferior leads"}
    assert set(plain.texts) == {"Q waves", "Q waves in septal leads"}
    assert placed.owner.tolist() == [0, 0, 0, 1]
    nothing = np.zeros((1, 3), dtype=np.float32)
    inferior = nothing.copy()
    inferior[0, placed.texts.index("Q waves in inferior leads")] = 2.0
    before, after = placed.labels(nothing)[0], placed.labels(inferior)[0]
    assert after[0] > before[0] + 0.5
    assert after[1] == before[1]
