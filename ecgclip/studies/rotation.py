"""The rotation: every fold is a test part once, and variants are compared on all of them.

Fold k is the test part, the next fold (cyclic) validates, the others train; the seed of a training follows from
the study's seed and the fold, so that variants differ in what their recipes say and in nothing else. All cells
read one prepared store. AUROC is taken within each fold and then averaged; scores of different models are
never pooled. A label counts in the folds that hold ten positives and ten negatives of it.
"""

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecgclip.errors import DataError, UsageError
from ecgclip.training.journal import duration
from ecgclip.training.recipe import Recipe, load_recipe
from ecgclip.training.run_folder import write_json

from .rotation_cell import Cell, CellJob, cell_job, run_cell

if TYPE_CHECKING:
    import pandas as pd

    from ecgclip.corpora import Store

__all__ = ["Rotation", "rotate", "rotate_all"]

ALL_FOLDS = tuple(range(1, 11))


@dataclass(frozen=True)
class Rotation:
    """One variant's cells, one a test fold.

    Attributes:
        name: of the variant.
        cells: by test fold.
    """

    name: str
    cells: Mapping[int, Cell]

    @classmethod
    def open(cls, path: str | Path) -> "Rotation":
        """Open what ``rotate`` wrote: a file that names the cells.

        Raises:
            DataError: the file is no rotation.
        """
        file = Path(path)
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            cells = {int(fold): Cell(file.parent / where) for fold, where in found["cells"].items()}
            return cls(str(found["rotation"]), cells)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{file}: is no rotation ({error}): give the JSON file that it wrote") from None

    def scores(self, table: str = "scores") -> "pd.DataFrame":
        """Scores of all folds, ``scores`` or ``probe``; the column ``fold`` tells them apart."""
        import pandas as pd

        return pd.concat([self.cells[fold].scores(table) for fold in sorted(self.cells)], ignore_index=True)

    def figures(self) -> dict[str, Any]:
        """The figures of each fold and their means over folds."""
        records = {fold: self.cells[fold].record for fold in sorted(self.cells)}
        return {
            "folds": {str(fold): _short(record) for fold, record in records.items()},
            "mean": _mean_of([_short(record) for record in records.values()]),
        }


def _short(record: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a cell that tables show, flat."""
    found: dict[str, Any] = {"macro": record["mean"]}
    found |= {name: each["macro"] for name, each in record["sets"].items()}
    for group, rows in record["findings"].items():
        values = [row["auroc"] for row in rows.values() if row["counted"]]
        found[group] = float(np.mean(values)) if values else None
        found |= {code: row["auroc"] if row["counted"] else None for code, row in rows.items()}
    for fraction, row in record["probe"].items():
        percent = f"{100 * float(fraction):g}"
        found |= {f"probe-{percent}:{name}": value for name, value in row.items() if name != "mean"}
        found[f"probe-{percent}"] = row["mean"]
    for direction, row in record["retrieval"].items():
        found[f"{direction} recall@10"] = row["recall@10"]
    return {**found, **{f"seconds:{key}": value for key, value in record["seconds"].items()}}


def _mean_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean of each figure over the folds in which it is defined."""
    found: dict[str, Any] = {}
    for key in dict.fromkeys(key for row in rows for key in row):
        values = [row[key] for row in rows if row.get(key) is not None]
        found[key] = float(np.mean(values)) if values else None
    return found


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


class _Stores:
    """The prepared store of each way of preparing, opened or made once."""

    def __init__(self, data: str | Path | None, say: Callable[[str], None]) -> None:
        self.data, self.say = data, say
        self.known: dict[str, Store] = {}

    def of(self, recipe: Recipe) -> "Store":
        from ecgclip.training.assembly import build_store
        from ecgclip.training.pretrain import preparation_line

        key = json.dumps([recipe.preprocessing.model_dump(), recipe.data.corpus.model_dump()], sort_keys=True)
        if key not in self.known:
            self.known[key] = build_store(recipe, self.data, preparation_line(self.say))
        return self.known[key]


def _run_all(planned: Mapping[tuple[int, str], CellJob], jobs: int, say: Callable[[str], None]) -> None:
    """Run what is not finished, equal cells once, and tell the time left."""
    names: dict[Path, list[str]] = {}
    for (_, name), job in planned.items():
        names.setdefault(job.folder, []).append(name)
    todo = {job.folder: job for job in planned.values() if not job.finished}
    say(f"{len(names)} cells, {len(names) - len(todo)} finished already")
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
    threads = max(1, (os.cpu_count() or 1) // jobs)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_few_threads, initargs=(threads,)) as pool:
        running = [pool.submit(run_cell, job) for job in todo]
        try:
            for each in as_completed(running):
                yield each.result().folder
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _few_threads(count: int) -> None:
    import torch

    torch.set_num_threads(count)
