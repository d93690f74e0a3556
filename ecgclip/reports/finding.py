"""What a report says, one finding at a time."""

import re
from dataclasses import dataclass

from ecgclip.errors import unknown_name
from ecgclip.reports.cleaning import clean

__all__ = ["CERTAINTIES", "TEXT_FORMS", "Finding", "Report", "Statement"]

CERTAINTIES = ("certain", "possible", "not excluded")
TEXT_FORMS = ("canonical", "raw", "both")

_AGE_AFTER = {"undetermined": "of undetermined age"}
_RAW_SPLIT = re.compile(r"(?<!\d)\.\s+|;\s*|\n+|,\s+(?!a?v[rlf1-6]|i{1,3}\b)| {3,}")


@dataclass(frozen=True)
class Finding:
    """One finding with what the report says about it.

    Attributes:
        name: the canonical English name, such as ``"myocardial infarction"``.
        where: walls or lead groups, such as ``("inferior",)``; empty where none is named.
        degree: such as ``"slight"``, ``"marked"``, ``"first degree"``; empty where none is named.
        age: ``"acute"``, ``"recent"``, ``"old"``, ``"undetermined"`` or empty.
        certainty: ``"certain"``, ``"possible"`` or ``"not excluded"``.
        negated: the report says that it is absent.
        in_leads: the place is read off leads (a wave or segment) and follows the name in the phrase.
    """

    name: str
    where: tuple[str, ...] = ()
    degree: str = ""
    age: str = ""
    certainty: str = "certain"
    negated: bool = False
    in_leads: bool = False

    def phrase(self) -> str:
        """Say the finding in plain English; equal findings give equal phrases."""
        place = " and ".join(self.where)
        words = [
            "no" if self.negated else "",
            "possible" if self.certainty == "possible" else "",
            self.degree,
            "" if self.age in _AGE_AFTER else self.age,
            "" if self.in_leads else place,
            self.name,
            _in_leads(place) if self.in_leads and place else "",
            _AGE_AFTER.get(self.age, ""),
            "not excluded" if self.certainty == "not excluded" else "",
        ]
        return " ".join(word for word in words if word)


def _in_leads(place: str) -> str:
    return f"in {place}" if place.endswith("leads") else f"in {place} leads"


@dataclass(frozen=True)
class Statement:
    """One statement of a report.

    Attributes:
        text: the canonical phrase, or the cleaned raw words where the term file reads nothing.
        raw: the words of the report, cleaned of encoding damage.
        span: start and stop in ``Report.raw``.
        finding: what was read, None where nothing was.
    """

    text: str
    raw: str
    span: tuple[int, int]
    finding: Finding | None


@dataclass(frozen=True)
class Report:
    """A clinical report, read.

    Attributes:
        raw: the text as it came.
        language: ``"de"``, ``"en"``, ``"sv"`` or ``""`` where the words do not say.
        statements: in the order of the text.
    """

    raw: str
    language: str
    statements: tuple[Statement, ...]

    def texts(self, form: str = "canonical") -> tuple[str, ...]:
        """Give the distinct texts of the report in order.

        Args:
            form: ``"canonical"`` (findings, raw words where nothing was read), ``"raw"`` (the cleaned text
                split at stops, commas and wide gaps; no term file) or ``"both"``.

        Raises:
            UsageError: for another form.
        """
        if form not in TEXT_FORMS:
            raise unknown_name("form of report text", form, TEXT_FORMS)
        canonical = [statement.text for statement in self.statements] if form != "raw" else []
        raw = raw_statements(self.raw) if form != "canonical" else []
        return tuple(dict.fromkeys([*canonical, *raw]))


def raw_statements(text: str) -> list[str]:
    """Split a report as it is written, with no knowledge of its terms."""
    parts = _RAW_SPLIT.split(clean(text, collapse=False))
    phrases = (" ".join(part.split()).strip(" .,;:-!") for part in parts)
    return [phrase for phrase in phrases if len(phrase) > 1]
