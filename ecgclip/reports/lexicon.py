"""Words to items: the longest known run of words at each place, lead lists, and what is not known."""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from ecgclip.reports.termfile import LANGUAGES, WORD, Term, TermFile, expand, fold, load_terms, words_of

__all__ = ["COMMA", "STOP", "Item", "Lexicon", "lexicon"]

COMMA, STOP = 1, 2
_LEADS = {
    name.lower(): name for name in ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
}
_LEAD_RUN = re.compile(r"v([1-6])([1-6]*)")
_RANGE_WORDS = frozenset(("to", "bis", "till", "through"))
_AND_WORDS = frozenset(("and", "und", "och", "u", "samt", "or", "oder"))
_CONTINUES = frozenset(("grades", "grad"))
_SHORT_LIMB = {"f": ("aVF",), "l": ("aVL",), "r": ("aVR",)}
_CHEST = ("V1", "V2", "V3", "V4", "V5", "V6")


class Item(NamedTuple):
    """One known (or unknown) run of words.

    Attributes:
        term: its meaning; kind ``wall`` with side ``leads`` for a lead list, ``unread`` for unknown words.
        terms: every meaning, where a wording has several (predicates of several subjects).
        start: first character in the masked text.
        stop: one past its last character.
        gap: 0, COMMA or STOP: what stands before it.
        n_words: how many words it has.
        leads: the leads of a lead list.
    """

    term: Term
    terms: tuple[Term, ...]
    start: int
    stop: int
    gap: int
    n_words: int
    leads: tuple[str, ...] = ()


class Word(NamedTuple):
    """One folded word and its place; ``gap`` and ``joint`` tell what stands before it."""

    text: str
    start: int
    stop: int
    gap: int
    dash: bool


@dataclass
class Node:
    """One step of the tree of wordings."""

    next: dict[str, "Node"] = field(default_factory=dict)
    terms: tuple[Term, ...] = ()


_UNREAD = Term("unread")
_NUMBER = Term("number")


class Lexicon:
    """A term file made ready for reading."""

    def __init__(self, file: TermFile) -> None:
        self._root = Node()
        self._spellings = file.spellings
        self._abbreviations = file.abbreviations
        languages: dict[str, set[str]] = {}
        self._neighbours: set[tuple[str, str]] = set()
        for wording, language, term in file.terms:
            for text in expand(wording):
                words = words_of(text)
                self._add(words, term)
                self._neighbours.update(pairwise(words))
                for word in words:
                    languages.setdefault(word, set()).add(language)
        self._vocabulary = frozenset(languages)
        self._votes = {
            word: next(iter(known))
            for word, known in languages.items()
            if len(known - {""}) == 1 and "" not in known
        }

    def _add(self, words: tuple[str, ...], term: Term) -> None:
        if not words:
            return
        node = self._root
        for word in words:
            node = node.next.setdefault(word, Node())
        if term not in node.terms:
            node.terms = (*node.terms, term)

    def words(self, text: str) -> list[Word]:
        """Split masked text into folded, correctly spelt words with what stands between them."""
        words: list[Word] = []
        previous, before = 0, ""
        for found in WORD.finditer(text):
            start, stop = found.span()
            word = fold(found.group())
            word = self._spellings.get(word, word)
            between = text[previous:start]
            if between in ("-", "- ") and self._is_one_word(before, word):
                last = words.pop()
                before, previous = before + word, stop
                words.append(last._replace(text=before, stop=stop))
                continue
            gap = 0 if between in (" ", "") else self._gap(between, before, word)
            words.append(Word(word, start, stop, gap, between.strip() in ("-", "–", "/-")))
            previous, before = stop, word
        return words

    def _is_one_word(self, before: str, word: str) -> bool:
        """Tell whether a hyphen only breaks a word: "Sinus-Tachykardie", "antero- septal"."""
        if before + word not in self._vocabulary or not before or (before, word) in self._neighbours:
            return False
        return not (_leads_of(before) or _leads_of(word))

    def _gap(self, between: str, before: str, word: str) -> int:
        if ";" in between or "\n" in between or "?" in between:
            return STOP
        if (between == "." and len(before) == 1) or word in _CONTINUES:
            return 0  # "o.b.", "z.n.", "AV-Block II. Grades"
        if "." in between and before not in self._abbreviations and not (before[-1:] + word[:1]).isdigit():
            return STOP
        if ":" in between and before[-1:].isdigit() and word[:1].isdigit():
            return 0
        return COMMA if any(mark in between for mark in ',:"') else 0

    def language(self, words: list[Word]) -> str:
        """Tell the language from the words that only one language uses."""
        counts = dict.fromkeys(LANGUAGES, 0)
        for word in words:
            vote = self._votes.get(word.text)
            if vote is not None:
                counts[vote] += 1
        best = max(counts, key=lambda language: counts[language])
        return best if counts[best] else ""

    def items(self, words: list[Word], language: str, *, cut: bool = False) -> list[Item]:
        """Read words from left to right, the longest known wording first.

        Args:
            words: what `words` gave.
            language: what `language` gave; in Swedish ``i`` is a preposition and no lead.
            cut: the text ends in a letter, so its last word or wording may have been cut off.
        """
        items: list[Item] = []
        at = 0
        while at < len(words):
            length, terms = self._longest(words, at, cut)
            n_lead, leads = _lead_list(words, at, language)
            if n_lead > length or (n_lead and n_lead == length and terms[0].kind in ("small", "join")):
                term = Term("wall", "", "leads")
                items.append(_item(words, at, n_lead, (term,), leads))
                at += n_lead
                continue
            length = max(length, 1)
            unknown = _NUMBER if words[at].text.isdigit() else _UNREAD
            items.append(_item(words, at, length, terms or (unknown,), ()))
            at += length
        return items

    def _longest(self, words: list[Word], at: int, cut: bool) -> tuple[int, tuple[Term, ...]]:
        node, best, terms = self._root, 0, ()
        found: tuple[Term, ...] = terms
        for index in range(at, len(words)):
            if index > at and words[index].gap:
                break
            step = node.next.get(words[index].text)
            if step is None and cut:
                step = _cut_short(node, words, index)
            if step is None:
                break
            node = step
            if node.terms:
                best, found = index - at + 1, node.terms
        else:
            if cut and not node.terms:
                length, meant = _unfinished(node, len(words) - at)
                return (length, meant) if length else (best, found)
        return best, found


def _cut_short(node: Node, words: list[Word], index: int) -> Node | None:
    """Complete the last word of a report that was cut, where only one word can have been meant."""
    if index != len(words) - 1 or index == 0:
        return None
    matches = [child for word, child in node.next.items() if word.startswith(words[index].text)]
    return matches[0] if len(matches) == 1 else None


def _unfinished(node: Node, length: int) -> tuple[int, tuple[Term, ...]]:
    """Complete a wording that the end of the report cut, where all its continuations mean one thing."""
    if length < 2:
        return 0, ()
    meanings: set[Term] = set()
    heap = list(node.next.values())
    while heap and len(meanings) < 2:
        step = heap.pop()
        meanings.update(step.terms)
        heap.extend(step.next.values())
    return (length, tuple(meanings)) if len(meanings) == 1 else (0, ())


def _item(words: list[Word], at: int, length: int, terms: tuple[Term, ...], leads: tuple[str, ...]) -> Item:
    last = words[at + length - 1]
    return Item(terms[0], terms, words[at].start, last.stop, words[at].gap, length, leads)


def _lead_list(words: list[Word], at: int, language: str) -> tuple[int, tuple[str, ...]]:
    """Read ``v4,5,6``, ``v2-6``, ``i, ii, avl``, ``iii+avf`` starting at a word."""
    leads = _leads_of(words[at].text)
    if not leads or (language == "sv" and words[at].text == "i"):
        return 0, ()
    found = list(leads)
    index = at + 1
    while index < len(words) and words[index].gap < STOP:
        step, more, ranged = _next_leads(words, index, found[-1])
        if not step:
            break
        found += _between(found[-1], more[0]) if ranged else []
        found += more
        index += step
    return index - at, tuple(dict.fromkeys(found))


def _next_leads(words: list[Word], index: int, last: str) -> tuple[int, tuple[str, ...], bool]:
    word = words[index]
    skip = 0
    ranged = word.dash
    if word.text in _AND_WORDS or word.text in _RANGE_WORDS:
        ranged = word.text in _RANGE_WORDS
        skip, index = 1, index + 1
        if index >= len(words):
            return 0, (), False
        word = words[index]
    leads = _leads_of(word.text)
    if not leads and not last.startswith("V"):
        leads = _SHORT_LIMB.get(word.text, ())
    if not leads and last.startswith("V") and word.text in ("1", "2", "3", "4", "5", "6"):
        leads = (f"V{word.text}",)
    return (skip + 1, leads, ranged) if leads else (0, (), False)


@lru_cache(maxsize=4096)
def _leads_of(word: str) -> tuple[str, ...]:
    if word in _LEADS:
        return (_LEADS[word],)
    run = _LEAD_RUN.fullmatch(word)
    return tuple(f"V{digit}" for digit in run.group(1) + run.group(2)) if run else ()


def _between(first: str, last: str) -> list[str]:
    if first in _CHEST and last in _CHEST:
        return list(_CHEST[_CHEST.index(first) + 1 : _CHEST.index(last)])
    return []


@lru_cache(maxsize=4)
def lexicon(path: Path | None = None) -> Lexicon:
    """Build the lexicon of a term file once."""
    return Lexicon(load_terms(path))
