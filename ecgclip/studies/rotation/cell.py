"""One cell of a rotation: a recipe trained without a fold, then measured on that fold."""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecgclip.corpora.writing import whole_file
from ecgclip.errors import DataError, UsageError
from ecgclip.training import pretrain
from ecgclip.training.recipe import Recipe, load_recipe
from ecgclip.training.run_folder import Run, write_json

from .kept import DONE, Cell, read_record
from .scores import (
    FRACTIONS,
    fold_figures,
    localisation_figures,
    localisation_scores,
    outside_figures,
    probe_figures,
    probe_scores,
    protocol,
    retrieval_figures,
    zero_shot_scores,
)

if TYPE_CHECKING:
    from ecgclip.corpora import Store

__all__ = ["CellJob", "cell_job", "fold_parts", "fold_seed", "run_cell"]


def fold_parts(folds: tuple[int, ...], test: int) -> tuple[tuple[int, ...], int]:
    """Training folds and the validation fold of a test fold: the next one, cyclic; the others train.

    Raises:
        UsageError: the fold is none of the store's.
        DataError: fewer than three folds.
    """
    if len(folds) < 3:
        raise DataError(f"{len(folds)} folds: a rotation needs at least three (train, validation, test)")
    if test not in folds:
        raise UsageError(f"fold {test}: the store has folds {', '.join(map(str, folds))}")
    validation = folds[(folds.index(test) + 1) % len(folds)]
    return tuple(fold for fold in folds if fold not in (test, validation)), validation


def fold_seed(seed: int, fold: int) -> int:
    """Seed of a fold's training, the same for every variant: a hash of the study's seed and the fold."""
    return int.from_bytes(hashlib.sha256(f"rotation:{seed}:{fold}".encode()).digest()[:4], "big") >> 1


@dataclass(frozen=True)
class CellJob:
    """What is to be trained and measured; it can be handed to another process.

    Attributes:
        recipe: resolved, with the fold's parts and seed.
        fold: the test fold.
        study_seed: seed of the study, which the probes' draws follow too.
        store: the shared prepared store.
        folder: where the cell is kept; its name holds the fold and the hash of recipe, store and reader.
        fractions: shares of the training patients that are probed.
        outside: a corpus of CPSC 2018 recordings that is scored too.
    """

    recipe: Recipe
    fold: int
    study_seed: int
    store: Path
    folder: Path
    fractions: tuple[float, ...] = FRACTIONS
    outside: Path | None = None

    @property
    def protocol(self) -> dict[str, Any]:
        """What scores follow from beside the model."""
        outside = None if self.outside is None else self.outside.name
        return {**protocol(), "fractions": list(self.fractions), "outside": outside}

    @property
    def finished(self) -> bool:
        """Whether the cell was trained and measured by today's banks and protocol."""
        done = read_record(self.folder / DONE)
        return done is not None and done.get("protocol") == self.protocol


def cell_job(
    recipe: Recipe, store: "Store", *, fold: int, seed: int, out: Path, training_seed: int | None = None
) -> CellJob:
    """Resolve a recipe for one test fold; the same recipe and store are the same cell, whatever its name.

    Args:
        recipe: of the variant.
        store: shared by all cells.
        fold: the test fold.
        seed: of the study.
        out: the study's folder.
        training_seed: with it, the fold before the test fold validates (9 for 10, the usual split) and this is
            the training's seed; without, the rotation's rule holds for both.

    Raises:
        UsageError: the fold is none of the store's.
    """
    folds = tuple(sorted(int(k) for k in store.table["fold"].unique() if k > 0))
    train, validation = fold_parts(folds, fold) if training_seed is None else fold_parts(folds[::-1], fold)
    resolved = load_recipe(
        recipe,
        {
            "name": "cell",
            "seed": fold_seed(seed, fold) if training_seed is None else training_seed,
            "data.store": None,
            "data.train_folds": sorted(train),
            "data.validation_folds": [validation],
        },
    )
    folder = out / "cells" / f"fold-{fold:02d}-{_key(resolved, store)}"
    return CellJob(resolved, fold, seed, store.path, folder)


def _key(recipe: Recipe, store: "Store") -> str:
    """Twelve hexadecimal digits over what the weights follow from."""
    from ecgclip.corpora.store import reader_version

    values = recipe.to_dict()
    for name in ("store", "workers"):
        values["data"].pop(name)
    values["data"]["corpus"].pop("path", None)
    if recipe.start_from is not None:
        from ecgclip.models import ECGTextModel, model_hash

        values["start_from"] = model_hash(ECGTextModel.from_pretrained(recipe.start_from))
    text = json.dumps([values, store.hash, reader_version()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def run_cell(job: CellJob, report: Callable[[str], None] | None = None) -> Cell:
    """Train and measure a cell, or go on with it; a finished one is returned as it is.

    A training that was killed goes on from its last checkpoint; a trained model is never trained again, and is
    scored again only when banks or protocol have changed.
    """
    if job.finished:
        return Cell(job.folder)
    from ecgclip.corpora import Store

    said = report or (lambda line: None)
    run = pretrain(job.recipe, data=job.store, out=job.folder / "run", report=said)
    store = Store.open(job.store)
    began = time.monotonic()
    record = _measure(job, run, store)
    record["seconds"] = {**_training_seconds(run), "measuring": round(time.monotonic() - began, 1)}
    write_json(job.folder / DONE, record)
    for left in ("checkpoints", "tensorboard"):
        shutil.rmtree(run.path / left, ignore_errors=True)
    return Cell(job.folder)


def _measure(job: CellJob, run: Run, store: "Store") -> dict[str, Any]:
    from ecgclip.models import model_hash

    model = run.model()
    train = store.indices(folds=job.recipe.data.train_folds)
    test = store.indices(folds=[job.fold])
    scores = zero_shot_scores(model, store, test)
    probe = probe_scores(
        model, store, train, test, seed=fold_seed(job.study_seed, job.fold), fractions=job.fractions
    )
    pointed = localisation_scores(model, store, job.fold)
    for name, table in (("scores", scores), ("probe", probe), ("localisation", pointed)):
        with whole_file(job.folder / f"{name}.parquet") as temporary:
            table.to_parquet(temporary, index=False)
    return {
        "fold": job.fold,
        "study_seed": job.study_seed,
        "seed": job.recipe.seed,
        "recipe": job.recipe.to_dict(),
        "store": store.hash,
        "corpus": store.corpus_hash,
        "model": model_hash(model),
        "n": {"train": len(train), "test": len(test)},
        "protocol": job.protocol,
        "outside": None if job.outside is None else outside_figures(model, job.outside),
        **fold_figures(scores),
        "probe": probe_figures(probe),
        "retrieval": retrieval_figures(model, store, test),
        "localisation": localisation_figures(pointed),
        "environment": read_record(run.path / "environment.json"),
    }


def _training_seconds(run: Run) -> dict[str, float]:
    """Records a second that the journal tells, and the seconds that all steps take at that pace.

    The pace is what survives a kill: the clock of a training that was broken off is gone.
    """
    lines = (run.path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    told: list[Mapping[str, float]] = [json.loads(line) for line in lines]
    rates = [each["records_per_second"] for each in told if "records_per_second" in each]
    if not rates:
        return {}
    recipe = load_recipe(run.path / "recipe.yaml")
    pace = float(np.median(rates))
    steps = max(int(each["step"]) for each in told)
    return {
        "records_per_second": round(pace, 1),
        "training": round(steps * recipe.schedule.batch_size / max(pace, 1e-9), 1),
    }
