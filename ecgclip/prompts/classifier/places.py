"""Where a finding may lie: the statements of reports that say a phrase's finding and name a place for it."""

from collections.abc import Mapping
from functools import cached_property

from ecgclip.reports import without_place

__all__ = ["Places"]

_LEARNED = 5  # training reports that must say it


class Places:
    """Statements by the finding that they place.

    Args:
        used: how many reports use each statement.
        least: reports that must, for a statement to count.
    """

    def __init__(self, used: Mapping[str, int], *, least: int = _LEARNED) -> None:
        self._used = {text: count for text, count in used.items() if count >= least}

    def of(self, reading: tuple[str, ...]) -> dict[str, int]:
        """Give the statements that say what ``reading`` says and add where, with the reports that use them.

        Empty for a reading of several statements, one that names a place itself, or one that denies.
        """
        return self._placed.get(reading[0], {}) if len(reading) == 1 else {}

    @cached_property
    def _placed(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for text, count in self._used.items():
            plain = without_place(text)
            if plain is not None:
                found.setdefault(plain, {})[text] = count
        return found
