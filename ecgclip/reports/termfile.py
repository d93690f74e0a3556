"""The term file: which words, in German, Swedish and English, mean which finding."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from ecgclip.errors import DataError
from ecgclip.reports.finding import Finding

__all__ = [
    "LANGUAGES",
    "TAKES",
    "TERMS",
    "Entry",
    "Term",
    "TermFile",
    "expand",
    "fold",
    "load_terms",
    "read_tree",
    "words_of",
]

LANGUAGES = ("de", "en", "sv")
TERMS = Path(__file__).with_name("terms.yaml")
TAKES = ("where", "age", "degree", "nonspecific")

_FOLD = str.maketrans(
    {"ä": "a", "å": "a", "à": "a", "á": "a", "ö": "o", "ó": "o", "ø": "o", "ü": "u"}
    | {"é": "e", "è": "e", "ß": "ss", "æ": "a", "#": "u"}
)
_DIGRAPH = re.compile(r"(?<=[a-z])?([aou])e")
WORD = re.compile(r"[^\W_]+(?:#[^\W_]*)*(?:\((?:n|s|t|en|er|e|a)\))?|#[^\W_]+", re.UNICODE)
_GROUP = re.compile(r"\(([^()]*)\)")


@dataclass(frozen=True, eq=False)
class Entry:
    """One finding of the term file.

    Attributes:
        name: canonical English name.
        where: fixed place, empty for most.
        degree: fixed degree, such as ``"first degree"``.
        age: fixed age.
        certainty: fixed certainty, ``""`` where the report decides.
        takes: which attributes the report may add: ``where``, ``age``, ``degree``, ``nonspecific``.
        subject: the wave or segment that the finding is about, so that "t waves are … inverted" is read.
        in_leads: a place follows the name and is read off leads.
        corpus_term: known only because a corpus uses it; kept out of simulated reports.
        wordings: by language, as written in the file.
        said: words that mean this finding once its subject is named, by language.
        corpus: wordings, any language, that are there only because a corpus uses them.
    """

    name: str
    where: tuple[str, ...] = ()
    degree: str = ""
    age: str = ""
    certainty: str = ""
    takes: frozenset[str] = frozenset()
    subject: str = ""
    in_leads: bool = False
    corpus_term: bool = False
    wordings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    said: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    corpus: tuple[str, ...] = ()

    @property
    def phrase(self) -> str:
        """The canonical phrase of the finding with nothing added."""
        finding = Finding(self.name, self.where, self.degree, self.age, in_leads=self.in_leads)
        return finding.phrase()

    @property
    def key(self) -> tuple[str, tuple[str, ...], str, str]:
        """What makes two entries the same finding."""
        return self.name, self.where, self.degree, self.age


@dataclass(frozen=True)
class Term:
    """What a run of words means.

    Attributes:
        kind: ``finding``, ``subject``, ``predicate``, ``wall``, ``age``, ``certainty``, ``degree``,
            ``negation``, ``join``, ``or``, ``leads``, ``same``, ``but``, ``small`` or ``remark``.
        value: the name of the attribute, subject or wall.
        side: ``before``, ``after`` or ``either``: where the finding stands that an attribute belongs to.
        entry: the finding, for kind ``finding``.
    """

    kind: str
    value: str = ""
    side: str = "either"
    entry: Entry | None = None


@dataclass(frozen=True)
class TermFile:
    """The term file, read.

    Attributes:
        path: where it lies.
        entries: the findings in order.
        terms: every wording (unexpanded) with its language (``""`` for any) and meaning.
        spellings: folded misspelling to folded word.
        abbreviations: folded words after which a stop does not end a statement.
        kinds: the kinds of each finding, by its name.
    """

    path: Path
    entries: tuple[Entry, ...]
    terms: tuple[tuple[str, str, Term], ...]
    spellings: Mapping[str, str]
    abbreviations: frozenset[str]
    kinds: Mapping[str, tuple[str, ...]]


@lru_cache(maxsize=65536)
def fold(word: str) -> str:
    """Bring one word to the form in which words are compared.

    Lower case; umlauts and their two-letter forms are one (``ü``, ``ue``, ``u``); ``extrasystole(n)`` is
    ``extrasystole`` and ``qrs(t)`` is ``qrst``.
    """
    word = word.lower()
    if word.endswith(")"):
        stem, _, ending = word[:-1].partition("(")
        word = stem + ending if ending == "t" else stem
    return _DIGRAPH.sub(r"\1", word.translate(_FOLD))


def words_of(text: str) -> tuple[str, ...]:
    """Split a wording into folded words."""
    return tuple(fold(found) for found in WORD.findall(text))


def expand(wording: str) -> Iterator[str]:
    """Write out the alternatives of a wording: ``a (b|c|) d`` gives ``a b d``, ``a c d``, ``a d``."""
    found = _GROUP.search(wording)
    if found is None:
        yield " ".join(wording.split())
        return
    for choice in found.group(1).split("|"):
        yield from expand(wording[: found.start()] + choice + wording[found.end() :])


def load_terms(path: str | Path | None = None) -> TermFile:
    """Read a term file; the shipped one by default.

    Raises:
        DataError: if it is absent, no YAML, or lacks a part that the reader needs.
    """
    path = TERMS if path is None else Path(path)
    return _load(path, path.stat().st_mtime_ns if path.exists() else 0)


@lru_cache(maxsize=4)
def _load(path: Path, _stamp: int) -> TermFile:
    tree = read_tree(path)
    try:
        return _build(path, tree)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(
            f"term file {path}: {error} could not be read as a term; mend what lint_terms names"
        ) from error


def read_tree(path: Path) -> dict[str, Any]:
    """Read the YAML of a term file.

    Raises:
        DataError: if the file is absent or no YAML mapping.
    """
    import yaml

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # plain strings only: `no` and `on` are words here
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    except (OSError, UnicodeError) as error:
        raise DataError(f"term file {path} cannot be read: {error}; name a UTF-8 YAML file") from error
    except yaml.YAMLError as error:
        raise DataError(f"term file {path} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(tree, dict):
        raise DataError(f"term file {path} holds {type(tree).__name__}, expected a mapping with `findings:`")
    return tree


def _build(path: Path, tree: Mapping[str, Any]) -> TermFile:
    entries = tuple(_entry(raw) for raw in tree["findings"])
    terms: list[tuple[str, str, Term]] = []
    for entry in entries:
        terms += _finding_terms(entry)
    for kind in ("walls", "ages", "certainties", "degrees", "negations", "subjects"):
        for raw in tree.get(kind, ()):
            term = Term(_KIND[kind], str(raw["name"]), str(raw.get("side", "either")))
            terms += [(text, language, term) for language, text in _wordings(raw)]
    for kind, listed in dict(tree.get("small_words", {})).items():
        terms += [(text, language, Term(kind)) for language in listed for text in listed[language] or ()]
    remarks = tree.get("remarks", {})
    terms += [(text, language, Term("remark")) for language in remarks for text in remarks[language] or ()]
    spellings = {
        fold(str(wrong)): fold(str(right))
        for right, wrongs in dict(tree.get("spellings", {})).items()
        for wrong in wrongs
    }
    abbreviations = frozenset(fold(str(word)) for word in tree.get("abbreviations", ()))
    kinds: dict[str, tuple[str, ...]] = {}
    for raw in tree.get("kinds", ()):
        for name in _tuple(raw["of"]):
            kinds[name] = (*kinds.get(name, ()), str(raw["name"]))
    return TermFile(path, entries, tuple(terms), spellings, abbreviations, kinds)


_KIND = {
    "walls": "wall",
    "ages": "age",
    "certainties": "certainty",
    "degrees": "degree",
    "negations": "negation",
    "subjects": "subject",
}


def _entry(raw: Mapping[str, Any]) -> Entry:
    takes = raw.get("takes", ())
    return Entry(
        name=str(raw["name"]),
        where=_tuple(raw.get("where", ())),
        degree=str(raw.get("degree", "")),
        age=str(raw.get("age", "")),
        certainty=str(raw.get("certainty", "")),
        takes=frozenset(_tuple(takes)),
        subject=str(raw.get("subject", "")),
        in_leads=raw.get("in_leads") == "true",
        corpus_term=raw.get("corpus_term") == "true",
        wordings={language: _tuple(raw.get(language) or ()) for language in LANGUAGES},
        said={language: _tuple(words or ()) for language, words in dict(raw.get("said") or {}).items()},
        corpus=_tuple(raw.get("corpus") or ()),
    )


def _tuple(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(str(item) for item in value)


def _wordings(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for language in LANGUAGES:
        for text in _tuple(raw.get(language) or ()):
            yield language, text
    for text in _tuple(raw.get("corpus") or ()):
        yield "", text


def _finding_terms(entry: Entry) -> Iterator[tuple[str, str, Term]]:
    term = Term("finding", entry.name, entry=entry)
    for language in LANGUAGES:
        for text in entry.wordings.get(language, ()):
            yield text, language, term
    for text in entry.corpus:
        yield text, "", term
    yield entry.phrase, "en", term
    for language, texts in entry.said.items():
        for text in texts:
            yield text, language, Term("predicate", entry.subject, entry=entry)
