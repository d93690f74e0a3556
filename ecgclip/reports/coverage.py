"""How much of a corpus the term file reads."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from ecgclip.reports.reading import WordCount, count_words

__all__ = ["CoverageRow", "coverage", "unread_words"]


class CoverageRow(NamedTuple):
    """One line of the coverage table.

    Attributes:
        language: ``de``, ``en``, ``sv``, ``""`` (not told) or ``all``.
        reports: how many reports have a word.
        words: how many words they have, after cleaning.
        finding: share of words in findings and their attributes.
        small: share of words that carry no finding of their own.
        remark: share of words in known remarks that are no finding.
        read: the three together.
    """

    language: str
    reports: int
    words: int
    finding: float
    small: float
    remark: float
    read: float


def coverage(texts: Iterable[str]) -> list[CoverageRow]:
    """Give the share of words that the term file reads, by language and in all.

    Repeated reports count as often as they come.
    """
    sums: dict[str, Counter[str]] = {}
    for text, times in Counter(texts).items():
        language, counts, _ = count_words(text)
        if not sum(counts):
            continue
        for group in (language, "all"):
            total = sums.setdefault(group, Counter())
            total["reports"] += times
            for name, value in counts._asdict().items():
                total[name] += value * times
    return [
        _row(language, sums[language]) for language in sorted(sums, key=lambda name: (name == "all", name))
    ]


def unread_words(texts: Iterable[str]) -> Counter[str]:
    """Count the words that the term file does not know: what to add to it next."""
    words: Counter[str] = Counter()
    for text, times in Counter(texts).items():
        for word in count_words(text)[2]:
            words[word.lower()] += times
    return words


def _row(language: str, total: Counter[str]) -> CoverageRow:
    words = sum(total[name] for name in WordCount._fields)
    finding, small, remark = (total[name] / words for name in ("finding", "small", "remark"))
    return CoverageRow(language, total["reports"], words, finding, small, remark, finding + small + remark)
