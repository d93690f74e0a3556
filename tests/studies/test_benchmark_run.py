"""Protocols over a tiny run: what they write, how they go on, and what they refuse."""

import json

import numpy as np
import pandas as pd
import pytest

from ecgclip.cli import main
from ecgclip.corpora import label_set, prepare, simulate
from ecgclip.errors import DataError, UsageError
from ecgclip.evaluation import auroc, linear_probe
from ecgclip.models import ECGTextModel, StorePart
from ecgclip.prompts import PromptBank, ZeroShotClassifier
from ecgclip.studies.benchmark import PROTOCOLS, Options, benchmark, find_results, read_results
from ecgclip.studies.benchmark.encoders import ModelEncoder

SETS = ("ptbxl-superclass", "ptbxl-rhythm")
OPTIONS = Options(split="validation", labels=SETS, minimum=2, draws=50)
FAST = ["zero_shot", "retrieval", "calibration", "leads"]


def measure(run, store, out, protocols=FAST, told=None, **changes):
    from dataclasses import replace

    report = (lambda line: None) if told is None else told.append
    return benchmark(
        run, store, protocols=protocols, out=out, options=replace(OPTIONS, **changes), report=report
    )


@pytest.fixture(scope="module")
def measured(tiny_run, tiny_store, tmp_path_factory):
    out = tmp_path_factory.mktemp("measured")
    measure(tiny_run.path, tiny_store.path, out)
    return out


def results(out, protocol):
    return next(found for _, found in find_results(out) if found.protocol == protocol)


def test_a_file_a_protocol_finished_and_whole(measured):
    found = {each.protocol: each for _, each in find_results(measured)}
    assert set(found) == set(FAST)
    assert all(each.finished for each in found.values())
    one = found["zero_shot"]
    assert (one.split, one.corpus.name, one.corpus.n) == ("validation", "simulated", 200)
    assert one.model.hash
    assert one.environment["torch"]
    assert not list(measured.rglob(".*"))
    assert (measured / "evaluation" / "report.html").is_file()


def test_zero_shot_is_the_classifier_and_the_plain_metric(measured, tiny_model, tiny_store):
    row = results(measured, "zero_shot").row("model/ptbxl-superclass")
    classifier = ZeroShotClassifier(tiny_model, "ptbxl-superclass")
    scores = classifier.decision_function(tiny_store, split="validation")
    frame = pd.read_parquet(measured / row.scores)
    assert list(frame.columns) == ["record", "patient", "split", "label", "score", "target"]
    assert np.allclose(frame["score"].to_numpy().reshape(scores.shape), scores, atol=1e-5)
    truth = frame["target"].to_numpy().reshape(scores.shape)
    positives = truth.sum(axis=0)
    keep = (positives >= 2) & (len(truth) - positives >= 2)
    assert row.figure == pytest.approx(float(np.mean(auroc(scores[:, keep], truth[:, keep]))), abs=1e-6)
    assert row.n_labels == keep.sum()
    assert row.bank == classifier.bank.hash
    assert row.marks == ["simulated only"]


def test_a_label_without_a_positive_is_listed_with_its_reason(measured):
    row = results(measured, "zero_shot").row("model/ptbxl-rhythm")
    absent = [each for each in row.classes if each.positives == 0]
    assert absent
    assert all(each.auroc is None and not each.scored and "0 positives" in each.reason for each in absent)


def test_a_probe_from_text_starts_from_the_zero_shot_scores(tiny_run, tiny_model, tmp_path):
    store = prepare(simulate(n=60, seed=2), tiny_model.preprocessor, tmp_path / "store", workers=1)
    measure(tiny_run.path, store.path, tmp_path, ["linear_probe"], labels=SETS[:1], probe_draws=1)
    found = results(tmp_path, "linear_probe")
    assert {row.name for row in found.rows} == {
        "model",
        "model, from text",
        "untrained",
        "neurokit2 features",
    }
    every = StorePart(store, np.arange(len(store)))
    labels, table = label_set(SETS[0]), store.table
    fitted = linear_probe(
        ModelEncoder(tiny_model).features(every),
        labels.matrix(table),
        table["patient_id"].to_numpy(),
        table["split"].to_numpy(),
        codes=labels.codes,
        test="validation",
        fractions=(1.0,),
        minimum=2,
        prior=ZeroShotClassifier(tiny_model, SETS[0]).decision_function(every),
    )
    row = found.row(f"model, from text/{SETS[0]}/fraction=1.0")
    assert row.figure == pytest.approx(fitted.summary().loc[1.0, "mean"], abs=1e-6)
    assert row.figure != found.row(f"model/{SETS[0]}/fraction=1.0").figure
    assert {each.bank for each in found.rows if each.name == row.name and each.labels == SETS[0]} == {
        PromptBank.load(SETS[0]).hash
    }


def test_leads_compare_masks_with_flat_lines(measured):
    rows = [row for row in results(measured, "leads").rows if row.labels == "ptbxl-superclass"]
    assert [(row.setting["leads"], row.setting["fill"]) for row in rows] == [
        *(
            (leads, fill)
            for leads in ("I", "I, II", "six limb leads", "I, II, V1-V6")
            for fill in ("mask", "zero")
        ),
        ("twelve", "mask"),
    ]
    whole = results(measured, "zero_shot").row("model/ptbxl-superclass")
    assert rows[-1].figure == whole.figure


def test_calibration_says_why_nothing_is_calibrated_on_what_is_scored(measured):
    found = results(measured, "calibration")
    assert {row.setting["probabilities"] for row in found.rows} == {"prior"}
    assert all("prior" in row.marks and row.reliability for row in found.rows)
    assert any("validation is what is scored" in out.why for out in found.left_out)


def test_again_from_cache_nothing_changes_and_no_model_runs(measured, tiny_run, tiny_store, monkeypatch):
    before = {path.name: found.rows for path, found in find_results(measured)}

    def never(self, *given):
        raise AssertionError("everything is here already")

    monkeypatch.setattr(ECGTextModel, "embed_signal", never)
    measure(tiny_run.path, tiny_store.path, measured)
    assert {path.name: found.rows for path, found in find_results(measured)} == before


def test_how_a_start_was_called_makes_no_other_model(measured, tiny_run, tiny_store):
    file = next((measured / "evaluation").glob("zero_shot*.json"))
    text = file.read_text()
    told = []
    try:
        file.write_text(
            text.replace('"trained_on": "simulated"', '"trained_on": "simulated, started from x"')
        )
        measure(tiny_run.path, tiny_store.path, measured, ["zero_shot"], told)
    finally:
        file.write_text(text)
    assert [line for line in told if "ptbxl-superclass" in line] == []


def test_a_killed_run_goes_on_where_it_stopped(measured, tiny_run, tiny_store, tmp_path, monkeypatch):
    from ecgclip.studies.benchmark.ledger import Ledger

    add, count = Ledger.add, []

    def killed(self, rows, scored=None):
        if len(count) == 1:
            raise KeyboardInterrupt
        count.append(1)
        add(self, rows, scored)

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "add", killed)
        with pytest.raises(KeyboardInterrupt):
            measure(tiny_run.path, tiny_store.path, tmp_path, ["zero_shot"])
    (file,) = (tmp_path / "evaluation").iterdir()
    assert not read_results(file).finished
    told = []
    measure(tiny_run.path, tiny_store.path, tmp_path, ["zero_shot"], told)
    assert [line for line in told if "ptbxl-superclass" in line] == []
    assert [line for line in told if line.startswith("[1/1] zero_shot 2 of 2: ptbxl-rhythm")]
    assert read_results(file).rows == results(measured, "zero_shot").rows
    assert read_results(file).finished


def test_figures_of_another_model_or_seed_are_not_gone_on_with(measured, tiny_run, tiny_store):
    with pytest.raises(DataError, match="figures of another seed"):
        measure(tiny_run.path, tiny_store.path, measured, ["zero_shot"], seed=1)
    other = next((measured / "evaluation").glob("zero_shot*.json"))
    text = other.read_text()
    try:
        other.write_text(text.replace(json.loads(text)["model"]["hash"], "0" * 12))
        with pytest.raises(DataError, match="figures of another model"):
            measure(tiny_run.path, tiny_store.path, measured, ["zero_shot"])
    finally:
        other.write_text(text)


def test_robustness_and_fine_tuning(tiny_run, tiny_store, tmp_path):
    measure(
        tiny_run.path,
        tiny_store.path,
        tmp_path,
        ["robustness", "fine_tune"],
        labels=("ptbxl-superclass",),
        epochs=1,
    )
    curve = results(tmp_path, "robustness").rows
    assert [row.setting["disturbance"] for row in curve[:2]] == ["none", "noise"]
    assert len(curve) == 1 + 4 * 4 + 1
    tuned = results(tmp_path, "fine_tune").row("model/ptbxl-superclass/epochs=1")
    assert tuned.figure is not None
    assert "label-supervised" in tuned.marks


@pytest.mark.parametrize(
    ("changes", "protocols", "says"),
    [
        ({}, ["zero_shots"], "did you mean zero_shot"),
        ({"labels": ("ptbxl-super",)}, ["zero_shot"], "unknown label set"),
        ({"split": "train"}, ["zero_shot"], "unknown split"),
        ({"marks": ("label free",)}, ["zero_shot"], "did you mean label-free"),
        ({"draws": 0}, ["zero_shot"], "draws is 0"),
        ({"fs": 500.0}, ["zero_shot"], "a run knows its own"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_written(
    tiny_run, tiny_store, tmp_path, changes, protocols, says
):
    with pytest.raises(UsageError, match=says):
        measure(tiny_run.path, tiny_store.path, tmp_path / "new", protocols, **changes)
    assert not (tmp_path / "new").exists()


def test_the_command_line_prints_tables_and_paths(tiny_run, tiny_store, tmp_path, capsys):
    command = ["benchmark", str(tiny_run.path), "--data", str(tiny_store.path), "--split", "validation"]
    command += ["--labels", "ptbxl-superclass", "--protocol", "zero-shot", "--out", str(tmp_path)]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "zero_shot: run on simulated (200), validation" in out
    assert f"results: {tmp_path}/evaluation/zero_shot-simulated-validation.json" in out
    assert out.endswith(f"report: {tmp_path}/evaluation/report.html\n")
    assert main([*command[:3], str(tmp_path / "absent")]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_every_protocol_is_stated_in_its_folder():
    from pathlib import Path

    folder = Path(__file__).parents[2] / "benchmarks"
    assert all((folder / name / "README.md").is_file() for name in PROTOCOLS)
