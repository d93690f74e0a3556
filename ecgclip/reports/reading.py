"""From a clinical text to its findings."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ecgclip.reports.cleaning import masked
from ecgclip.reports.drafts import Draft
from ecgclip.reports.finding import Report, Statement
from ecgclip.reports.grammar import compose
from ecgclip.reports.lexicon import Item, lexicon
from ecgclip.reports.termfile import Entry, load_terms

__all__ = [
    "WordCount",
    "canonical_findings",
    "count_words",
    "findings",
    "kinds_of",
    "language_of",
    "read_report",
    "without_place",
]

_EDGES = " \t\n.,;:!?-–/&+*\"'"


class WordCount(NamedTuple):
    """Words of one report by what became of them.

    Attributes:
        finding: words of findings and their attributes.
        small: words that carry no finding of their own (articles, "leads", "due to").
        remark: words of known remarks that are no finding ("suggest repeat tracing").
        unread: words that the term file does not know.
    """

    finding: int
    small: int
    remark: int
    unread: int


_SAYS_SOMETHING = frozenset(("wall", "subject", "predicate", "degree", "age", "certainty"))
_COUNTED_AS = {
    "small": "small",
    "join": "small",
    "or": "small",
    "but": "small",
    "leads": "small",
    "remark": "remark",
}


def read_report(text: str) -> Report:
    """Read a report, prompt or simulated report into canonical findings.

    What the term file does not know goes through as the cleaned words, in a statement without a finding. A
    report that is empty or only says that a trace was requested has no statements.
    """
    return _read(text)


def findings(text: str) -> tuple[Statement, ...]:
    """Give the statements of `read_report`."""
    return _read(text).statements


def without_place(phrase: str) -> str | None:
    """Say a canonical finding without its place: "Q waves" for "Q waves in septal leads".

    None for what names no place, denies, or is no canonical phrase of one finding: "no Q waves in septal leads" says
    nothing of the other leads.
    """
    statements = read_report(phrase).statements
    finding = statements[0].finding if len(statements) == 1 else None
    if finding is None or finding.negated or not finding.where or finding.phrase() != phrase:
        return None
    return replace(finding, where=()).phrase()


def kinds_of(text: str) -> tuple[str, ...]:
    """Give the kinds of finding that a text affirms, surely or possibly: "conduction disturbance" for "LAFB".

    None for findings of no kind, for denials, and for words that the term file does not know.
    """
    kinds = load_terms().kinds
    said = [found.finding for found in _read(text).statements if found.finding is not None]
    return tuple(
        dict.fromkeys(kind for each in said if not each.negated for kind in kinds.get(each.name, ()))
    )


def language_of(text: str) -> str:
    """Tell German (``de``), English (``en``) or Swedish (``sv``) by the words; ``""`` where they do not."""
    words = lexicon()
    return words.language(words.words(masked(text).text))


def count_words(text: str) -> tuple[str, WordCount, tuple[str, ...]]:
    """Give a report's language, its words by what became of them, and the unread words."""
    text = masked(text).text
    language, items = _items(text)
    counts = dict.fromkeys(WordCount._fields, 0)
    drafts = [draft for draft in compose(items) if draft.entry is None]
    unread: list[str] = []
    for item in items:
        if item.term.kind == "number":
            continue
        inside = any(draft.start <= item.start and item.stop <= draft.stop for draft in drafts)
        lost = item.term.kind == "unread" or (inside and item.term.kind == "predicate")
        counts["unread" if lost else _COUNTED_AS.get(item.term.kind, "finding")] += item.n_words
        unread += [text[item.start : item.stop]] if lost else []
    return language, WordCount(**counts), tuple(unread)


def canonical_findings(path: str | Path | None = None) -> tuple[Entry, ...]:
    """List the findings of the term file: name, wordings by language, whether only a corpus uses it.

    Args:
        path: another term file than the shipped one.
    """
    return load_terms(path).entries


def _items(text: str) -> tuple[str, list[Item]]:
    """Give the language and the items of a masked text."""
    words = lexicon().words(text)
    language = lexicon().language(words)
    return language, lexicon().items(words, language, cut=text.rstrip()[-1:].isalpha())


@lru_cache(maxsize=65536)
def _read(text: str) -> Report:
    kept = masked(text)
    if kept.text.isspace() or not kept.text:
        return Report(text, "", ())
    language, items = _items(kept.text)
    statements: list[Statement] = []
    drafts = compose(items)
    if not drafts and any(item.term.kind in _SAYS_SOMETHING for item in items):
        drafts = [Draft(None, items[0].start, items[-1].stop)]  # "in lateral leads": half a statement
    for draft in drafts:
        statement = _statement(draft, kept.text, kept.span(draft.start, draft.stop))
        if statement is not None:
            statements.append(statement)
    return Report(text, language, tuple(statements))


def _statement(draft: Draft, text: str, span: tuple[int, int]) -> Statement | None:
    raw = " ".join(text[draft.start : draft.stop].split())
    finding = draft.finding()
    if finding is not None:
        return Statement(finding.phrase(), raw, span, finding)
    phrase = raw.strip(_EDGES)
    return Statement(phrase, raw, span, None) if sum(letter.isalpha() for letter in phrase) > 2 else None
