"""A run folder: what it holds, whose it is, and what ends a run."""

import json
import math

import pytest
import torch

from ecgclip.corpora import Store
from ecgclip.errors import DataError, UsageError
from ecgclip.models import ECGTextModel, model_hash
from ecgclip.training import pretrain
from ecgclip.training.recipe import load_recipe
from ecgclip.training.run_folder import Run, claim, read_checkpoint, write_checkpoint


def silent(line):
    """Take a line for people and drop it."""


def train(recipe, out, **more):
    return pretrain(recipe, out=out, report=silent, **more)


def contents(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_run_folder_holds_what_others_read(tiny_run, tiny_recipe):
    path = tiny_run.path
    assert tiny_run.finished
    names = {each.name for each in path.iterdir()}
    assert {
        "recipe.yaml",
        "model",
        "checkpoints",
        "metrics.jsonl",
        "tensorboard",
        "evaluation",
        "scores",
    } <= names
    assert {"environment.json", "run.json"} <= names
    assert not [each for each in path.rglob(".*")]
    assert load_recipe(path / "recipe.yaml") == load_recipe(tiny_recipe)
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == sorted(line["step"] for line in lines)
    assert any("validation/findings" in line for line in lines)
    last = [line for line in lines if "loss" in line][-1]
    assert {"loss", "loss/infonce", "loss/local_beat_attention", "lr", "records_per_second"} <= set(last)
    assert len(list((path / "tensorboard").iterdir())) == 1


def test_its_recipe_makes_the_same_run(tiny_run):
    again = train(tiny_run.path / "recipe.yaml", tiny_run.path)
    assert again.path == tiny_run.path


def test_a_finished_run_is_returned_as_it_is(tiny_run, tiny_recipe):
    before = contents(tiny_run.path)
    told = []
    again = pretrain(tiny_recipe, out=tiny_run.path, report=told.append)
    assert contents(tiny_run.path) == before
    assert again.finished
    assert any("finished already" in line for line in told)


def test_weights_do_not_depend_on_the_folder_or_the_workers(tiny_run, tiny_recipe, tmp_path):
    tiny_recipe["data"]["workers"] = 2
    elsewhere = train(tiny_recipe, tmp_path / "deep" / "elsewhere")
    for name in ("model.safetensors", "model.json", "tokenizer.json", "texts.safetensors"):
        assert (elsewhere.path / "model" / name).read_bytes() == (tiny_run.path / "model" / name).read_bytes()


@pytest.mark.parametrize(
    ("key", "value"),
    [("optimizer.lr", 1e-4), ("seed", 5), ("objective.1.plan", "uniform"), ("schedule.epochs", 3)],
)
def test_a_folder_of_other_settings_is_refused_by_name(tiny_run, tiny_recipe, key, value):
    before = contents(tiny_run.path)
    with pytest.raises(DataError) as caught:
        train(tiny_recipe, tiny_run.path, overrides={key: value})
    assert key.split(".")[0] in str(caught.value)
    assert str(tiny_run.path) in str(caught.value)
    assert contents(tiny_run.path) == before


def test_a_folder_that_is_no_run_is_left_alone(tiny_recipe, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for out in (tmp_path, tmp_path / "notes.txt", tmp_path / "notes.txt" / "below"):
        with pytest.raises(DataError, match="--out"):
            train(tiny_recipe, out)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("written", range(5))
def test_a_claim_that_was_killed_can_be_made_again(tiny_recipe, tmp_path, written):
    recipe = load_recipe(tiny_recipe)
    names = ["recipe.json", "recipe.yaml", "environment.json", "run.json"]
    for name in names[: min(written, 3)]:
        (tmp_path / name).write_text("half")
    (tmp_path / f".{names[min(written, 3)]}.12345").write_text("ha")
    assert claim(tmp_path, recipe, {"store": "a"}) is False
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert claim(tmp_path, recipe, {"store": "a"}) is True
    with pytest.raises(DataError, match="store"):
        claim(tmp_path, recipe, {"store": "b"})


def test_where_things_lie_is_no_setting(tiny_recipe, tmp_path):
    claim(tmp_path / "run", load_recipe(tiny_recipe), {})
    moved = load_recipe(tiny_recipe, {"data.store": "/elsewhere", "data.workers": 7})
    assert claim(tmp_path / "run", moved, {}) is True


def test_a_damaged_mark_and_checkpoint_are_told(tiny_recipe, tmp_path):
    claim(tmp_path, load_recipe(tiny_recipe), {})
    write_checkpoint(tmp_path, {"step": 3, "value": torch.ones(3)})
    assert read_checkpoint(tmp_path)["step"] == 3
    file = tmp_path / "checkpoints" / "last.pt"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(DataError, match=r"last\.pt") as caught:
        read_checkpoint(tmp_path)
    assert "\n" not in str(caught.value)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(DataError, match="damaged"):
        claim(tmp_path, load_recipe(tiny_recipe), {})


def test_a_checkpoint_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "checkpoints" / "last.pt").mkdir(parents=True)
    with pytest.raises(DataError, match="cannot be written"):
        write_checkpoint(tmp_path, {"step": 3})
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["last.pt"]


def test_no_checkpoint_holds_code(tiny_run, tmp_path):
    class Evil:
        def __reduce__(self):
            return open, (str(tmp_path / "ran"), "w")

    (tmp_path / "checkpoints").mkdir()
    torch.save({"step": Evil()}, tmp_path / "checkpoints" / "last.pt")
    with pytest.raises(DataError, match="damaged"):
        read_checkpoint(tmp_path)
    assert not (tmp_path / "ran").exists()
    assert read_checkpoint(tiny_run.path)["step"] == 8


def test_a_loss_that_is_no_number_ends_the_run_with_a_whole_checkpoint(tiny_recipe, tmp_path):
    tiny_recipe["optimizer"] = {"lr": 1e20, "clip": 1e20, "warmup": 0.0}
    with pytest.raises(DataError, match=r"at step \d+.*optimizer\.lr"):
        train(tiny_recipe, tmp_path / "run")
    state = read_checkpoint(tmp_path / "run")
    assert state is None or all(
        bool(torch.isfinite(p).all()) for p in state["model"].values() if p.is_floating_point()
    )
    assert not Run(tmp_path / "run").finished
    with pytest.raises(DataError, match=r"model\.json"):
        Run(tmp_path / "run").model()


def test_a_run_can_start_from_a_model(tiny_run, tiny_recipe, tmp_path):
    tiny_recipe["start_from"] = str(tiny_run.path)
    tiny_recipe["schedule"] |= {"epochs": 1, "average": 0.0}
    tiny_recipe["optimizer"] = {"lr": 1e-12}
    run = train(tiny_recipe, tmp_path / "run")
    for (name, a), b in zip(
        run.model().state_dict().items(), tiny_run.model().state_dict().values(), strict=True
    ):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=0, msg=name)
    other = run.model()
    with torch.no_grad():
        other.log_scale.add_(0.5)
    tiny_recipe["start_from"] = str(other.save_pretrained(tmp_path / "other"))
    with pytest.raises(DataError, match="start_from"):
        train(tiny_recipe, tmp_path / "run")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.dim", 16),
        ("model.signal.size", "small"),
        ("model.local", None),
        ("reports.findings", "raw"),
        ("model.text.width", 64),
    ],
)
def test_a_model_of_another_shape_cannot_be_started_from(tiny_run, tiny_recipe, tmp_path, key, value):
    tiny_recipe["start_from"] = str(tiny_run.path)
    tiny_recipe["objective"] = tiny_recipe["objective"][:1]
    with pytest.raises(DataError, match=key.split(".")[1]):
        train(tiny_recipe, tmp_path / "run", overrides={key: value})


def test_what_a_training_cannot_do_without_is_asked_for(tiny_recipe, tiny_store, tmp_path):
    for overrides, kind, words in (
        ({"objective": []}, UsageError, "objective"),
        ({"model.local": None}, UsageError, r"model\.local"),
        ({"data.corpus": {"kind": "ptb-xl"}, "data.store": None}, UsageError, "--data"),
        ({"data.train_folds": [1, 2], "data.validation_folds": [2]}, DataError, "fold"),
        ({"preprocessing.fs": 125.0}, DataError, tiny_store.preprocessor.hash),
        ({"start_from": str(tmp_path / "absent")}, DataError, "absent"),
    ):
        with pytest.raises(kind, match=words) as caught:
            train(tiny_recipe, tmp_path / "run", overrides=overrides)
        assert "\n" not in str(caught.value)


def test_a_store_is_data(tiny_run, tiny_recipe, tiny_store, tmp_path):
    del tiny_recipe["data"]["store"]
    run = train(tiny_recipe, tmp_path / "run", data=tiny_store.path, overrides={"schedule.epochs": 1})
    assert isinstance(run.model(), ECGTextModel)
    with pytest.raises(DataError, match="preprocessor"):
        train(
            tiny_recipe,
            tmp_path / "other",
            data=tiny_store.path,
            overrides={"preprocessing.band": [0.3, 40.0]},
        )


def test_the_model_of_a_run_keeps_what_it_needs_to_classify(tiny_run, tiny_store):
    from ecgclip.prompts import BANKS, PromptBank

    model = tiny_run.model()
    assert model.preprocessor == Store.open(tiny_store.path).preprocessor
    assert len(model.config.readouts) == 1
    assert math.isclose(sum(model.config.weights), 1.0)
    kept = len(model.kept_texts)
    for name in BANKS:
        texts = PromptBank.load(name).texts
        assert all(model._read(0, text) in model.kept_texts for text in texts)
    assert kept == len(model.kept_texts)
    assert (
        model_hash(model)
        == json.loads((tiny_run.path / "evaluation" / "validation-ptbxl-superclass.json").read_text())[
            "model"
        ]
    )


@pytest.mark.ddp
@pytest.mark.slow
def test_two_processes_train_the_model_of_one(tiny_run, tiny_recipe, tmp_path):
    import os
    import subprocess
    import sys

    (tmp_path / "recipe.json").write_text(json.dumps(tiny_recipe))
    code = (
        "import json, sys; from ecgclip.training import pretrain; "
        "pretrain(json.load(open(sys.argv[1])), out=sys.argv[2])"
    )
    (tmp_path / "train.py").write_text(code)
    flags = "--multi_gpu --num_processes 2 --num_machines 1 --main_process_port 0 --mixed_precision no"
    launch = [sys.executable, "-m", "accelerate.commands.launch", *flags.split(), "--dynamo_backend", "no"]
    subprocess.run(
        [*launch, *(str(tmp_path / name) for name in ("train.py", "recipe.json", "run"))],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        timeout=600,
    )
    two, one = Run(tmp_path / "run").model(), tiny_run.model()
    for (name, a), b in zip(two.state_dict().items(), one.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, atol=2e-3, rtol=0, msg=name)


def test_batch_norm_is_an_option_that_trains_and_comes_back(tiny_recipe, tmp_path, simulated):
    tiny_recipe["model"]["signal"] |= {"norm": "batch"}
    run = train(tiny_recipe, tmp_path / "run", overrides={"schedule.epochs": 1})
    model = run.model()
    assert any("running_mean" in name and value.any() for name, value in model.state_dict().items())
    assert model_hash(model) == model_hash(run.model())
    assert model.encode_ecg([simulated.record(0)]).shape == (1, 32)


def test_a_frozen_tower_trains_a_run_that_classifies_without_it(
    tiny_recipe, tmp_path, simulated, tower_folder
):
    import shutil

    from ecgclip import ZeroShotClassifier

    tower = tmp_path / "tower"
    shutil.copytree(tower_folder, tower)
    tiny_recipe["model"]["text"] = {"kind": "huggingface", "name": str(tower)}
    run = train(tiny_recipe, tmp_path / "run", overrides={"schedule.epochs": 1})
    shutil.rmtree(tower)
    scores = ZeroShotClassifier(run.model(), "ptbxl-rhythm").decision_function(simulated.record(0))
    assert scores.shape[0] == 1
