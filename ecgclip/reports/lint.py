"""Faults of a term file, each in one line, so that clinicians edit it as safely as code is edited."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ecgclip.reports.finding import CERTAINTIES
from ecgclip.reports.places import WALLS
from ecgclip.reports.termfile import LANGUAGES, TAKES, TERMS, expand, read_tree, words_of

__all__ = ["lint_terms"]

_MOST = 400  # alternatives of one wording
_SIDES = ("before", "after", "either")
_SECTIONS = ("walls", "ages", "certainties", "degrees", "negations", "subjects")
_SMALL = ("join", "or", "leads", "same", "but", "small")
_TOP = {"version", *_SECTIONS, "kinds", "findings", "small_words", "remarks", "spellings", "abbreviations"}
_ATTRIBUTE_KEYS = {"name", "side", "corpus", *LANGUAGES}
_FINDING_KEYS = {"name", "where", "degree", "age", "certainty", "takes", "subject", "said", "in_leads"} | {
    "corpus",
    "corpus_term",
    *LANGUAGES,
}


def lint_terms(path: str | Path | None = None) -> list[str]:
    """Name every fault of a term file; an empty list is a clean file.

    Faults: a wording that means two things or stands twice, a finding that lacks a language or is there twice, a kind
    of a finding that is not there, an unknown wall, key, side, subject or attribute, a wording whose brackets do not
    match.

    Args:
        path: the term file; the shipped one by default.

    Raises:
        DataError: if the file is absent or no YAML mapping.
    """
    tree = read_tree(TERMS if path is None else Path(path))
    faults = [f"unknown part {key!r}" for key in tree if key not in _TOP]
    faults += [f"part {key!r} is missing" for key in ("version", "findings", "walls") if key not in tree]
    for section in (*_SECTIONS, "kinds", "findings"):
        listed = tree.setdefault(section, [])
        if not isinstance(listed, list) or not all(
            isinstance(raw, dict) and raw.get("name") for raw in listed
        ):
            return [*faults, f"{section}: expected a list of entries with a name each"]
    faults += _findings(tree)
    faults += _kinds(tree)
    faults += _attributes(tree)
    faults += _wordings(tree)
    return faults


def _kinds(tree: Mapping[str, Any]) -> Iterator[str]:
    names = {str(raw["name"]) for raw in tree["findings"]}
    seen: set[str] = set()
    for raw in tree["kinds"]:
        kind, of = str(raw["name"]), _listed(raw.get("of"))
        yield from (f"kind {kind!r}: unknown key {key!r}" for key in raw if key not in ("name", "of"))
        if kind in seen:
            yield f"kind {kind!r}: stands twice"
        seen.add(kind)
        if not of:
            yield f"kind {kind!r}: names no finding under `of`"
        yield from (f"kind {kind!r}: unknown finding {name!r}" for name in of if name not in names)
        yield from (
            f"kind {kind!r}: names {name!r} twice" for name in dict.fromkeys(of) if of.count(name) > 1
        )


def _findings(tree: Mapping[str, Any]) -> Iterator[str]:
    subjects = {str(raw["name"]) for raw in tree.get("subjects", ())}
    seen: set[tuple[str, ...]] = set()
    for raw in tree["findings"]:
        label = _label(raw)
        key = tuple(str(raw.get(part, "")) for part in ("name", "where", "degree", "age"))
        if key in seen:
            yield f"{label}: duplicate finding"
        seen.add(key)
        yield from (f"{label}: unknown key {extra!r}" for extra in raw if extra not in _FINDING_KEYS)
        yield from (f"{label}: no wording in {lang!r}" for lang in LANGUAGES if not _listed(raw.get(lang)))
        yield from (
            f"{label}: unknown wall {wall!r}" for wall in _listed(raw.get("where")) if wall not in WALLS
        )
        yield from (
            f"{label}: cannot take {what!r}" for what in _listed(raw.get("takes")) if what not in TAKES
        )
        if raw.get("subject", "") not in {"", *subjects}:
            yield f"{label}: unknown subject {raw['subject']!r}"
        if raw.get("said") and not raw.get("subject"):
            yield f"{label}: `said` needs a subject"


def _attributes(tree: Mapping[str, Any]) -> Iterator[str]:
    for section in _SECTIONS:
        for raw in tree.get(section, ()):
            label = f"{section}: {raw['name']}"
            yield from (f"{label}: unknown key {extra!r}" for extra in raw if extra not in _ATTRIBUTE_KEYS)
            if raw.get("side", "either") not in _SIDES:
                yield f"{label}: side {raw['side']!r} is none of {', '.join(_SIDES)}"
            if section == "walls" and raw["name"] not in WALLS:
                yield f"{label}: unknown wall {raw['name']!r}"
            if section == "certainties" and raw["name"] not in CERTAINTIES:
                yield f"{label}: unknown certainty {raw['name']!r}"
    yield from (
        f"small_words: unknown kind {kind!r}" for kind in tree.get("small_words", {}) if kind not in _SMALL
    )


def _wordings(tree: Mapping[str, Any]) -> Iterator[str]:
    """Find wordings that mean two things, stand twice in one list, or cannot be expanded."""
    owners: dict[tuple[str, ...], str] = {}
    listed: set[tuple[str, ...]] = set()
    for group, owner, language, text in _all_wordings(tree):
        if text.count("(") != text.count(")") or ")" in text.split("(")[0]:
            yield f"{owner}: brackets of {text!r} do not match"
            continue
        for written in set(expand(text)):
            words = (group, *words_of(written))
            if len(words) == 1:
                yield f"{owner}: wording {text!r} ({language}) has no words"
                continue
            other = owners.setdefault(words, owner)
            if other != owner:
                yield f"{owner}: wording {written!r} also belongs to {other}"
        written_out = {(group, owner, language, *words_of(one)) for one in expand(text)}
        if len(written_out) > _MOST:
            yield f"{owner}: wording {text!r} has {len(written_out)} alternatives, expected at most {_MOST}"
        if written_out <= listed:
            yield f"{owner}: wording {text!r} stands twice in {language!r}"
        listed |= written_out


def _all_wordings(tree: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Give (group, owner, language, wording); two owners in one group may not share a wording."""
    for raw in tree["findings"]:
        for language in (*LANGUAGES, "corpus"):
            yield from (("", _label(raw), language, text) for text in _listed(raw.get(language)))
        said = raw.get("said") or {}
        for language in said:
            subject = f"said of {raw.get('subject')}"
            yield from ((subject, _label(raw), language, text) for text in _listed(said[language]))
    for section in _SECTIONS:
        for raw in tree.get(section, ()):
            owner = f"{section}: {raw['name']} ({raw.get('side', 'either')})"
            for language in (*LANGUAGES, "corpus"):
                yield from (("", owner, language, text) for text in _listed(raw.get(language)))
    for kind, by_language in dict(tree.get("small_words") or {}).items():
        for language, texts in by_language.items():
            yield from (("", f"small_words: {kind}", language, text) for text in _listed(texts))
    for language, texts in dict(tree.get("remarks") or {}).items():
        yield from (("", "remarks", language, text) for text in _listed(texts))


def _listed(value: Any) -> list[str]:
    if not value:
        return []
    return [value] if isinstance(value, str) else [str(item) for item in value]


def _label(raw: Mapping[str, Any]) -> str:
    fixed = [str(raw[part]) for part in ("degree", "where", "age") if raw.get(part)]
    return " ".join([*fixed, str(raw["name"])])
