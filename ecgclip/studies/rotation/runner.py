"""The rotation: every fold is a test part once, and variants are compared on all of them.

Fold k is the test part, the next fold (cyclic) validates, the others train; the seed of a training follows from
the study's seed and the fold, so that variants differ in what their recipes say and in nothing else. All cells
read one prepared store. AUROC is taken within each fold and then averaged; scores of different models are
never pooled. A label counts in the folds that hold ten positives and ten negatives of it.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgclip.corpora.processes import spread
from ecgclip.errors import DataError, UsageError
from ecgclip.training.journal import duration
from ecgclip.training.recipe import Recipe, load_recipe
from ecgclip.training.run_folder import write_json

from .cell import CellJob, cell_job, run_cell
from .kept import Cell, Rotation

if TYPE_CHECKING:
    from ecgclip.corpora import Store

__all__ = ["Rotation", "finished_rotation", "open_shared_store", "rotate", "rotate_all"]

ALL_FOLDS = tuple(range(1, 11))


def rotate(
    recipe: str | Path | Mapping[str, Any] | Recipe,
    data: str | Path | None,
    *,
    out: str | Path,
    folds: Iterable[int] = ALL_FOLDS,
    seed: int = 0,
    overrides: Mapping[str, Any] | None = None,
    name: str | None = None,
    jobs: int = 1,
    report: Callable[[str], None] | None = None,
) -> Rotation:
    """Train and measure one recipe on several test folds; what is finished already is kept.

    Args:
        recipe: a YAML file, a mapping or a ``Recipe``; its seed, store and folds are set here.
        data: the corpus on disk or a prepared store; the simulated corpus needs none.
        out: the study's folder; variants that share it share cells of equal recipes.
        folds: the test folds.
        seed: of the study; each fold has its own, keyed by it.
        overrides: values of the recipe by dotted key.
        name: of the variant; the recipe's by default.
        jobs: cells trained at once, each in a process of its own.
        report: told a line a cell, with the time left.

    Returns:
        The rotation, also written to ``out/<name>.rotation.json``.

    Raises:
        UsageError: a wrong recipe, or a fold that the store has not.
        DataError: the data or the folder cannot be used.
    """
    resolved = load_recipe(recipe, overrides)
    title = name or resolved.name
    return rotate_all({title: resolved}, data, out=out, folds=folds, seed=seed, jobs=jobs, report=report)[
        title
    ]


def rotate_all(
    variants: Mapping[str, Recipe],
    data: str | Path | None,
    *,
    out: str | Path,
    folds: Iterable[int] = ALL_FOLDS,
    seed: int = 0,
    jobs: int = 1,
    report: Callable[[str], None] | None = None,
) -> dict[str, Rotation]:
    """Rotate several variants over one store, fold by fold, so that a study broken off compares whole folds.

    Arguments and errors as in `rotate`.
    """
    wanted = tuple(dict.fromkeys(folds))
    if not variants or not wanted or jobs < 1:
        raise UsageError(
            f"{len(variants)} variants, {len(wanted)} folds, {jobs} jobs: at least one of each is needed"
        )
    say = report or (lambda line: None)
    folder = Path(out)
    stores = _Stores(data, say)
    planned = {
        (fold, name): cell_job(recipe, stores.of(recipe), fold=fold, seed=seed, out=folder)
        for fold in wanted
        for name, recipe in variants.items()
    }
    _run_all(planned, jobs, say)
    found = {}
    for name in variants:
        cells = {fold: Cell(planned[fold, name].folder) for fold in sorted(wanted)}
        found[name] = Rotation(name, cells)
        where = {str(fold): f"cells/{cell.folder.name}" for fold, cell in cells.items()}
        write_json(
            folder / f"{name}.rotation.json",
            {"rotation": name, "study_seed": seed, "cells": where, **found[name].figures()},
        )
    return found


def finished_rotation(
    name: str, recipe: Recipe, store: "Store", *, folds: Iterable[int], seed: int, out: str | Path
) -> Rotation:
    """The finished cells of a recipe among some folds, none of them computed now."""
    jobs = {fold: cell_job(recipe, store, fold=fold, seed=seed, out=Path(out)) for fold in folds}
    return Rotation(name, {fold: Cell(job.folder) for fold, job in jobs.items() if job.finished})


def open_shared_store(
    recipe: Recipe, data: str | Path | None, report: Callable[[str], None] | None = None
) -> "Store":
    """Open the store of a recipe, or prepare it; ``data`` may be a store.

    Raises:
        DataError: a patient is in two folds, or the data cannot be used.
    """
    from ecgclip.training.assembly import build_store
    from ecgclip.training.pretraining import preparation_line

    store = build_store(recipe, data, preparation_line(report or (lambda line: None)))
    _refuse_patients_in_two_folds(store)
    return store


class _Stores:
    """The prepared store of each way of preparing, opened or made once."""

    def __init__(self, data: str | Path | None, say: Callable[[str], None]) -> None:
        self.data, self.say = data, say
        self.known: dict[str, Store] = {}

    def of(self, recipe: Recipe) -> "Store":
        key = json.dumps([recipe.preprocessing.model_dump(), recipe.data.corpus.model_dump()], sort_keys=True)
        if key not in self.known:
            self.known[key] = open_shared_store(recipe, self.data, self.say)
        return self.known[key]


def _refuse_patients_in_two_folds(store: "Store") -> None:
    held = store.table.loc[store.table["fold"] > 0, ["patient_id", "fold"]].drop_duplicates()
    twice = held["patient_id"][held["patient_id"].duplicated()]
    if len(twice):
        folds = sorted(held["fold"][held["patient_id"] == twice.iloc[0]])
        raise DataError(
            f"{store.path}: {twice.nunique()} patients are in two folds (first: {twice.iloc[0]!r} in "
            f"{' and '.join(map(str, folds))}): a patient belongs to one fold"
        )


def _run_all(planned: Mapping[tuple[int, str], CellJob], jobs: int, say: Callable[[str], None]) -> None:
    """Run what is not finished, equal cells once, and tell the time left."""
    names: dict[Path, list[str]] = {}
    for (_, name), job in planned.items():
        names.setdefault(job.folder, []).append(name)
    todo = {job.folder: job for job in planned.values() if not job.finished}
    say(f"cells: {len(names)}, finished already: {len(names) - len(todo)}")
    began = time.monotonic()
    for count, folder in enumerate(_results(list(todo.values()), jobs, say), 1):
        record = Cell(folder).record
        spent = time.monotonic() - began
        mean = "-" if record["mean"] is None else f"{record['mean']:.3f}"
        say(
            f"cell {count} of {len(todo)} | fold {record['fold']} | {', '.join(names[folder])} | mean {mean} | "
            f"{duration(spent / count)} each | {duration(spent / count * (len(todo) - count))} left"
        )


def _results(todo: Sequence[CellJob], jobs: int, say: Callable[[str], None]) -> Iterator[Path]:
    if jobs == 1:
        for job in todo:
            say(f"trains fold {job.fold}: {job.folder}")
            yield run_cell(job).folder
        return
    apart = partial(_run_apart, threads=max(1, (os.cpu_count() or 1) // jobs))
    for _, folder in spread(apart, ((job.folder, job) for job in todo), jobs):
        yield folder


def _run_apart(job: CellJob, threads: int) -> Path:
    """Run a cell in a process of its own, which shares the processor with others."""
    import torch

    torch.set_num_threads(threads)
    return run_cell(job).folder
