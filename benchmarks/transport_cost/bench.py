"""Time a training step with and without each local term, in turns in one process.

    python benchmarks/transport_cost/bench.py --data STORE --out benchmarks/transport_cost/results.json

README.md states the protocol.
"""

import argparse
import itertools
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

BEAT = {"kind": "local", "scale": "beat"}
TOKEN = {"kind": "local", "scale": "token"}
TRANSPORT = [{**BEAT, "plan": "transport"}, {**TOKEN, "plan": "transport"}]
MEASURES = ("report", "batch", "bank")


def with_all(terms: list[dict[str, Any]], **settings: str) -> list[dict[str, Any]]:
    """The same settings in every term."""
    return [{**term, **settings} for term in terms]


GROUND = {"beats": "beats, uniform", "both": "both, uniform"}
CASES: dict[str, list[dict[str, Any]]] = {
    "no local term": [],
    "beats, uniform": [{**BEAT, "plan": "uniform"}],
    "beats, attention": [{**BEAT, "plan": "attention"}],
    "both, uniform": [{**BEAT, "plan": "uniform"}, {**TOKEN, "plan": "uniform"}],
}
for _mode, _measure in itertools.product(("matched", "contrastive"), MEASURES):
    CASES[f"beats, {_measure}, {_mode}"] = with_all(TRANSPORT[:1], mode=_mode, text_measure=_measure)
for _mode, _measure in itertools.product(("matched", "contrastive"), MEASURES):
    CASES[f"both, {_measure}, {_mode}"] = with_all(TRANSPORT, mode=_mode, text_measure=_measure)


def stepper(
    recipe: Any, data: Path, terms: list[dict[str, Any]], folder: Path
) -> Callable[[], tuple[float, float]]:
    """A function that takes one step with these local terms and tells its seconds, of the wall and of the CPU."""
    from accelerate import Accelerator

    from ecgclip.training import load_recipe
    from ecgclip.training.assembly import (
        build_augmentation,
        build_model,
        build_objective,
        build_parts,
        build_store,
    )
    from ecgclip.training.loop import Loop

    resolved = load_recipe(recipe, {"objective": [{"kind": "infonce"}, *terms]})
    parts = build_parts(resolved, build_store(resolved, data, None))
    model = build_model(resolved, parts.texts)
    objective, _ = build_objective(resolved, model)
    loop = Loop(
        resolved, parts, model, objective, build_augmentation(resolved), folder, Accelerator(cpu=ON_CPU)
    )
    loop.model.train()
    items = itertools.cycle(list(itertools.islice(loop._items(0), 8)))

    def step() -> tuple[float, float]:
        item = next(items)
        start, used = time.perf_counter(), time.process_time()
        loop._step(item)
        if loop.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start, time.process_time() - used

    return step


ON_CPU = not torch.cuda.is_available()


def machine() -> dict[str, Any]:
    """What the figures belong to."""
    listing = Path("/proc/cpuinfo")
    names = [
        line.split(":", 1)[1].strip() for line in listing.read_text().splitlines() if "model name" in line
    ]
    return {
        "processor": names[0] if names else platform.processor(),
        "device": "cpu" if ON_CPU else torch.cuda.get_device_name(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def row(name: str, seconds: dict[str, list[tuple[float, float]]]) -> dict[str, Any]:
    """Medians of a case; what it adds is the median over turns, so that what else ran met both alike."""
    found: dict[str, Any] = {"case": name}
    grounds = {
        "added": "no local term",
        "transport_added": GROUND.get(name.partition(",")[0], "no local term"),
    }
    for k, what in enumerate(("wall", "cpu")):
        found[f"{what}_ms"] = round(1e3 * statistics.median(pair[k] for pair in seconds[name]), 1)
        for added, ground in grounds.items():
            pairs = zip(seconds[name], seconds[ground], strict=True)
            found[f"{what}_{added}"] = round(
                statistics.median(own[k] / base[k] for own, base in pairs) - 1, 3
            )
    return found


def main() -> None:
    """Take turns, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="a prepared store, or the corpus")
    parser.add_argument("--recipe", type=Path, default=Path("recipes/ptbxl.yaml"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--only", nargs="*", help="cases whose name holds one of these words")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    chosen = {
        name: terms
        for name, terms in CASES.items()
        if not given.only or name in ("no local term", *GROUND.values()) or any(w in name for w in given.only)
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in chosen}
    with tempfile.TemporaryDirectory() as folder:
        steps = {
            name: stepper(given.recipe, given.data, terms, Path(folder) / str(k))
            for k, (name, terms) in enumerate(chosen.items())
        }
        for turn in range(given.rounds + 3):
            for name, step in steps.items():
                took = step()
                if turn >= 3:  # the first ones warm up
                    seconds[name].append(took)
    rows = [row(name, seconds) for name in seconds]
    record = {"machine": machine(), "recipe": str(given.recipe), "rounds": given.rounds, "rows": rows}
    text = json.dumps(record, indent=1)
    if given.out:
        given.out.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(f"{'':32s} {'wall ms':>9s} {'added':>8s} {'to uniform':>11s} {'CPU ms':>9s} ...\n")
    for found in rows:
        times = "".join(
            f" {found[f'{what}_ms']:9.1f} {found[f'{what}_added']:+8.1%} {found[f'{what}_transport_added']:+11.1%}"
            for what in ("wall", "cpu")
        )
        sys.stdout.write(f"{found['case']:32s}{times}\n")


if __name__ == "__main__":
    main()
