"""The form of a bank file, and how one file takes labels from another.

`read_bank` refuses a faulty file with its first fault; `read_faults` lists them all, each with its line.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ecgclip.errors import DataError, unknown_name

from .bank import BANKS, PromptBank, shipped_path
from .entries import KINDS, NAMING_KINDS, Label, Phrase
from .strict_yaml import Section, parse

__all__ = ["read_bank", "read_faults"]

_FILE_KEYS = ("name", "about", "from", "sources", "labels")
_LABEL_KEYS = ("code", "name", "from", "drop", "parts", "excludes", "may_name", "phrases", "negation")
_PHRASE_KEYS = ("lang", "kind", "source", "text")
_LANGUAGE = re.compile(r"[a-z]{2}")


def read_bank(path: str | Path) -> PromptBank:
    """Read a bank file.

    Raises:
        DataError: the first fault of the file, with its line, and how many more there are.
    """
    bank, faults = _read(Path(path))
    if bank is None or faults:
        more = f" (and {len(faults) - 1} more: ecgclip prompts check {path})" if len(faults) > 1 else ""
        raise DataError(f"{faults[0]}{more}")
    return bank


def read_faults(path: str | Path) -> tuple[PromptBank | None, list[str]]:
    """Read a bank file as far as it can be read, and list every fault of its form."""
    return _read(Path(path))


def _read(path: Path) -> tuple[PromptBank | None, list[str]]:
    reader = _Reader(path)
    try:
        stamp = path.stat()
        return reader.bank(_content(path, stamp.st_mtime_ns, stamp.st_size)), reader.faults
    except UnicodeDecodeError:
        return None, [f"{path}: is not UTF-8 text; save it as UTF-8"]
    except OSError as error:
        return None, [f"{path}: cannot be read: {error.strerror}; give the name or the path of a bank"]
    except DataError as error:
        return None, [*reader.faults, str(error)]


@lru_cache(maxsize=32)
def _content(path: Path, mtime_ns: int, size: int) -> Any:
    """Parse a file once for each of its versions."""
    return parse(path.read_text(encoding="utf-8"), str(path))


class _Reader:
    """Turns the sections of one file into a bank and collects what is wrong with them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.faults: list[str] = []
        self.sources: dict[str, str] = {}
        self.base: PromptBank | None = None

    def bank(self, content: object) -> PromptBank:
        if not isinstance(content, Section):
            raise DataError(f"{self.path}: a bank is a mapping with the keys {', '.join(_FILE_KEYS)}")
        self._check_keys(content, _FILE_KEYS)
        listed = content.get("labels")
        if not isinstance(listed, list) or not listed:
            raise DataError(f"{self.path}: 'labels' must be a list of labels or of codes")
        sources = content.get("sources", Section())
        if isinstance(sources, Section):
            self.sources = {key: str(value).strip() for key, value in sources.items()}
        else:
            self._fault(content.line, "'sources' must be a mapping of short names to citations")
        if "from" in content:
            self.base = self._base_bank(str(content["from"]))
        labels = [label for entry in listed if (label := self._label(entry, content.line)) is not None]
        self._check_codes(labels)
        codes = {label.code for label in labels}
        known = codes | set(self.base.labels if self.base else ())
        return PromptBank(
            str(content.get("name", self.path.stem)),
            tuple(self._resolved(label, codes, known) for label in labels),
        )

    def _fault(self, line: int, what: str) -> None:
        self.faults.append(f"{self.path}, line {line}: {what}")

    def _check_keys(self, section: Section, allowed: tuple[str, ...]) -> None:
        for key in section:
            if key not in allowed:
                self._fault(section.line, str(unknown_name("key", key, allowed)))

    def _base_bank(self, name: str) -> PromptBank:
        beside = self.path.parent / name
        path = shipped_path(name) if name in BANKS else beside
        if path.resolve() == self.path.resolve():
            raise DataError(f"{self.path}: 'from' names the file itself; name another bank")
        if name not in BANKS and path.suffix not in (".yaml", ".yml"):
            raise DataError(f"{self.path}: 'from': {unknown_name('prompt bank', name, BANKS)}")
        return read_bank(path)

    def _label(self, entry: object, line: int) -> Label | None:
        if isinstance(entry, str):
            section = Section(code=entry)
            section["from"] = entry
            section.line = line
            entry = section
        if not isinstance(entry, Section):
            self._fault(line, f"a label is a code or a mapping with {', '.join(_LABEL_KEYS)}, not {entry!r}")
            return None
        self._check_keys(entry, _LABEL_KEYS)
        code = entry.get("code", "")
        if not isinstance(code, str) or not code.strip():
            self._fault(entry.line, "a label needs a 'code'")
            return None
        taken = self._taken(entry)
        own = [phrase for item in self._items(entry, "phrases") for phrase in self._phrases(item, entry)]
        dropped = set(self._texts(entry, "drop"))
        for text in sorted(dropped - {phrase.text for label in taken for phrase in label.phrases}):
            self._fault(
                entry.line, f"label {code}: 'drop' names {text!r}, which is not among the phrases taken"
            )
        inherited = [p for label in taken for p in label.phrases if p.text not in dropped]
        phrases = _distinct([*inherited, *own])
        if not phrases:
            self._fault(entry.line, f"label {code} has no phrases")
        name = entry.get("name", "") or (taken[0].name if taken else "")
        if not name:
            self._fault(entry.line, f"label {code} needs a 'name'")
        return Label(
            code=code,
            name=str(name),
            phrases=phrases,
            parts=self._parts(entry, code),
            negation=self._negation(entry, taken),
            excludes=self._codes(entry, "excludes", taken),
            may_name=self._codes(entry, "may_name", taken),
        )

    def _taken(self, entry: Section) -> list[Label]:
        wanted = entry.get("from", [])
        return [
            label
            for code in ([wanted] if isinstance(wanted, str) else wanted)
            if (label := self._base_label(str(code), entry)) is not None
        ]

    def _base_label(self, code: str, entry: Section) -> Label | None:
        if self.base is None:
            self._fault(
                entry.line, f"{code!r} is taken from no bank; name one with 'from' at the top of the file"
            )
            return None
        if code not in self.base.labels:
            self._fault(entry.line, str(unknown_name(f"label of {self.base.name}:", code, self.base.labels)))
            return None
        return self.base.label(code)

    def _items(self, entry: Section, key: str) -> list[Any]:
        value = entry.get(key, [])
        if isinstance(value, list):
            return value
        self._fault(entry.line, f"{key!r} must be a list")
        return []

    def _texts(self, entry: Section, key: str) -> list[str]:
        return [str(item) for item in self._items(entry, key)]

    def _phrases(self, item: object, entry: Section) -> list[Phrase]:
        if not isinstance(item, Section):
            self._fault(
                entry.line, f"label {entry['code']}: a phrase is {{lang, kind, source, text}}, not {item!r}"
            )
            return []
        self._check_keys(item, _PHRASE_KEYS)
        stated = {key: str(item.get(key, "")).strip() for key in ("lang", "kind", "source")}
        for key, value in stated.items():
            if not value:
                self._fault(item.line, f"label {entry['code']}: a phrase has no {key!r}")
        if stated["kind"] and stated["kind"] not in KINDS:
            self._fault(item.line, str(unknown_name("kind of phrase", stated["kind"], KINDS)))
        if stated["lang"] and not _LANGUAGE.fullmatch(stated["lang"]):
            self._fault(item.line, f"the language {stated['lang']!r} must be two letters, such as en, de, sv")
        source = self._source(stated["source"], item.line)
        texts = self._written(item.get("text", ""), item.line, f"label {entry['code']}")
        return [Phrase(text, stated["lang"], stated["kind"], source) for text in texts]

    def _source(self, source: str, line: int) -> str:
        if not source or source in self.sources:
            return self.sources.get(source, "")
        if re.fullmatch(r"[\w.-]+", source) and self.sources:
            self._fault(line, str(unknown_name("source", source, self.sources)))
        return source

    def _written(self, value: object, line: int, whose: str) -> list[str]:
        listed = value if isinstance(value, list) else [value]
        texts = []
        for item in listed:
            if not isinstance(item, str) or not item.strip():
                self._fault(line, f"{whose}: a phrase is empty or not text")
            else:
                texts.append(item.strip())
        if not listed:
            self._fault(line, f"{whose}: a phrase is empty or not text")
        return texts

    def _parts(self, entry: Section, code: str) -> dict[str, tuple[Phrase, ...]]:
        parts = {}
        for part in self._texts(entry, "parts"):
            label = self._base_label(part, entry)
            if part in parts:
                self._fault(entry.line, f"label {code}: the part {part} stands twice")
            if label is not None:
                parts[part] = label.phrases
        return parts

    def _negation(self, entry: Section, taken: list[Label]) -> tuple[Phrase, ...]:
        if "negation" not in entry:
            return taken[0].negation if taken else ()
        value = entry["negation"]
        if not isinstance(value, Section):
            self._fault(
                entry.line, f"label {entry['code']}: 'negation' must be a mapping of language to phrases"
            )
            return ()
        source = "the label's name, negated"
        return tuple(
            Phrase(text, lang, "negation", source)
            for lang, texts in value.items()
            for text in self._written(texts, value.line, f"label {entry['code']}, negation")
        )

    def _codes(self, entry: Section, key: str, taken: list[Label]) -> tuple[str, ...]:
        if key in entry:
            return tuple(self._texts(entry, key))
        return tuple(dict.fromkeys(code for label in taken for code in getattr(label, key)))

    def _check_codes(self, labels: list[Label]) -> None:
        seen: set[str] = set()
        for label in labels:
            if label.code in seen:
                self.faults.append(f"{self.path}: label {label.code} stands twice; keep one of them")
            seen.add(label.code)

    def _resolved(self, label: Label, codes: set[str], known: set[str]) -> Label:
        """Spell out what the label excludes: other labels by their names, wordings as they are."""
        for code in label.may_name:
            if code not in known:
                fault = unknown_name("label:", code, known)
                self.faults.append(f"{self.path}: label {label.code}: 'may_name': {fault}")
        forbidden: dict[str, tuple[str, ...]] = {}
        for item in label.excludes:
            if item in codes:
                continue
            forbidden[item] = _naming(self.base.label(item)) if self.base and item in known else (item,)
        return replace(label, forbidden=forbidden)


def _naming(label: Label) -> tuple[str, ...]:
    return tuple(phrase.text for phrase in label.phrases if phrase.kind in NAMING_KINDS)


def _distinct(phrases: Iterable[Phrase]) -> tuple[Phrase, ...]:
    first: dict[tuple[str, str], Phrase] = {}
    for phrase in phrases:
        first.setdefault((phrase.text, phrase.lang), phrase)
    return tuple(first.values())
