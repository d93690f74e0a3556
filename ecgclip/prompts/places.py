"""Where a finding may lie: the statements of reports that say a phrase's finding and name a place for it."""

from collections.abc import Mapping
from dataclasses import replace

from ecgclip.reports import Finding, read_report

__all__ = ["Places"]

_LEARNED = 5  # training reports that must say it


class Places:
    """Statements by the finding that they place.

    Args:
        used: how many reports use each statement.
        least: reports that must, for a statement to count.
    """

    def __init__(self, used: Mapping[str, int], *, least: int = _LEARNED) -> None:
        self._known = [text for text, count in used.items() if count >= least]

    def of(self, reading: tuple[str, ...]) -> tuple[str, ...]:
        """Give the statements that say what ``reading`` says and add where, such as ``Q waves in septal leads``.

        Empty for a reading of several statements, one that names a place itself, or one that denies.
        """
        finding = _only(reading[0]) if len(reading) == 1 else None
        if finding is None or finding.negated or finding.where:
            return ()
        return tuple(text for text in self._known if finding.name in text and _places(finding, text))


def _only(text: str) -> Finding | None:
    statements = read_report(text).statements
    return statements[0].finding if len(statements) == 1 else None


def _places(finding: Finding, text: str) -> bool:
    other = _only(text)
    # in_leads says how a place is written, and a finding without one has nothing to write
    return (
        other is not None
        and bool(other.where)
        and replace(other, where=(), in_leads=finding.in_leads) == finding
    )
