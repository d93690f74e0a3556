"""Which labels a phrase names: word by word, the longest name first."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from .entries import NAMING_KINDS, Label, Phrase

__all__ = ["Names", "contains", "names_several", "words"]

_WORD = re.compile(r"[^\W_]+")
_ENDING = re.compile(r"(?<=\w{4})(ern|er|en|em|es|e|s|n)$")
_SEVERAL = re.compile(r"[,;/]|\b(and|or|with|und|oder|mit|och|eller|med)\b", re.IGNORECASE)
_SELF_NAMING = ("name", "scp", "abbreviation", "")


@lru_cache(maxsize=8192)
def words(text: str) -> tuple[str, ...]:
    """Split a text into words, lower-case, without the endings of inflection (T-Wellen: t, well)."""
    plain = text.replace("(s)", "").replace("(es)", "").lower()
    return tuple(_ENDING.sub("", word) for word in _WORD.findall(plain))


def contains(text: str, wording: str) -> bool:
    """Say whether the words of `wording` stand in `text`, one after the other."""
    whole, part = words(text), words(wording)
    return bool(part) and any(whole[i : i + len(part)] == part for i in range(len(whole) - len(part) + 1))


def names_several(text: str) -> bool:
    """Say whether a text is a list or joins things by a comma, "and", "or" or "with"."""
    return _SEVERAL.search(text) is not None


class Names:
    """Every wording that names a label of a set, its parts' wordings included."""

    def __init__(self, labels: Iterable[Label]) -> None:
        self._owners: dict[tuple[str, ...], dict[str, set[str]]] = {}
        for label in labels:
            for text in _wordings(label):
                found = self._owners.setdefault(words(text), {})
                found.setdefault(label.code, set()).add(text)
        self._owners.pop((), None)
        self._longest = max(map(len, self._owners), default=0)

    def others(self, phrase: Phrase, label: Label) -> Iterator[tuple[str, str]]:
        """Yield the other labels that a phrase names, each with the wording that names it.

        A name within a longer name counts for the longer one only: "incomplete right bundle branch block"
        does not name right bundle branch block. A phrase is itself such a longer name where it is the corpus'
        own wording, or where it is one noun phrase of kind name or abbreviation and ends in the other's name
        ("incomplete RBBB").
        """
        tokens = words(phrase.text)
        spans = self._spans(tokens, phrase, label)
        told: set[str] = set()
        for start, stop in spans:
            inside = any(a <= start and stop <= b and (a, b) != (start, stop) for a, b in spans)
            if inside or (start > 0 and stop == len(tokens) and _is_own_name(phrase)):
                continue
            owners = self._owners[tokens[start:stop]]
            if label.code in owners and stop - start < len(tokens):
                continue
            for code, texts in sorted(owners.items()):
                if code not in (label.code, *told):
                    told.add(code)
                    yield code, min(texts)

    def forbidden(
        self, phrase: Phrase, label: Label, wordings: Iterable[str], *, verbatim: bool
    ) -> Iterator[str]:
        """Yield the first excluded wording that a phrase says outside a longer name of its own label.

        Args:
            phrase: the phrase.
            label: its label.
            wordings: what the label excludes.
            verbatim: whether a longer name is no excuse: the bank excludes these very words.
        """
        own = [] if verbatim else [text for text in _wordings(label) if contains(phrase.text, text)]
        if phrase.text in own and not _is_own_name(phrase):
            own.remove(phrase.text)
        for wording in wordings:
            covered = any(contains(text, wording) and words(text) != words(wording) for text in own)
            if contains(phrase.text, wording) and not covered:
                yield wording
                return

    def _spans(self, tokens: tuple[str, ...], phrase: Phrase, label: Label) -> list[tuple[int, int]]:
        """Find every stretch of a phrase that is a name; the phrase as its own name only if it is scp's."""
        spans = []
        for start in range(len(tokens)):
            for stop in range(start + 1, min(len(tokens), start + self._longest) + 1):
                owners = self._owners.get(tokens[start:stop])
                if owners is None:
                    continue
                itself = stop - start == len(tokens) and owners == {label.code: {phrase.text}}
                if not itself or phrase.kind == "scp":
                    spans.append((start, stop))
        return spans


def _is_own_name(phrase: Phrase) -> bool:
    return phrase.kind == "scp" or (phrase.kind in _SELF_NAMING and not names_several(phrase.text))


def _wordings(label: Label) -> Iterator[str]:
    yield label.name
    for phrases in (label.phrases, *label.parts.values()):
        yield from (phrase.text for phrase in phrases if phrase.kind in NAMING_KINDS)
