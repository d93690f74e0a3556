"""Every shipped objective trains on the one loop, and what its terms own is trained, kept and taken back with it."""

import copy
from pathlib import Path

import pytest
import torch

from ecgclip.corpora import Store
from ecgclip.errors import UsageError
from ecgclip.training import pretrain
from ecgclip.training.assembly import build_augmentation, build_model, build_objective, build_parts
from ecgclip.training.batches import Order, load_batch, signed
from ecgclip.training.loop import Loop
from ecgclip.training.loop.step import Share, loss_and_gradients
from ecgclip.training.recipe import load_recipe
from ecgclip.training.yaml import read_yaml

OBJECTIVES = sorted((Path(__file__).parents[2] / "recipes" / "objectives").glob("*.yaml"))
SOFT = [{"kind": "infonce", "weight": 0.5}, {"kind": "soft_targets", "weight": 0.5}]
TERMS = {path.stem: read_yaml(path)["objective"] for path in OBJECTIVES} | {"soft_targets": SOFT}


@pytest.fixture
def of(tiny_recipe):
    """The tiny recipe with an objective."""

    def make(name):
        recipe = copy.deepcopy(tiny_recipe)
        return recipe | {"objective": TERMS[name], "model": {**recipe["model"], "local": None}}

    return make


@pytest.mark.parametrize("name", TERMS)
def test_every_objective_learns_a_batch(of, name):
    recipe = load_recipe(of(name))
    store = Store.open(recipe.data.store)
    parts = build_parts(recipe, store)
    model = build_model(recipe, parts.texts).train()
    objective = build_objective(recipe, model)[0]
    order = Order(len(parts.rows), 24, recipe.seed)
    _, epoch, positions = next(order.steps(0, 1))
    keys = order.keys(epoch, positions)
    batch, texts = load_batch(store, parts.rows[positions]), parts.texts.step(positions, keys)
    trained = [*model.parameters(), *objective.parameters()]
    before = [p.detach().clone() for p in objective.parameters()]
    optimizer = torch.optim.AdamW(trained, lr=3e-3)
    seen: list[dict[str, float]] = []
    for _ in range(12):
        optimizer.zero_grad()
        _, values = loss_and_gradients(
            model,
            objective,
            batch,
            signed(keys),
            texts,
            here=Share(),
            micro=24,
            autocast=lambda: torch.autocast("cpu", enabled=False),
        )
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        seen.append({key: float(value) for key, value in values.items()})
    assert len(seen[0]) == len(recipe.objective)
    for key in seen[0]:
        assert seen[-1][key] < 0.99 * seen[0][key], key
    for old, new in zip(before, objective.parameters(), strict=True):
        assert new.grad is not None
        assert not torch.equal(old, new)


class Killed(Exception):
    """Stands for the end of a process."""


class Stopping(Loop):
    """A loop that dies in the middle of a step."""

    def _step(self, item):
        if item.step == 6:
            raise Killed
        return super()._step(item)


def looped(kind, recipe, path):
    """Train in a run folder, from its last checkpoint on."""
    from accelerate import Accelerator

    store = Store.open(recipe.data.store)
    parts = build_parts(recipe, store)
    model = build_model(recipe, parts.texts)
    objective = build_objective(recipe, model)[0]
    loop = kind(recipe, parts, model, objective, build_augmentation(recipe), path, Accelerator(cpu=True))
    (path / "checkpoints").mkdir(parents=True, exist_ok=True)
    loop.run()
    return {**model.state_dict(), **objective.state_dict(prefix="objective.")}


def test_what_terms_own_is_taken_back_to_the_bit(of, tmp_path):
    recipe = load_recipe(of("melp"), {"schedule.validate_every": 2})
    whole = looped(Loop, recipe, tmp_path / "whole")
    with pytest.raises(Killed):
        looped(Stopping, recipe, tmp_path / "killed")
    again = looped(Loop, recipe, tmp_path / "killed")
    assert any(key.startswith("objective.") for key in whole)
    assert whole.keys() == again.keys()
    for key, value in whole.items():
        assert torch.equal(value, again[key]), key


def test_what_terms_own_is_drawn_from_the_seed_and_not_from_the_models(of):
    recipe = load_recipe(of("melp"))
    parts = build_parts(recipe, Store.open(recipe.data.store))
    model = build_model(recipe, parts.texts)
    torch.manual_seed(1)
    first = build_objective(recipe, model)[0].state_dict()
    torch.manual_seed(2)
    again = build_objective(recipe, model)[0].state_dict()
    other = build_objective(load_recipe(recipe, {"seed": 5}), model)[0].state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_a_model_folder_holds_nothing_of_the_terms(of, tiny_model, tmp_path):
    run = pretrain(
        of("melp"), out=tmp_path / "run", report=lambda line: None, overrides={"schedule.epochs": 1}
    )
    mine = set(run.model().state_dict())
    assert mine == {key for key in tiny_model.state_dict() if not key.startswith("local")} | {
        "local_log_scale"
    }


@pytest.mark.parametrize(
    ("name", "overrides", "words"),
    [
        ("merl", {"model.signal": {"kind": "resnet", "dropout": 0.0}}, r"model\.signal\.dropout"),
        ("melp", {"model.text": {"kind": "huggingface", "name": "absent"}}, "captioning"),
        ("siglip", {"reports.kinds": True}, r"reports\.kinds"),
    ],
)
def test_a_term_that_the_model_cannot_serve_is_refused_before_anything_is_read(
    of, name, overrides, words, tmp_path
):
    overrides = overrides | {"data.store": str(tmp_path / "absent")}
    with pytest.raises(UsageError, match=words) as caught:
        pretrain(of(name), out=tmp_path / "run", overrides=overrides)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
