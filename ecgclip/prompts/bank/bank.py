"""A bank of phrases: what a report would say where a label holds.

A bank belongs to one label set. Each label has phrases in one or more languages, each with its kind and its
source; a label may be made of `parts` (a superclass of its statements) and may have negations ("no atrial
fibrillation"). The shipped banks are YAML files beside this module, written to be edited without Python.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ecgclip.errors import DataError, UsageError, unknown_name

from .entries import (
    KINDS,
    NAMING_KINDS,
    Label,
    Phrase,
    label_from_state,
    label_state,
    plain_label,
)

__all__ = ["BANKS", "KINDS", "Label", "Phrase", "PromptBank"]

BANKS = (
    "ptbxl-superclass",
    "ptbxl-subclass",
    "ptbxl-form",
    "ptbxl-rhythm",
    "ptbxl-diagnostic",
    "ptbxl-all",
    "cpsc2018",
    "csn",
    "challenge-2021",
)
"""The shipped banks."""

_SAME_LABELS = {"csn-legacy": "csn"}
_FORMAT = "ecgclip.PromptBank/1"


@dataclass(frozen=True, eq=False)
class PromptBank:
    """The phrases of one label set.

    Attributes:
        name: the bank's name, that of its label set where it is shipped.
        entries: the labels in the order of the set.
        strict: whether every phrase must state language, kind and source (files: yes; plain dicts: no).
    """

    name: str
    entries: tuple[Label, ...]
    strict: bool = True

    @staticmethod
    def load(name_or_path: str | Path) -> "PromptBank":
        """Load a shipped bank by name, or a bank from a YAML file.

        Raises:
            UsageError: no shipped bank of that name; near matches are named.
            DataError: a file that is not a bank; the message names file and line.
        """
        from .schema import read_bank

        name = _SAME_LABELS.get(str(name_or_path), str(name_or_path))
        if name in BANKS:
            return read_bank(shipped_path(name))
        path = Path(name_or_path)
        if path.suffix.lower() in (".yaml", ".yml") or path.is_file():
            return read_bank(path)
        raise unknown_name("prompt bank", str(name_or_path), BANKS)

    @staticmethod
    def from_dict(labels: Mapping[str, Any], name: str = "own") -> "PromptBank":
        """Make a bank from ``{"label": ["phrase", ...]}``, or from what `to_dict` gave.

        Raises:
            DataError: no labels, a label without phrases, an empty phrase, or a phrase that is not text.
        """
        if labels.get("format") == _FORMAT:
            entries = tuple(label_from_state(state) for state in labels.get("labels", ()))
            return PromptBank(str(labels.get("name", name)), entries, strict=bool(labels.get("strict", True)))
        if not labels:
            raise DataError(f"prompt bank {name!r} has no labels; give at least one label with a phrase")
        return PromptBank(name, tuple(plain_label(name, *item) for item in labels.items()), strict=False)

    def to_dict(self) -> dict[str, Any]:
        """Give the whole bank as JSON data; `from_dict` makes the same bank of it."""
        return {
            "format": _FORMAT,
            "name": self.name,
            "strict": self.strict,
            "labels": [label_state(label) for label in self.entries],
        }

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The codes in order."""
        return tuple(label.code for label in self.entries)

    @cached_property
    def _by_code(self) -> dict[str, Label]:
        return {label.code: label for label in self.entries}

    @cached_property
    def names(self) -> dict[str, str]:
        """Display name of each code."""
        return {label.code: label.name for label in self.entries}

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """The languages that some phrase states, sorted."""
        return tuple(sorted({phrase.lang for label in self.entries for phrase in label.phrases} - {""}))

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        count = sum(len(label.phrases) for label in self.entries)
        return f"PromptBank({self.name!r}, {len(self)} labels, {count} phrases, hash {self.hash})"

    def label(self, code: str) -> Label:
        """Give one label; an unknown code is a UsageError that names near matches."""
        try:
            return self._by_code[code]
        except KeyError:
            raise unknown_name(f"label of prompt bank {self.name!r}:", code, self.labels) from None

    def phrases(
        self, code: str, lang: str | Iterable[str] | None = None, kinds: str | Iterable[str] | None = None
    ) -> tuple[Phrase, ...]:
        """Give the own phrases of a label, narrowed to languages and kinds where these are given.

        Args:
            code: the label.
            lang: one language or several; None for all.
            kinds: one kind of `KINDS` or several; None for those that name the finding: all but descriptions
                ("PR interval of more than 200 ms" is also true of other labels), or all where there are no
                others.

        Raises:
            UsageError: an unknown code, a language that the bank does not speak, an unknown kind.
        """
        langs = self._langs(lang)
        if kinds is None:
            return _naming(_narrow(self.label(code).phrases, langs, None))
        return _narrow(self.label(code).phrases, langs, _kinds(kinds))

    def parts(
        self, code: str, lang: str | Iterable[str] | None = None, kinds: str | Iterable[str] | None = None
    ) -> dict[str, tuple[Phrase, ...]]:
        """Give the statements that make up a super-label, each with its phrases, narrowed as `phrases` does.

        Empty for a label that is not made of parts; a part that keeps no phrase is left out.
        """
        langs, wanted = self._langs(lang), _kinds(kinds)
        found = {part: _narrow(own, langs, wanted) for part, own in self.label(code).parts.items()}
        return {part: _naming(own) if wanted is None else own for part, own in found.items() if own}

    def negation(self, code: str, lang: str | Iterable[str] | None = None) -> tuple[Phrase, ...]:
        """Give the phrases that say that the finding is not there; may be empty."""
        return _narrow(self.label(code).negation, self._langs(lang), None)

    def select(
        self, lang: str | Iterable[str] | None = None, kinds: str | Iterable[str] | None = None
    ) -> "PromptBank":
        """Give the bank narrowed to some languages and kinds of phrase, parts and negations included.

        A part that keeps no phrase is left out.

        Raises:
            UsageError: where a label would keep no phrase; it names the label.
        """
        langs, wanted = self._langs(lang), _kinds(kinds)
        labels = []
        for label in self.entries:
            phrases = _narrow(label.phrases, langs, wanted)
            if not phrases:
                raise UsageError(
                    f"prompt bank {self.name!r}: label {label.code} has no phrase with lang={lang!r}, "
                    f"kinds={kinds!r}; choose more of {', '.join(KINDS)} or of {', '.join(self.languages)}"
                )
            parts = {part: _narrow(found, langs, wanted) for part, found in label.parts.items()}
            negation = _narrow(label.negation, langs, None)
            kept = {part: found for part, found in parts.items() if found}
            labels.append(replace(label, phrases=phrases, parts=kept, negation=negation))
        return replace(self, entries=tuple(labels))

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """Every distinct text in order: phrases, phrases of parts, negations."""
        return tuple(dict.fromkeys(phrase.text for label in self.entries for phrase in _all_phrases(label)))

    @cached_property
    def hash(self) -> str:
        """12 hex digits of what scores depend on: codes, texts, languages, kinds, parts and negations."""
        content = [
            [
                label.code,
                _facts(label.phrases),
                {part: _facts(found) for part, found in label.parts.items()},
                _facts(label.negation),
            ]
            for label in self.entries
        ]
        canonical = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    def _langs(self, lang: str | Iterable[str] | None) -> frozenset[str] | None:
        if lang is None:
            return None
        langs = frozenset([lang] if isinstance(lang, str) else lang)
        for one in sorted(langs - set(self.languages)):
            raise unknown_name(f"language of prompt bank {self.name!r}:", one, self.languages)
        return langs


def shipped_path(name: str) -> Path:
    """Give the file of a shipped bank."""
    return Path(__file__).parents[1] / "banks" / f"{name}.yaml"


def _kinds(kinds: str | Iterable[str] | None) -> frozenset[str] | None:
    if kinds is None:
        return None
    chosen = frozenset([kinds] if isinstance(kinds, str) else kinds)
    for one in sorted(chosen - set(KINDS)):
        raise unknown_name("kind of phrase", one, KINDS)
    return chosen


def _narrow(
    phrases: tuple[Phrase, ...], langs: frozenset[str] | None, kinds: frozenset[str] | None
) -> tuple[Phrase, ...]:
    """Keep the phrases of some languages and kinds, each text once: several languages may share a wording."""
    kept: dict[str, Phrase] = {}
    for phrase in phrases:
        if (langs is None or phrase.lang in langs) and (kinds is None or phrase.kind in kinds):
            kept.setdefault(phrase.text, phrase)
    return tuple(kept.values())


def _naming(phrases: tuple[Phrase, ...]) -> tuple[Phrase, ...]:
    return tuple(phrase for phrase in phrases if phrase.kind in NAMING_KINDS) or phrases


def _all_phrases(label: Label) -> Iterator[Phrase]:
    yield from label.phrases
    for phrases in label.parts.values():
        yield from phrases
    yield from label.negation


def _facts(phrases: tuple[Phrase, ...]) -> list[list[str]]:
    return [[phrase.text, phrase.lang, phrase.kind] for phrase in phrases]
