"""Turns the sections of a recipe into objects: the only place that knows both."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ecgclip.alignment import LocalAlignment, Objective, Term, WeightedTerm
from ecgclip.corpora import Corpus, Progress, Store, open_corpus, prepare, simulate
from ecgclip.corpora.simulated import simulator_version
from ecgclip.errors import DataError, UsageError
from ecgclip.models import ECGTextModel, LocalReadout, ModelConfig
from ecgclip.reports import train_wordpiece
from ecgclip.signals import Augmentation, Preprocessor

from .batches import TrainingTexts, statement_lists
from .recipe import Local, LocalTerm, OnDisk, Recipe, Simulated, build_term, refuse_term
from .validation import ValidationSet

__all__ = [
    "Parts",
    "build_corpus",
    "build_model",
    "build_objective",
    "build_parts",
    "build_preprocessor",
    "build_store",
    "check_objective",
    "store_path",
]

Rows = npt.NDArray[np.int64]

_TERMS = 7919  # keeps what terms draw apart from what the model draws
_READ_KINDS = ("infonce", "statements", "local", "learned_beats")  # the others see the sampled reports alone


@dataclass(frozen=True, eq=False)
class Parts:
    """The training and the validation part of a store, with their texts.

    Attributes:
        store: the prepared store.
        rows: positions of the training recordings.
        texts: their statements.
        held: the validation part.
        without_report: training recordings whose report says nothing.
    """

    store: Store
    rows: Rows
    texts: TrainingTexts
    held: ValidationSet
    without_report: int


def build_preprocessor(recipe: Recipe) -> Preprocessor:
    """Build the preprocessor of a recipe."""
    section = recipe.preprocessing
    return Preprocessor(fs=section.fs, band=section.band, order=section.order)


def build_corpus(recipe: Recipe, data: str | Path | None) -> Corpus:
    """Open the corpus of a recipe; ``data`` stands in for its path.

    Raises:
        UsageError: no path is given anywhere.
        DataError: the corpus cannot be read.
    """
    section = recipe.data.corpus
    if isinstance(section, Simulated):
        if data is not None:
            raise UsageError(
                f"recipe {recipe.name} simulates its corpus: leave out --data, or give a prepared store"
            )
        return simulate(n=section.n, seed=section.seed, fs=recipe.preprocessing.fs)
    path = data if data is not None else section.path
    if path is None:
        raise UsageError(f"recipe {recipe.name}: corpus {section.kind} needs its folder: give --data PATH")
    return open_corpus(section.kind, path, allow_missing=section.allow_missing)


def store_path(recipe: Recipe, data: str | Path | None) -> Path:
    """Where the prepared store of a recipe lies: ``data.store``, or ``stores/<corpus>-<key>``."""
    if recipe.data.store is not None:
        return Path(recipe.data.store)
    section = recipe.data.corpus
    if isinstance(section, Simulated):
        key = f"{build_preprocessor(recipe).hash[:6]}-{simulator_version()[:6]}"
        return Path("stores") / f"simulated-{section.n}-{section.seed}-{key}"
    where = str(Path(str(data if data is not None else section.path)).resolve())
    key = hashlib.sha256(f"{where}:{build_preprocessor(recipe).hash}".encode()).hexdigest()[:6]
    return Path("stores") / f"{section.kind}-{key}"


def build_store(
    recipe: Recipe, data: str | Path | None, progress: Callable[[Progress], None] | None
) -> Store:
    """Open the prepared store of a recipe, or prepare it; ``data`` may be a store itself.

    Raises:
        DataError: a store prepared in another way, or a corpus that cannot be read.
    """
    preprocessor = build_preprocessor(recipe)
    if data is not None and (Path(data) / "manifest.json").is_file():
        store = Store.open(data)
        if store.preprocessor.hash != preprocessor.hash:
            raise DataError(
                f"{data}: prepared with preprocessor {store.preprocessor.hash}, and the recipe asks for "
                f"{preprocessor.hash}: prepare it again or change preprocessing in the recipe"
            )
        return store
    corpus = build_corpus(recipe, data)
    return prepare(
        corpus, preprocessor, store_path(recipe, data), workers=recipe.data.workers, progress=progress
    )


def _rows(store: Store, split: str, folds: tuple[int, ...] | None, recipe: Recipe) -> Rows:
    if folds is not None:
        return store.indices(folds=folds)
    try:
        return store.indices(split=split)
    except DataError:
        section = recipe.data.corpus
        hint = " (give the manifest a split column)" if isinstance(section, OnDisk) else ""
        raise DataError(f"{store.path}: the {split} split is empty{hint}: a training needs one") from None


def build_parts(recipe: Recipe, store: Store) -> Parts:
    """Split a store and read its reports.

    Raises:
        DataError: a split is empty, splits share a recording, or no report says anything.
    """
    rows = _rows(store, "train", recipe.data.train_folds, recipe)
    held = _rows(store, "validation", recipe.data.validation_folds, recipe)
    if np.intersect1d(rows, held).size:
        raise DataError("data: train_folds and validation_folds share a fold: they must be distinct")
    lists = statement_lists(store.table, recipe.reports.findings)
    texts = TrainingTexts(
        [lists[k] for k in rows],
        sampling=recipe.reports.statement_sampling,
        places_dropped=recipe.reports.places_dropped if recipe.reports.findings != "raw" else 0.0,
        kinds=recipe.reports.kinds,
    )
    if not texts.vocabulary:
        raise DataError(
            f"{store.path}: no report of the training part says anything: pretraining needs reports"
        )
    empty = sum(not len(row) for row in texts.rows)
    return Parts(store, rows, texts, ValidationSet.of(store, held, [lists[k] for k in held]), empty)


def build_model(recipe: Recipe, texts: TrainingTexts) -> ECGTextModel:
    """Build the model, its weights drawn from the recipe's seed, or started from another model.

    Raises:
        DataError: ``start_from`` is of another shape or prepared in another way.
    """
    preprocessor = build_preprocessor(recipe)
    if recipe.start_from is not None:
        model = ECGTextModel.from_pretrained(recipe.start_from)
        _refuse_other_shape(recipe, model)
        familiar, findings = texts.counts(), recipe.reports.findings
        model.config = replace(model.config, familiar=familiar, findings=findings, bank=())
        return model
    section = recipe.model
    text = section.text.model_dump()
    if text["kind"] == "bag":
        text["tokenizer"] = train_wordpiece(
            [t for row in texts.rows for t in (texts.vocabulary[k] for k in row)], recipe.reports.vocabulary
        )
    config = ModelConfig(
        dim=section.dim,
        signal=section.signal.model_dump(),
        text=text,
        local=None if section.local is None else _local(recipe),
        findings=recipe.reports.findings,
        familiar=texts.counts(),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return ECGTextModel(config, preprocessor)


def _refuse_other_shape(recipe: Recipe, model: ECGTextModel) -> None:
    """A model to start from must be what the recipe asks for: the recipe's word holds, or nobody's."""
    section = recipe.model
    local, there = None if section.local is None else _local(recipe), model.config.local
    wanted: list[tuple[str, Any, Any]] = [
        ("preprocessing", build_preprocessor(recipe).to_dict(), model.preprocessor.to_dict()),
        ("reports.findings", recipe.reports.findings, model.config.findings),
        ("model.dim", section.dim, model.config.dim),
        ("model.signal", section.signal.model_dump(), dict(model.config.signal)),
        ("model.local", local, None if there is None else {**Local().model_dump(), **there}),
    ]
    wanted += [
        (f"model.text.{key}", value, model.config.text.get(key))
        for key, value in section.text.model_dump().items()
    ]
    for key, asked, found in wanted:
        if asked != found:
            raise DataError(
                f"start_from {recipe.start_from}: {key} is {found!r} there and {asked!r} in the recipe: use "
                "the same"
            )


def _local(recipe: Recipe) -> dict[str, Any]:
    """Arguments of the local branch; it gives tokens where a term looks at them, and beats always."""
    tokens = any(isinstance(term, LocalTerm) and term.scale == "token" for term in recipe.objective)
    return {**(recipe.model.local or Local()).model_dump(), "tokens": tokens}


def check_objective(recipe: Recipe) -> None:
    """Refuse an objective that the recipe's model cannot serve, before anything is read or trained.

    Raises:
        UsageError: no term, a term that needs what the model lacks, or kinds of findings that no term reads.
    """
    if not recipe.objective:
        raise UsageError(f"recipe {recipe.name}: objective has no term: give at least one")
    if recipe.reports.kinds and not any(term.kind in _READ_KINDS for term in recipe.objective):
        raise UsageError(
            f"recipe {recipe.name}: no term of the objective reads what reports.kinds gives: add one of "
            f"{', '.join(_READ_KINDS)}, or set it to false"
        )
    for section in recipe.objective:
        if isinstance(section, LocalTerm):
            if recipe.model.local is None:
                raise UsageError(f"recipe {recipe.name}: a local term needs model.local, and it is null")
        else:
            refuse_term(section, recipe.name, recipe.model)


def build_objective(recipe: Recipe, model: ECGTextModel) -> tuple[Objective, tuple[LocalReadout, ...]]:
    """Build the objective for ``model``, and the local scores that join the global one.

    The parameters that terms have of their own are drawn from the recipe's seed.

    Raises:
        UsageError: no term, or a term that needs what the model lacks.
    """
    check_objective(recipe)
    parts: list[WeightedTerm] = []
    readouts: list[LocalReadout] = []
    term: Term
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed + _TERMS)
        for section in recipe.objective:
            if isinstance(section, LocalTerm):
                term, readout = _local_term(section)
                if section.joins:
                    readouts.append(readout)
            else:
                term = build_term(section, model)
            parts.append(WeightedTerm(term, section.weight))
    return Objective(parts), tuple(readouts)


def _local_term(section: LocalTerm) -> tuple[LocalAlignment, LocalReadout]:
    """A local term and the readout that it trains: what is read out in zero-shot goes to the readout."""
    readout = LocalReadout(
        **{name: getattr(section, name) for name in LocalReadout.__dataclass_fields__}  # same names in both
    )
    term = LocalAlignment(
        readout, mode=section.mode, iterations=section.iterations, chunk_mib=section.chunk_mib
    )
    return term, readout


def build_augmentation(recipe: Recipe) -> Augmentation:
    """Build the augmentation of a recipe."""
    values: dict[str, Any] = recipe.augmentation.model_dump()
    return Augmentation(**values)
