"""A finding while it is being read."""

from dataclasses import dataclass, field

from ecgclip.reports.finding import Finding
from ecgclip.reports.places import name_walls
from ecgclip.reports.termfile import Entry

__all__ = ["Draft"]

_DOUBT = {"certain": 0, "possible": 1, "not excluded": 2}


@dataclass
class Draft:
    """A finding in the making, or a run of unread words (``entry`` None)."""

    entry: Entry | None
    start: int
    stop: int
    regions: set[str] = field(default_factory=set)
    degrees: list[str] = field(default_factory=list)
    age: str = ""
    certainty: str = "certain"
    negated: bool = False
    joined: bool = False
    listed: bool = False
    doubt_before: str = "certain"

    def finding(self) -> Finding | None:
        """Give the finished finding; None for unread words."""
        entry = self.entry
        if entry is None:
            return None
        degree = " ".join(dict.fromkeys([*self.degrees, *([entry.degree] if entry.degree else [])]))
        return Finding(
            name=entry.name,
            where=entry.where or name_walls(frozenset(self.regions), in_leads=entry.in_leads),
            degree=degree,
            age=entry.age or self.age,
            certainty=entry.certainty or self.certainty,
            negated=self.negated,
            in_leads=entry.in_leads,
        )

    def takes(self, attribute: str) -> bool:
        """Tell whether the finding can have this attribute."""
        return self.entry is not None and attribute in self.entry.takes

    def set(self, kind: str, value: str) -> None:
        """Add an attribute: the stronger doubt wins, degrees add up, the last age stands."""
        if kind == "certainty":
            if _DOUBT[value] > _DOUBT[self.certainty]:
                self.certainty = value
        elif kind == "age":
            self.age = value
        elif self.entry is None or self.takes("nonspecific" if value == "nonspecific" else "degree"):
            self.degrees.append(value)
