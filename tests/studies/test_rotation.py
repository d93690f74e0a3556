"""The rotation: what a cell holds, and that finished work is never done again."""

import copy
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from ecgclip.corpora import prepare, simulate
from ecgclip.errors import DataError, UsageError
from ecgclip.signals import Preprocessor
from ecgclip.studies.rotation import SETS, Rotation, cell_job, rotate, run_cell
from ecgclip.studies.rotation.cell import fold_parts, fold_seed
from ecgclip.training.recipe import load_recipe
from ecgclip.training.run_folder import read_checkpoint


def stamps(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_every_fold_tests_once_validates_once_and_trains_in_the_rest():
    folds = tuple(range(1, 11))
    seen = {fold: fold_parts(folds, fold) for fold in folds}
    assert sorted(validation for _, validation in seen.values()) == list(folds)
    for fold, (train, validation) in seen.items():
        assert sorted((*train, validation, fold)) == list(folds)
    assert seen[10] == (tuple(range(2, 10)), 1)
    with pytest.raises(UsageError, match="fold 11"):
        fold_parts(folds, 11)
    with pytest.raises(DataError, match="at least three"):
        fold_parts((1, 2), 1)


def test_seeds_are_keyed_by_study_and_fold():
    seeds = {fold_seed(study, fold) for study in range(3) for fold in range(1, 11)}
    assert len(seeds) == 30
    assert fold_seed(1, 7) == fold_seed(1, 7)


def test_a_cell_keeps_the_scores_that_its_figures_are_made_of(rotations, folded_store):
    _, found = rotations
    cell = found["attention"].cells[2]
    scores = cell.scores()
    assert list(scores.columns) == ["record", "patient", "fold", "labels", "label", "score", "target"]
    table = folded_store.table
    assert set(scores["record"]) == set(table["record_id"][table["fold"] == 2])
    assert set(scores["labels"]) == set(SETS)
    macros = []
    for name, part in scores.groupby("labels"):
        values = []
        for label, rows in part.groupby("label"):
            row = cell.record["sets"][name]["labels"][label]
            positives = int(rows["target"].sum())
            assert row["positives"] == positives
            assert row["counted"] == (positives >= 10 and len(rows) - positives >= 10)
            if row["counted"]:
                values.append(roc_auc_score(rows["target"], rows["score"]))
        macro = cell.record["sets"][name]["macro"]
        assert macro == (pytest.approx(np.mean(values), abs=1e-12) if values else None)
        macros += [macro] if values else []
    assert cell.record["mean"] == pytest.approx(np.mean(macros), abs=1e-12)
    assert cell.record["recipe"]["data"]["train_folds"] == [1, 4]
    assert cell.record["recipe"]["data"]["validation_folds"] == [3]
    assert cell.run.finished
    assert not (cell.run.path / "checkpoints").exists()


def test_figures_are_taken_within_folds_and_then_averaged(rotations):
    _, found = rotations
    figures = found["uniform"].figures()
    parts = [found["uniform"].cells[fold].record["mean"] for fold in (1, 2)]
    assert figures["mean"]["macro"] == pytest.approx(np.mean(parts), abs=1e-12)
    probe = found["uniform"].scores("probe")
    assert {"fraction", "draw"} <= set(probe.columns)
    assert figures["mean"]["probe-10"] is not None


def test_variants_of_a_fold_share_seed_store_and_probed_patients(rotations):
    _, found = rotations
    for fold in (1, 2):
        a, b = (found[name].cells[fold].record for name in ("attention", "uniform"))
        assert a["seed"] == b["seed"]
        assert a["store"] == b["store"]
        columns = ["record", "labels", "fraction", "draw", "label"]
        one, two = (found[name].cells[fold].scores("probe")[columns] for name in ("attention", "uniform"))
        pd.testing.assert_frame_equal(one, two)


def test_finished_cells_are_kept_and_a_new_fold_is_added(rotations, quick_recipe, folded_store):
    out, found = rotations
    before = stamps(out / "cells")
    told = []
    again = rotate(
        copy.deepcopy(quick_recipe),
        folded_store.path,
        out=out,
        folds=(1, 2),
        overrides={"name": "another-name", "data.workers": 2},
        report=told.append,
    )
    assert stamps(out / "cells") == before
    assert "cells: 2, finished already: 2" in told
    assert again.cells[1].folder == found["attention"].cells[1].folder
    assert Rotation.open(out / "another-name.rotation.json").figures() == found["attention"].figures()


def test_an_edited_variant_is_another_cell(quick_recipe, folded_store, tmp_path):
    recipe = load_recipe(quick_recipe)
    first = cell_job(recipe, folded_store, fold=1, seed=0, out=tmp_path)
    for key, value in (("optimizer.lr", 5e-4), ("objective.1.weight", 0.4), ("schedule.epochs", 2)):
        other = cell_job(load_recipe(recipe, {key: value}), folded_store, fold=1, seed=0, out=tmp_path)
        assert other.folder != first.folder
    assert cell_job(recipe, folded_store, fold=1, seed=1, out=tmp_path).folder != first.folder
    assert cell_job(recipe, folded_store, fold=1, seed=0, out=tmp_path).folder == first.folder


class Killed(Exception):
    """Stands for the signal that ends a process."""


def test_a_cell_killed_twice_goes_on(rotations, quick_recipe, folded_store, tmp_path):
    _, found = rotations
    job = cell_job(load_recipe(quick_recipe), folded_store, fold=2, seed=0, out=tmp_path)
    for at in ("trains ", "\nptbxl-superclass"):

        def die(line, at=at):
            if line.startswith(at):
                raise Killed

        with pytest.raises(Killed):
            run_cell(job, die)
        assert not job.finished
        assert (read_checkpoint(job.folder / "run") is None) == (at == "trains ")
    cell = run_cell(job)
    whole = found["attention"].cells[2]
    assert cell.record["model"] == whole.record["model"]
    pd.testing.assert_frame_equal(cell.scores(), whole.scores())
    assert cell.record["sets"] == whole.record["sets"]


def test_a_trained_model_is_scored_again_when_banks_changed(rotations, quick_recipe, folded_store, tmp_path):
    out, found = rotations
    study = tmp_path / "study"
    shutil.copytree(out, study)
    job = cell_job(load_recipe(quick_recipe), folded_store, fold=1, seed=0, out=study)
    assert job.finished
    record = json.loads((job.folder / "cell.json").read_text())
    record["protocol"]["banks"]["ptbxl-form"] = "other"
    (job.folder / "cell.json").write_text(json.dumps(record))
    assert not job.finished
    weights = stamps(job.folder / "run")
    again = run_cell(job)
    assert stamps(job.folder / "run") == weights
    assert again.record["sets"] == found["attention"].cells[1].record["sets"]


def test_a_patient_in_two_folds_is_refused_before_training(quick_recipe, tmp_path):
    corpus = simulate(n=12, seed=1)
    table = corpus.table.assign(
        fold=[k % 3 + 1 for k in range(12)], split="", patient_id=[f"p{k // 2}" for k in range(12)]
    )
    store = prepare(replace(corpus, table=table), Preprocessor(), tmp_path / "store", workers=1)
    with pytest.raises(DataError, match="a patient belongs to one fold"):
        rotate(quick_recipe, store.path, out=tmp_path / "study", folds=(1,))
    assert not (tmp_path / "study").exists()


def test_a_damaged_cell_is_told(tmp_path):
    (tmp_path / "x.rotation.json").write_text("[]")
    with pytest.raises(DataError, match="no rotation"):
        Rotation.open(tmp_path / "x.rotation.json")


@pytest.mark.slow
def test_cells_side_by_side_are_those_of_one_after_another(rotations, folded_store, quick_recipe, tmp_path):
    """From a script without a main guard, which a process that it starts must not run again."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, json\n"
        "from ecgclip.studies.rotation import rotate\n"
        "recipe = json.loads(sys.argv[1])\n"
        "rotate(recipe, sys.argv[2], out=sys.argv[3], folds=[1, 2], name='attention', jobs=2)\n"
        "print('once')\n"
    )
    arguments = [json.dumps(quick_recipe), str(folded_store.path), str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, str(script), *arguments], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.count("once") == 1
    made = Rotation.open(tmp_path / "out" / "attention.rotation.json")
    _, found = rotations
    for fold in (1, 2):
        mine, theirs = made.cells[fold].record, found["attention"].cells[fold].record
        assert mine["recipe"] == theirs["recipe"]
        assert mine["mean"] == pytest.approx(theirs["mean"], abs=0.02)
