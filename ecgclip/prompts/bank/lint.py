"""What is wrong with a bank of phrases.

A phrase that names another label of its set, or denies its own, makes a zero-shot score contradict its label,
and no metric tells. `lint_bank` reads a bank word by word and lists such faults; an empty list means none
found.
"""

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from ecgclip.errors import DataError, UsageError

from .bank import BANKS, PromptBank
from .entries import NAMING_KINDS, Label, Phrase
from .naming import Names, names_several, words
from .schema import read_faults

__all__ = ["check_bank", "lint_bank", "lint_file", "sound_bank"]

FEWEST_PHRASES = 3
LANGUAGES_NEEDED = ("en", "de")

_LONGEST = 16  # words
_CHATTER = re.compile(
    r"let me know|i hope|as an ai|feel free|here (is|are)\b|^(sure|certainly|of course)\b|meets? your"
    r"|requirements|please|for example|the following|note that|bitte|gerne|hier (ist|sind)\b|https?:"
    r"|\*\*|```|[\n!?{}<>]"
    r"|^['\"].*['\"]$|^[-*•\d]+[.)]?\s|:$",
    re.IGNORECASE,
)
_LOST_NOUN = {
    "": ("in", "of", "with", "for", "and", "or", "to", "from", "at", "on", "by"),
    "en": ("in", "of", "with", "for", "and", "or", "to", "from", "at", "on", "by"),
    "de": ("in", "im", "bei", "mit", "von", "vom", "und", "oder", "an", "am", "zu"),
    "sv": ("i", "vid", "med", "av", "och", "eller", "på", "till"),
}
_DENIES_BEFORE = re.compile(
    r"\b(no|not|non|without|absen\w*|exclud\w*|rule[ds]? out|den(y|ies)|unlikely"
    r"|kein\w*|nicht|ohne|fehlend\w*|ausschluss|ausgeschlossen\w*|ej|inte|ingen|inget|inga|utan)\s*$"
)
_DENIES_AFTER = re.compile(
    r"^\s*((is|are|was|ist|sind)\s+)?(absent|excluded|ruled out|unlikely|not (present|seen|excluded)"
    r"|cannot be|ausgeschlossen|fehlt|fehlen|nicht|unwahrscheinlich|saknas|utesluts|ej)\b"
)


def lint_bank(bank: PromptBank, label_set_codes: Iterable[str] | None = None) -> list[str]:
    """List the faults of a bank, one sentence each; an empty list means that none was found.

    Checked: a phrase shared by two labels, a phrase that names another label or something that its label
    excludes, a phrase that denies its own label, a lost noun, chatter, an empty phrase; against a label set,
    unknown codes and missing labels; in banks from files also language, kind, source, a name in English and
    German, and at least three names, synonyms or abbreviations in each of the two.

    Args:
        bank: any bank; one made of a plain dict is not asked for languages and sources.
        label_set_codes: the codes of the label set that the bank is for.
    """
    return [f"{bank.name}: {fault}" for fault, _ in _found(bank, label_set_codes)]


def check_bank(bank: PromptBank, label_set_codes: Iterable[str] | None = None) -> None:
    """Refuse a bank whose phrases contradict their labels; warn of what is only thin or long.

    Thin: fewer phrases than the shipped banks have, or none in a language. Long: a phrase of more words than a
    statement has. In a plain dict, which has no place to say that a label may name another one, a longer name
    that begins with another label's ("ST elevation myocardial infarction") is a warning too.

    Raises:
        DataError: the first fault, and how many more there are.
    """
    found = list(_found(bank, label_set_codes))
    for grave, tell in ((True, _refuse), (False, _warn)):
        faults = [f"prompt bank {bank.name}: {fault}" for fault, is_grave in found if is_grave == grave]
        if faults:
            more = f" (and {len(faults) - 1} more: lint_bank lists them)" if len(faults) > 1 else ""
            tell(f"{faults[0]}{more}")


def sound_bank(labels: str | Path | PromptBank | Mapping[str, Sequence[str]]) -> PromptBank:
    """Make a bank of whatever names one, and refuse it where it is faulty; shipped banks are known to be sound.

    Raises:
        UsageError: an unknown name, or something that is no bank.
        DataError: a faulty bank.
    """
    if isinstance(labels, PromptBank):
        bank = labels
    elif isinstance(labels, Mapping):
        bank = PromptBank.from_dict(labels)
    elif isinstance(labels, (str, Path)):
        bank = PromptBank.load(labels)
    else:
        raise UsageError(
            f"labels must be a label set's name, a PromptBank or a dict of phrases, got {type(labels).__name__}"
        )
    if not (isinstance(labels, str) and labels in BANKS):
        check_bank(bank)
    return bank


def _refuse(message: str) -> None:
    raise DataError(message)


def _warn(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=5)  # who made the classifier


def lint_file(path: str | Path, label_set_codes: Iterable[str] | None = None) -> list[str]:
    """List the faults of a bank file: those of its form, each with its line, then those of its phrases."""
    bank, faults = read_faults(path)
    return faults if bank is None else [*faults, *lint_bank(bank, label_set_codes)]


def _found(bank: PromptBank, label_set_codes: Iterable[str] | None) -> Iterator[tuple[str, bool]]:
    """Yield every fault, and whether scores would contradict a label by it."""
    if label_set_codes is not None:
        yield from ((fault, True) for fault in _codes(bank, tuple(label_set_codes)))
    yield from ((fault, True) for fault in _shared(bank))
    names = Names(bank.entries)
    for label in bank.entries:
        for fault, grave in _of_label(label, bank, names):
            yield f"label {label.code}: {fault}", grave


def _of_label(label: Label, bank: PromptBank, names: Names) -> Iterator[tuple[str, bool]]:
    if not label.phrases:
        yield "has no phrases", True
    if bank.strict:
        yield from ((fault, False) for fault in (*_stated(label), *_amount(label)))
    yield from ((fault, True) for fault in _related(label))
    for phrase in label.phrases:
        yield from ((fault, True) for fault in _form(phrase))
        yield from ((fault, False) for fault in _length(phrase))
        grave = bank.strict or names_several(phrase.text)
        yield from ((fault, grave) for fault in _other_labels(phrase, label, names))
        yield from ((fault, True) for fault in _denial(phrase, label))


def _codes(bank: PromptBank, codes: tuple[str, ...]) -> list[str]:
    unknown = [
        f"unknown code {code}: the label set has no such label{_near(code, codes)}"
        for code in bank.labels
        if code not in codes
    ]
    missing = [f"label {code} of the label set has no phrases" for code in codes if code not in bank.labels]
    return unknown + missing


def _near(code: str, codes: Sequence[str]) -> str:
    near = get_close_matches(code, codes, n=3, cutoff=0.5)
    return f"; did you mean {', '.join(near)}?" if near else ""


def _shared(bank: PromptBank) -> list[str]:
    owners: dict[tuple[str, ...], str] = {}
    faults = []
    for label in bank.entries:
        for phrase in label.phrases:
            key = words(phrase.text)
            owner = owners.setdefault(key, label.code)
            if key and owner != label.code:
                faults.append(f"the phrase {phrase.text!r} is shared by the labels {owner} and {label.code}")
    return faults


def _stated(label: Label) -> list[str]:
    faults = []
    for phrase in label.phrases:
        for key in ("lang", "kind", "source"):
            if not getattr(phrase, key):
                faults.append(f"the phrase {phrase.text!r} has no {key}")
    return faults


def _amount(label: Label) -> list[str]:
    faults: list[str] = []
    for lang in LANGUAGES_NEEDED:
        spoken = [p for p in label.phrases if p.lang == lang and p.kind in NAMING_KINDS]
        if len({words(phrase.text) for phrase in spoken}) < FEWEST_PHRASES:
            faults.append(f"has fewer than {FEWEST_PHRASES} distinct names and synonyms with lang {lang}")
        if not any(phrase.kind in ("name", "scp") for phrase in spoken):
            faults.append(f"has no phrase of kind name with lang {lang}")
    return faults


def _related(label: Label) -> list[str]:
    faults = [f"both excludes {code} and may name it" for code in label.may_name if code in label.excludes]
    if label.code in label.excludes:
        faults.append("excludes itself")
    denied = [phrase for phrase in label.negation if not words(phrase.text)]
    same = {words(phrase.text) for phrase in label.phrases}
    faults += ["has an empty negation" for _ in denied]
    faults += [
        f"the negation {p.text!r} is a phrase of the label" for p in label.negation if words(p.text) in same
    ]
    return faults


def _form(phrase: Phrase) -> list[str]:
    tokens = words(phrase.text)
    if not tokens:
        return ["has an empty phrase"]
    faults = []
    if phrase.kind != "scp" and _CHATTER.search(phrase.text):
        faults.append(f"{phrase.text!r} is not a short clinical statement (chatter or a list)")
    if phrase.text.lower().split()[0] in _LOST_NOUN.get(phrase.lang, ()):
        faults.append(f"{phrase.text!r} begins with a preposition: its noun was lost")
    return faults


def _length(phrase: Phrase) -> list[str]:
    if phrase.kind == "scp" or len(words(phrase.text)) <= _LONGEST:
        return []
    return [f"{phrase.text!r} is not a short clinical statement (more than {_LONGEST} words)"]


def _other_labels(phrase: Phrase, label: Label, names: Names) -> list[str]:
    faults = [
        f"{phrase.text!r} names {code} ({said!r})"
        for code, said in names.others(phrase, label)
        if code not in label.may_name
    ]
    for item, wordings in label.forbidden.items():
        for said in names.forbidden(phrase, label, wordings, verbatim=wordings == (item,)):
            faults.append(f"{phrase.text!r} says {said!r}, which the label excludes ({item})")
    return faults


def _denial(phrase: Phrase, label: Label) -> list[str]:
    names = [name.lower() for name in _own_names(phrase, label)]
    for clause in re.split(r"[,;.]\s", phrase.text.lower()):
        for name in names:
            before, said, after = clause.partition(name)
            if said and (_DENIES_BEFORE.search(_without_articles(before)) or _DENIES_AFTER.search(after)):
                return [f"{phrase.text!r} denies the label itself"]
    return []


def _without_articles(text: str) -> str:
    return re.sub(r"(\b(a|an|any|the|of|evidence|sign|signs|hinweis|auf|für|der|die|das)\b\s*)+$", "", text)


def _own_names(phrase: Phrase, label: Label) -> Sequence[str]:
    said = [other.text for other in label.phrases if other.kind in NAMING_KINDS and other.text != phrase.text]
    return [label.name, *said]
