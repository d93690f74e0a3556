"""What a bank is made of: labels and their phrases, and their forms in plain dicts and JSON."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ecgclip.errors import DataError

__all__ = ["KINDS", "NAMING_KINDS", "Label", "Phrase"]

KINDS = ("name", "synonym", "abbreviation", "description", "scp")
"""Kinds of phrase: ``scp`` is the corpus' own wording, ``description`` says what one sees."""

NAMING_KINDS = ("name", "synonym", "abbreviation", "scp", "")
"""Kinds that name the finding; ``""`` is a phrase of a plain dict, whose kind nobody stated."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """One wording of a label: its text, its language (``""``: not stated), its kind and its source."""

    text: str
    lang: str = ""
    kind: str = ""
    source: str = ""


@dataclass(frozen=True)
class Label:
    """One label of a bank.

    Attributes:
        code: as the label set writes it.
        name: what a table shows.
        phrases: the label's own wordings.
        parts: the statements that a super-label is made of, each with its phrases.
        negation: wordings that say that the finding is not there.
        excludes: codes of labels and short wordings that no phrase of this label may contain.
        may_name: codes of findings that belong to this one's definition, so that its phrases may name them.
        forbidden: `excludes` spelled out: each excluded code or wording with the wordings it stands for.
    """

    code: str
    name: str
    phrases: tuple[Phrase, ...]
    parts: Mapping[str, tuple[Phrase, ...]] = field(default_factory=dict)
    negation: tuple[Phrase, ...] = ()
    excludes: tuple[str, ...] = ()
    may_name: tuple[str, ...] = ()
    forbidden: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def plain_label(bank: str, code: object, phrases: object) -> Label:
    """Make a label of one item of a plain dict.

    Raises:
        DataError: a label without a name or without phrases, or a phrase that is empty or not text.
    """
    if not isinstance(code, str) or not code.strip():
        raise DataError(f"prompt bank {bank!r}: a label must be a name, not {code!r}")
    listed = [phrases] if isinstance(phrases, str) else phrases
    if not isinstance(listed, (list, tuple)) or not listed:
        raise DataError(f"prompt bank {bank!r}: label {code!r} needs a list of phrases, not {phrases!r}")
    for number, text in enumerate(listed, 1):
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"prompt bank {bank!r}: phrase {number} of label {code!r} is empty or not text")
    return Label(code, code, tuple(Phrase(text) for text in dict.fromkeys(text.strip() for text in listed)))


def _phrase_state(phrases: Iterable[Phrase]) -> list[dict[str, str]]:
    return [{"text": p.text, "lang": p.lang, "kind": p.kind, "source": p.source} for p in phrases]


def label_state(label: Label) -> dict[str, Any]:
    """Give a label as JSON data."""
    return {
        "code": label.code,
        "name": label.name,
        "phrases": _phrase_state(label.phrases),
        "parts": {part: _phrase_state(found) for part, found in label.parts.items()},
        "negation": _phrase_state(label.negation),
        "excludes": list(label.excludes),
        "may_name": list(label.may_name),
        "forbidden": {key: list(words) for key, words in label.forbidden.items()},
    }


def label_from_state(state: Mapping[str, Any]) -> Label:
    """Make the label again that `label_state` gave.

    Raises:
        DataError: where something is missing or of another form.
    """
    try:
        return Label(
            code=state["code"],
            name=state["name"],
            phrases=tuple(Phrase(**phrase) for phrase in state["phrases"]),
            parts={part: tuple(Phrase(**p) for p in found) for part, found in state["parts"].items()},
            negation=tuple(Phrase(**phrase) for phrase in state["negation"]),
            excludes=tuple(state["excludes"]),
            may_name=tuple(state["may_name"]),
            forbidden={key: tuple(words) for key, words in state["forbidden"].items()},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"a stored prompt bank is damaged ({error!r}); save it again with to_dict") from None
