"""Simulated reports: statements put into words, in the order and the styles of real reports."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any

from ecgclip.errors import DataError

from .patients import Statement, pick
from .waveforms import Rng

STYLES = {
    "en": {"sentences": 0.6, "commas": 0.2, "lines": 0.2},
    "de": {"run-on": 0.5, "commas": 0.25, "sentences": 0.25},
}


@lru_cache(maxsize=1)
def wordings() -> dict[str, Any]:
    """The wordings file: ``statements``, ``walls``, ``doubts``.

    Raises:
        DataError: if a statement has no wording in a language or names no source.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = files(__package__).joinpath("wordings.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.load(text, Loader=loader)
    for key, entry in loaded["statements"].items():
        if not entry.get("en") or not entry.get("de") or not entry.get("source"):
            raise DataError(f"wordings.yaml: statement {key!r} needs source, en and de with a wording each")
    return loaded


def language_of(rng: Rng) -> str:
    """``en`` or ``de``, evenly."""
    return "en" if rng.random() < 0.5 else "de"


def write_report(rng: Rng, statements: list[Statement], language: str) -> str:
    """The report of a recording.

    Args:
        rng: the report's own generator.
        statements: what is to be said; sorted by section here.
        language: ``en`` or ``de``.
    """
    ordered = sorted(statements, key=lambda statement: statement.section)
    phrases = list(dict.fromkeys(_phrase(rng, statement, language) for statement in ordered))
    style = pick(rng, STYLES[language])
    lower = rng.random() < 0.5
    if style == "run-on":
        gap = "  " if rng.random() < 0.4 else " "
        text = gap.join(phrases)
    elif style == "commas":
        text = ", ".join(phrases)
    elif style == "lines":
        text = "; ".join(phrases)
    else:
        text = ". ".join(phrase[0].upper() + phrase[1:] for phrase in phrases) + "."
    return text.lower() if lower else text


def _phrase(rng: Rng, statement: Statement, language: str) -> str:
    book = wordings()
    choices = book["statements"][statement.key][language]
    usable = [text for text in choices if ("{leads}" in text) <= bool(statement.leads)]
    if statement.leads and rng.random() < 0.85:
        usable = [text for text in usable if "{leads}" in text] or usable
    text: str = usable[int(rng.integers(len(usable)))]
    if "{wall" in text:
        wall = book["walls"][statement.region]
        text = text.replace("{wallx}", str(wall["place"])).replace("{wall}", str(wall[language]))
    text = text.replace("{leads}", _leads(rng, statement.leads))
    if statement.doubt:
        forms = book["doubts"][statement.doubt][language]
        text = str(forms[int(rng.integers(len(forms)))]).format(text)
    return text


def _leads(rng: Rng, leads: tuple[str, ...]) -> str:
    """``II, III, aVF`` or ``V4-V6``."""
    chest = [lead for lead in leads if lead.startswith("V")]
    limb = [lead for lead in leads if not lead.startswith("V")]
    numbers = [int(lead[1:]) for lead in chest]
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)) and rng.random() < 0.6:
        chest = [f"V{numbers[0]}-V{numbers[-1]}"]
    return ", ".join([*limb, *chest])
