"""Items to findings: which wall, age, degree, doubt and negation belong to which finding.

Attributes stand before or after their finding. One that may do either belongs to the finding that follows it
without a comma or stop, else to the one before. Findings joined by "and" or "or" share what is said of them
together.
"""

from ecgclip.reports.drafts import Draft
from ecgclip.reports.lexicon import COMMA, STOP, Item
from ecgclip.reports.places import WALLS, leads_to_walls
from ecgclip.reports.termfile import Entry

__all__ = ["compose"]

_PASSED_OVER = frozenset(
    ("wall", "age", "certainty", "degree", "negation", "join", "or", "small", "same", "leads")
)


def compose(items: list[Item]) -> list[Draft]:
    """Build the findings and unread runs of one report, in the order of the text."""
    return _Composer(items).run()


class _Composer:
    def __init__(self, items: list[Item]) -> None:
        self.items = items
        self.drafts: list[Draft] = []
        self.sentence = 0  # index of the first draft of this sentence
        self.pending = Draft(None, -1, -1)
        self.subject = ""
        self.bare_subject: Item | None = None
        self.join = ""
        self.unread: Draft | None = None
        self.placed: list[Draft] = []  # the findings that the last place was given to
        self.at = 0

        self.actions = {
            "finding": self._finding,
            "subject": self._subject,
            "predicate": self._predicate,
            "wall": self._wall,
            "same": self._same,
            "age": self._attribute,
            "degree": self._attribute,
            "certainty": self._attribute,
            "negation": self._negation,
            "join": self._join,
            "or": self._join,
            "but": self._but,
            "unread": self._unread,
        }

    def run(self) -> list[Draft]:
        while self.at < len(self.items):
            item = self.items[self.at]
            if item.gap == STOP:
                self._end_sentence()
            elif item.gap == COMMA:
                self.unread = None
            self._act(item)
            self.at += 1
        self._end_sentence()
        return sorted(self.drafts, key=lambda draft: draft.start)

    def _act(self, item: Item) -> None:
        if len(item.terms) > 1 and self.bare_subject is not None and item.gap == 0:
            predicates = [
                term for term in item.terms if term.kind == "predicate" and term.value == self.subject
            ]
            item = item._replace(term=predicates[0]) if predicates else item
        action = self.actions.get(item.term.kind)
        if action is not None:
            action(item)

    # one method a kind of item ------------------------------------------------------------------

    def _finding(self, item: Item) -> None:
        if item.term.entry is not None:
            self._open(item.term.entry, item)

    def _subject(self, item: Item) -> None:
        self.subject, self.bare_subject = item.term.value, item
        self.unread = None

    def _predicate(self, item: Item) -> None:
        following = self.items[self.at + 1] if self.at + 1 < len(self.items) else None
        if self.bare_subject is not None and self._said(item, self.bare_subject, self.subject):
            return
        if following is not None and following.term.kind == "subject" and following.gap == 0:
            subject = following.term.value
            if self._said(item, None, subject):
                self.drafts[-1].stop = following.stop
                self.subject, self.bare_subject = subject, None
                self.at += 1
                return
        if not self._said(item, None, self.subject):
            other = [term for term in item.terms if term.kind != "predicate"]
            if other:
                self._act(item._replace(term=other[0]))
            else:
                self._unread(item)

    def _said(self, item: Item, before: Item | None, subject: str) -> bool:
        matches = [
            term for term in item.terms if term.kind == "predicate" and subject and term.value == subject
        ]
        if not matches and subject == "ST-T":
            matches = [term for term in item.terms if term.kind == "predicate" and term.value in ("ST", "T")]
        for term in matches:
            if term.entry is not None:
                self._open(term.entry, item if before is None else item._replace(start=before.start))
                self.bare_subject = None
                return True
        return False

    def _wall(self, item: Item) -> None:
        regions = WALLS.get(item.term.value) or leads_to_walls(item.leads)
        side = "after" if item.leads or self._is_lead_group(item) else item.term.side
        if side != "after" and self._comes("where"):
            self._keep(item).regions |= regions
            return
        targets = self.placed if self._in_place_list() else self._last("where")
        for draft in targets:
            draft.regions |= regions
        self.placed = targets
        if targets:
            targets[0].stop = max(targets[0].stop, item.stop)
        elif self._comes("where"):
            self._keep(item).regions |= regions

    def _same(self, item: Item) -> None:
        placed = [draft for draft in self.drafts if draft.regions]
        for draft in self._last("where") if placed else ():
            if not draft.regions:
                draft.regions |= placed[-1].regions
                draft.stop = max(draft.stop, item.stop)

    def _attribute(self, item: Item) -> None:
        kind = item.term.kind
        side = item.term.side
        if side == "either":
            side = "before" if self._comes(kind) else "after"
        if side == "before":
            self._keep(item).set(kind, item.term.value)
            return
        for draft in self._last(kind):
            draft.set(kind, item.term.value)
            draft.stop = max(draft.stop, item.stop)

    def _negation(self, item: Item) -> None:
        if item.term.side == "after":
            for draft in self._last("certainty"):
                draft.negated = True
                draft.stop = max(draft.stop, item.stop)
        else:
            self._keep(item).negated = True

    def _join(self, item: Item) -> None:
        self.join = item.term.kind

    def _but(self, item: Item) -> None:
        self.pending = Draft(None, -1, -1)
        self.join, self.unread = "", None

    def _unread(self, item: Item) -> None:
        self.bare_subject = None
        self.pending.negated = False
        if self.unread is None:
            self.unread = Draft(None, item.start, item.stop)
            self.drafts.append(self.unread)
        self.unread.stop = item.stop

    # how they meet -------------------------------------------------------------------------------

    def _open(self, entry: Entry, item: Item) -> None:
        draft = Draft(entry, item.start, item.stop)
        pending, before = self.pending, self._previous()
        if self.bare_subject is not None and self.bare_subject.start != item.start:
            pending.negated = False  # "no R in V6, …": what is denied was not read
        if pending.start >= 0:
            draft.start = min(draft.start, pending.start)
        draft.certainty, draft.negated = pending.certainty, pending.negated
        draft.joined = self.join != "" and before is not None and item.gap == 0
        draft.listed = draft.joined or (item.gap == COMMA and self._follows_finding())
        if draft.joined and before is not None and (pending.start < 0 or self.join == "or"):
            draft.set("certainty", before.certainty)
            draft.negated = draft.negated or before.negated
        if pending.certainty == "certain" and before is not None and before.entry is entry and item.gap == 0:
            draft.certainty = before.doubt_before  # "probably anterior ischemia, lateral ischemia"
        draft.doubt_before = draft.certainty
        if draft.takes("where"):
            draft.regions |= pending.regions
        if draft.takes("age"):
            draft.age = pending.age
        for degree in pending.degrees:
            draft.set("degree", degree)
        self.drafts.append(draft)
        self.pending = Draft(None, -1, -1)
        self.join, self.unread = "", None
        self.subject, self.bare_subject = entry.subject or self.subject, None

    def _keep(self, item: Item) -> Draft:
        if self.pending.start < 0:
            self.pending.start = item.start
        self.unread = None
        return self.pending

    def _previous(self) -> Draft | None:
        known = [draft for draft in self.drafts[self.sentence :] if draft.entry is not None]
        return known[-1] if known else None

    def _last(self, attribute: str) -> list[Draft]:
        """Give the finding before this place that takes the attribute, with those joined to it."""
        known = [draft for draft in self.drafts[self.sentence :] if draft.entry is not None]
        while known and attribute in ("age", "degree") and not known[-1].takes(attribute):
            known.pop()
        if attribute == "where" and (
            self.unread or self.bare_subject or not (known and known[-1].takes("where"))
        ):
            return []
        group: list[Draft] = []
        while known:
            draft = known.pop()
            if group and attribute == "where" and (draft.regions or not draft.takes("where")):
                break
            group.append(draft)
            linked = draft.listed if attribute == "where" else draft.joined
            if not linked or attribute in ("age", "degree"):
                break
        return group

    def _comes(self, attribute: str) -> bool:
        """Tell whether a finding that takes the attribute follows before a comma or stop."""
        for item in self.items[self.at + 1 :]:
            kind = item.term.kind
            if item.gap or (kind == "small" and item.term.value == "ends"):
                return False
            if kind == "finding" and item.term.entry is not None:
                return attribute == "certainty" or attribute in item.term.entry.takes
            if kind in ("subject", "predicate"):
                return True
            if kind not in _PASSED_OVER:
                return False
        return False

    def _follows_finding(self) -> bool:
        """Tell whether the item before is a finding: a list such as "Q waves, ST elevation and … in V2"."""
        return self.at > 0 and self.items[self.at - 1].term.kind in ("finding", "predicate")

    def _in_place_list(self) -> bool:
        """Tell whether the place continues another: "in limb leads and V4"."""
        for item in reversed(self.items[: self.at]):
            if item.term.kind == "wall":
                return bool(self.placed)
            if item.term.kind not in ("join", "or", "leads", "small"):
                return False
        return False

    def _is_lead_group(self, item: Item) -> bool:
        following = self.items[self.at + 1] if self.at + 1 < len(self.items) else None
        return following is not None and following.term.kind == "leads" and following.gap == 0

    def _end_sentence(self) -> None:
        self.pending = Draft(None, -1, -1)
        self.sentence = len(self.drafts)
        self.subject, self.bare_subject = "", None
        self.join, self.unread = "", None
