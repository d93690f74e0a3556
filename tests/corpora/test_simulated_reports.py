"""Simulated reports: sourced wordings in two languages that say what was put in."""

import re

import pytest

from ecgclip.corpora import simulate
from ecgclip.corpora.simulated.wordings import wordings


def test_every_wording_has_a_source_and_two_languages():
    book = wordings()
    assert len(book["statements"]) > 65
    for key, entry in book["statements"].items():
        assert entry["source"], key
        for language in ("en", "de"):
            for text in entry[language]:
                assert set(re.findall(r"{(\w+)}", text)) <= {"leads", "wall", "wallx"}, text


def test_wordings_share_names_of_findings_with_the_banks_but_no_sentences():
    from importlib.resources import files

    import yaml

    def texts(value):
        if isinstance(value, str):
            return {value.lower()}
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return {text for part in parts for text in texts(part)}

    mine = {w.lower() for e in wordings()["statements"].values() for lang in ("en", "de") for w in e[lang]}
    folder = files("ecgclip.prompts").joinpath("banks")
    banks = set()
    for entry in folder.iterdir():
        if entry.name.endswith(".yaml"):
            banks |= texts(yaml.safe_load(entry.read_text(encoding="utf-8")))
    shared = mine & banks
    assert len(shared) < 0.65 * len(mine)
    assert max(len(text.split()) for text in shared) <= 7


def test_no_report_keeps_a_placeholder_or_a_code():
    for report in simulate(1500, seed=6).table["report"]:
        assert "{" not in report
        assert "_" not in report


def test_the_reader_knows_nearly_every_statement():
    from ecgclip.reports import read_report

    statements = [s for text in simulate(800, seed=5).table["report"] for s in read_report(text).statements]
    assert sum(s.finding is None for s in statements) / len(statements) < 0.02


@pytest.mark.parametrize(
    ("code", "phrase"),
    [
        ("AFIB", "atrial fibrillation"),
        ("CLBBB", "left bundle branch block"),
        ("PVC", "ventricular"),
        ("LVH", "left ventricular hypertrophy"),
        ("LNGQT", "long QT"),
        ("IMI", "inferior myocardial infarction"),
        ("NORM", "normal ECG"),
    ],
)
def test_reports_say_their_findings(code, phrase):
    from ecgclip.reports import read_report

    table = simulate(1000, seed=8).table
    said = [
        any(phrase in s.text for s in read_report(report).statements)
        for report, codes in zip(table["report"], table["codes"], strict=True)
        if code in codes
    ]
    assert len(said) > 10
    assert sum(said) / len(said) > 0.75
