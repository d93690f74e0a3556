"""Halves, portions and processes give the loss and the gradients of the whole batch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ecgclip.models import keyed_uniform  # noqa: F401 - the models room loads before the script's fixtures
from ecgclip.training.yaml import read_yaml

sys.path.insert(0, str(Path(__file__).parent))
from joined_step import joined_step

EVERY_TERM = [
    {"kind": "infonce"},
    {"kind": "statements", "weight": 0.5},
    {"kind": "local", "scale": "beat", "plan": "attention"},
    {"kind": "local", "scale": "token", "plan": "transport", "score": "mass"},
]


OBJECTIVES = sorted((Path(__file__).parents[2] / "recipes" / "objectives").glob("*.yaml"))


def of_a_peer(path, recipe):
    """The tiny recipe with the objective of a shipped one."""
    theirs = read_yaml(path)
    return {
        **recipe,
        "objective": theirs["objective"],
        "model": {**recipe["model"], "local": None},
        "reports": {**recipe["reports"], "kinds": False},
    }


def same(found, expected, close=1e-5):
    """Both losses and all gradients, each by the norm of its weight's."""
    assert found[0] == pytest.approx(expected[0], rel=1e-5)
    noise = 1e-7 * torch.stack([value.norm() for value in expected[1].values()]).norm()
    for name, value in expected[1].items():
        difference = (found[1].get(name, torch.zeros_like(value)) - value).norm()
        assert difference <= close * value.norm() + noise, name
    for name in found[1].keys() - expected[1].keys():
        assert not found[1][name].any(), name


@pytest.fixture
def recipe(tiny_recipe):
    tiny_recipe["objective"] = EVERY_TERM
    tiny_recipe["reports"] = {**tiny_recipe.get("reports", {}), "kinds": True}
    return tiny_recipe


@pytest.fixture
def whole(recipe):
    loss, gradients = joined_step(recipe)
    assert gradients["log_scale"].abs() > 0
    assert gradients["local_log_scale"].abs() > 0
    assert gradients["signal_encoder.stem.weight"].abs().max() > 0
    assert gradients["text_encoder.embed.weight"].abs().max() > 0
    return loss, gradients


@pytest.mark.parametrize("micro", [16, 11])
def test_portions_give_the_whole_batchs_gradient(recipe, whole, micro):
    same(joined_step(recipe, micro=micro), whole)


def test_single_recordings_do_too_but_for_a_value_that_rounds_to_the_other_side_of_zero(recipe, whole):
    same(joined_step(recipe, micro=1), whole, close=2e-3)


def test_augmentation_statements_kinds_and_dropout_are_really_on(recipe, whole):
    for section, off in (
        (
            "augmentation",
            dict.fromkeys(("shift_s", "gain", "lead_gain", "wander_mv", "muscle_mv", "lead_drop"), 0.0),
        ),
        ("reports", {**recipe["reports"], "statement_sampling": False, "vocabulary": 512}),
        ("reports", {**recipe["reports"], "kinds": False}),
        ("model", {**recipe["model"], "signal": {"kind": "resnet", "size": "tiny", "dropout": 0.0}}),
    ):
        assert joined_step({**recipe, section: off})[0] != pytest.approx(whole[0], rel=1e-4), section


def test_each_recording_meets_the_embedding_of_its_own_kinds(recipe):
    seen = {}

    def see(model, texts, objective):
        model.eval()  # so that a text's embedding is the same twice
        with torch.no_grad():
            seen["expected"] = model.text_views(texts.kinds, tokens=False).z
        seen["texts"] = texts
        objective.register_forward_pre_hook(lambda _, given: seen.update(batch=given[0]))

    joined_step(recipe, see=see)
    assert len(set(seen["texts"].kinds)) > 3
    torch.testing.assert_close(seen["batch"].kinds, seen["expected"])
    assert seen["batch"].kinds_hold.tolist() == seen["texts"].kinds_hold.tolist()


def test_a_vit_without_a_local_branch_can_be_portioned_too(recipe):
    recipe["model"] |= {"signal": {"kind": "vit", "size": "tiny"}, "local": None}
    recipe["objective"] = EVERY_TERM[:2]
    recipe["schedule"]["batch_size"] = 8
    same(joined_step(recipe, micro=3), joined_step(recipe))


@pytest.mark.parametrize("path", OBJECTIVES, ids=[path.stem for path in OBJECTIVES])
def test_every_objective_can_be_portioned(recipe, path):
    recipe = of_a_peer(path, recipe)
    found, expected = joined_step(recipe, micro=13), joined_step(recipe)
    same(found, expected, close=1e-4)
    for name, value in expected[1].items():
        if name.startswith("objective."):
            assert torch.isfinite(value).all(), name


@pytest.mark.ddp
@pytest.mark.parametrize("processes", [2])
def test_processes_give_the_gradient_of_one(recipe, whole, tmp_path, processes):
    recipes = {"ours": recipe} | {path.stem: of_a_peer(path, recipe) for path in OBJECTIVES}
    (tmp_path / "recipes.json").write_text(json.dumps(recipes))
    done = subprocess.run(
        [
            sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", str(processes),
            "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0",
            str(Path(__file__).parent / "joined_step.py"), str(tmp_path / "recipes.json"), str(tmp_path / "found.pt"),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    expected = {name: whole if name == "ours" else joined_step(each) for name, each in recipes.items()}
    for rank in range(processes):
        told = torch.load(tmp_path / f"found.pt.{rank}")
        assert told["processes"] == processes
        for name in recipes:
            same(told["found"][name], expected[name], close=2e-3)
