"""One step of a joined batch, by one process or by several: its loss and the gradient of every weight.

Started as a script, by itself or under ``accelerate launch``: ``joined_step.py RECIPES.json OUT.pt``, where the
recipes are a mapping by name.
"""

import json
import sys

import torch
from accelerate import Accelerator

from ecgclip.corpora import Store
from ecgclip.training.assembly import build_augmentation, build_model, build_objective, build_parts
from ecgclip.training.batches import Order, load_batch, signed
from ecgclip.training.loop import Loop  # noqa: F401 - the loop's own imports must hold in each process
from ecgclip.training.loop.processes import share
from ecgclip.training.loop.step import Share, loss_and_gradients
from ecgclip.training.recipe import load_recipe


def joined_step(recipe, *, rank=0, processes=1, micro=None, step=1, see=None):
    """Return the loss and the gradients by name, on the batch that the recipe's order gives at ``step``.

    ``see`` is called with the model, the texts and the objective before the step.
    """
    recipe = load_recipe(recipe)
    store = Store.open(recipe.data.store)
    parts = build_parts(recipe, store)
    model = build_model(recipe, parts.texts).train()
    objective = build_objective(recipe, model)[0]
    order = Order(len(parts.rows), recipe.schedule.batch_size, recipe.seed)
    _, epoch, positions = next(order.steps(step, step + 1))
    mine = positions[share(len(positions), rank, processes)]
    keys = order.keys(epoch, mine)
    batch = build_augmentation(recipe)(load_batch(store, parts.rows[mine]), keys)
    texts = parts.texts.step(positions, order.keys(epoch, positions))
    if see is not None:
        see(model, texts, objective)
    loss, _ = loss_and_gradients(
        model,
        objective,
        batch,
        signed(keys),
        texts,
        here=Share(rank, processes),
        micro=micro or len(batch),
        autocast=lambda: torch.autocast("cpu", enabled=False),
    )
    named = [*model.named_parameters(), *objective.named_parameters(prefix="objective")]
    return float(loss), {name: p.grad for name, p in named if p.grad is not None}


if __name__ == "__main__":
    accelerator = Accelerator(cpu=True)
    rank, processes = accelerator.process_index, accelerator.num_processes
    with open(sys.argv[1], encoding="utf-8") as file:
        recipes = json.load(file)
    found = {name: joined_step(recipe, rank=rank, processes=processes) for name, recipe in recipes.items()}
    torch.save({"found": found, "processes": processes}, f"{sys.argv[2]}.{rank}")
    accelerator.end_training()
