"""Which wording of a label ranks recordings best: one table, one pass over the recordings."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ecgclip.corpora import label_set
from ecgclip.errors import DataError, UsageError, unknown_name
from ecgclip.models import readable_texts, take_split
from ecgclip.prompts.bank import Phrase, PromptBank
from ecgclip.prompts.classifier import PhraseMap, Places, Wording
from ecgclip.prompts.scoring import PhraseScores, joined, score_phrases

from .bootstrap import paired_bootstrap, scorable
from .metrics import Bools, auroc

if TYPE_CHECKING:
    from ecgclip.models import ECGTextModel

__all__ = ["PHRASE_KINDS", "phrase_kinds"]

Floats = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, kw_only=True)
class _Row:
    """One way to word labels.

    Attributes:
        says: what the table says of it.
        wording: how phrases are brought together.
        only: kind of phrase that is kept, ``bare`` for the display name; None for all.
    """

    says: str
    wording: Wording = field(default_factory=Wording)
    only: str | None = None


_ALONE = Wording(parts=False)
_UNPLACED = Wording(places=False)

PHRASE_KINDS: dict[str, _Row] = {
    "default": _Row(says="every phrase that names the finding, all languages, parts"),
    "name": _Row(says="the label's display name, one string a label", only="bare", wording=_ALONE),
    "scp": _Row(says="the SCP description, one string a label", only="scp", wording=_ALONE),
    "scp-parts": _Row(says="the SCP descriptions, super-labels from their parts too", only="scp"),
    "synonym": _Row(says="synonyms only", only="synonym"),
    "abbreviation": _Row(says="abbreviations only", only="abbreviation"),
    "description": _Row(says="clinical descriptions only (what one sees)", only="description"),
    "negation": _Row(says="the default less its negations", wording=Wording(negation=True)),
    "english": _Row(says="the default in English alone", wording=Wording(languages="en")),
    "german": _Row(says="the default in German alone", wording=Wording(languages="de")),
    "english-german": _Row(says="the default in both", wording=Wording(languages=("en", "de"))),
    "no-places": _Row(
        says="the default, findings at no place but those that phrases name", wording=_UNPLACED
    ),
    "no-parts": _Row(says="the default, super-labels by their own phrases alone", wording=_ALONE),
    "embedding": _Row(says="the default, averaged before scoring", wording=Wording(combine="embedding")),
}
"""Rows of the table; a label without a phrase of the row's kind keeps its display name, and is counted."""


@dataclass(frozen=True, eq=False)
class _Cell:
    """One row of one label set: which columns of the one pass it takes, and how many labels fell back."""

    map: PhraseMap
    first: int
    stop: int
    fallbacks: int


def phrase_kinds(
    model: "ECGTextModel",
    corpus: Any,
    labels: Sequence[str] = ("ptbxl-superclass", "ptbxl-subclass", "ptbxl-form", "ptbxl-rhythm"),
    *,
    split: str | None = "validation",
    rows: Sequence[str] | None = None,
    minimum: int = 10,
    draws: int = 1000,
    seed: int = 0,
    batch_size: int = 64,
    on_error: str = "mark",
) -> pd.DataFrame:
    """Macro AUROC of each kind of phrase by label set, and its distance from the default.

    Recordings are embedded and all phrases scored once; the rows differ in what they take from that.

    Args:
        model: the finished model.
        corpus: a corpus or a prepared store with codes.
        labels: the label sets.
        split: part of the corpus; None for all of it.
        rows: rows of `PHRASE_KINDS`; None for all. The default is always among them.
        minimum: positives and negatives that a label needs to count.
        draws: bootstrap draws over patients.
        seed: of the draws.
        batch_size: windows computed at once.
        on_error: ``mark`` leaves out a recording that cannot be read and names it in ``attrs['errors']``.

    Returns:
        One row a kind. A column a label set (macro AUROC), ``mean`` over the sets, ``difference`` of the mean to
        the default's with ``low`` and ``high`` (percentile 95 %, the same draws of patients), ``by_reports``,
        and ``fallbacks``, the labels that have no phrase of the kind. ``by_reports`` is the mean over sets with
        the reports' word for the truth: whether a report, as the reader reads it, states what one of the
        label's naming phrases states. It uses no label; NaN where the corpus has no reports.

    Raises:
        UsageError: an unknown row, label set or split.
        DataError: the corpus carries no such labels, or no recording could be read.
    """
    if not hasattr(corpus, "table"):
        raise UsageError(f"phrase_kinds needs a corpus or a store with labels, got {type(corpus).__name__}")
    wanted = _wanted(rows)
    part = take_split(corpus, split)
    banks = {name: PromptBank.load(name) for name in labels}
    table = part.table
    targets = {name: label_set(name).matrix(table) for name in labels}
    cells, vectors = _plan(model, banks, wanted)
    found = score_phrases(model, part, [], batch_size=batch_size, on_error=on_error, vectors=vectors)
    scores = _scores(found, cells, model)
    good = np.isfinite(scores[("default", labels[0])]).all(axis=1)
    if not good.any():
        raise DataError(f"none of the {len(table)} recordings could be read: {found.errors.get(0, '')}")
    kept = table[good].reset_index(drop=True)
    truth = {name: targets[name][good].astype(bool) for name in labels}
    stated = {name: _stated(banks[name], kept["report"].to_list()) for name in labels}
    good_scores = {key: value[good] for key, value in scores.items()}
    made = [
        {"kind": row}
        | _figures(row, good_scores, truth, stated, kept["patient_id"], minimum, draws, seed)
        | {"fallbacks": sum(cells[row, name].fallbacks for name in labels)}
        for row in wanted
    ]
    result: pd.DataFrame = pd.DataFrame(made).set_index("kind")
    ids = table["record_id"]
    result.attrs = {
        "says": {row: PHRASE_KINDS[row].says for row in wanted},
        "banks": {name: bank.hash for name, bank in banks.items()},
        "n": int(good.sum()),
        "scored": {name: int(scorable(truth[name], minimum).sum()) for name in labels},
        "stated": {name: int(scorable(stated[name], minimum).sum()) for name in labels},
        "split": split,
        "minimum": minimum,
        "draws": draws,
        "seed": seed,
        "errors": {str(ids.iloc[k]): why for k, why in found.errors.items()},
    }
    return result


def _wanted(rows: Sequence[str] | None) -> list[str]:
    wanted = list(PHRASE_KINDS if rows is None else dict.fromkeys(["default", *rows]))
    for row in wanted:
        if row not in PHRASE_KINDS:
            raise unknown_name("kind of phrase", row, PHRASE_KINDS)
    return wanted


def _plan(
    model: "ECGTextModel", banks: dict[str, PromptBank], rows: Sequence[str]
) -> tuple[dict[tuple[str, str], _Cell], tuple[Floats, Floats]]:
    """Lay out everything that must be scored, row after row."""
    cells: dict[tuple[str, str], _Cell] = {}
    parts: list[tuple[Floats, Floats]] = []
    start = 0
    for row in rows:
        for name, bank in banks.items():
            narrowed, fallbacks = _narrowed(bank, PHRASE_KINDS[row].only)
            made = PhraseMap.of(narrowed, model, PHRASE_KINDS[row].wording)
            parts.append(made.vectors(model.text_vectors(made.texts)))
            stop = start + len(parts[-1][0])
            cells[row, name] = _Cell(made, start, stop, fallbacks)
            start = stop
    return cells, (np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]))


def _narrowed(bank: PromptBank, only: str | None) -> tuple[PromptBank, int]:
    """Keep one kind of phrase of every label and part; a label without any keeps its display name."""
    if only is None:
        return bank, 0
    entries, fallbacks = [], 0
    for label in bank.entries:
        phrases = tuple(phrase for phrase in label.phrases if phrase.kind == only)
        parts = {part: tuple(p for p in found if p.kind == only) for part, found in label.parts.items()}
        fallbacks += not phrases and only != "bare"
        phrases = phrases or (Phrase(label.name, "en", "name"),)
        kept = {part: found for part, found in parts.items() if found}
        entries.append(replace(label, phrases=phrases, parts=kept))
    return replace(bank, entries=tuple(entries)), fallbacks


def _scores(
    found: PhraseScores, cells: dict[tuple[str, str], _Cell], model: "ECGTextModel"
) -> dict[tuple[str, str], Floats]:
    together = joined(found.parts, model.config)
    return {
        key: found.by_record(cell.map.labels(together[:, cell.first : cell.stop]), "max")
        for key, cell in cells.items()
    }


def _stated(bank: PromptBank, reports: Sequence[str]) -> Bools:
    """Whether each report states what some naming phrase of each label states, at any place: ``(n, n_labels)``."""
    said = [
        frozenset(readable_texts(report, "canonical")) if report.strip() else frozenset()
        for report in reports
    ]
    places = Places(Counter(text for report in said for text in report), least=1)
    found = np.zeros((len(reports), len(bank)), dtype=bool)
    for column, code in enumerate(bank.labels):
        groups = [bank.phrases(code), *bank.parts(code).values()]
        read = {readable_texts(p.text, "canonical") for group in groups for p in group} - {()}
        readings = {frozenset(reading) for reading in read}
        readings |= {frozenset((text,)) for reading in read for text in places.of(reading)}
        found[:, column] = [any(reading <= report for reading in readings) for report in said]
    return found


def _figures(
    row: str,
    scores: dict[tuple[str, str], Floats],
    truth: dict[str, Bools],
    stated: dict[str, Bools],
    patients: "pd.Series[str]",
    minimum: int,
    draws: int,
    seed: int,
) -> dict[str, Any]:
    names = list(truth)
    macro = {name: _macro(scores[row, name], truth[name], minimum) for name in names}
    compared = paired_bootstrap(
        np.hstack([scores[row, name] for name in names]),
        np.hstack([scores["default", name] for name in names]),
        np.hstack([truth[name] for name in names]),
        patients.to_numpy(),
        sets=[name for name in names for _ in range(truth[name].shape[1])],
        minimum=minimum,
        draws=draws,
        seed=seed,
    )
    by_reports = [_macro(scores[row, name], stated[name], minimum) for name in names]
    return macro | {
        "mean": compared.estimate_a,
        "difference": compared.difference,
        "low": compared.low,
        "high": compared.high,
        "by_reports": float(np.mean(by_reports)),
    }


def _macro(scores: Floats, truth: Bools, minimum: int) -> float:
    chosen = scorable(truth, minimum)
    return float(np.mean(auroc(scores[:, chosen], truth[:, chosen]))) if chosen.any() else float("nan")
