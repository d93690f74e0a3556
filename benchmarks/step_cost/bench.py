"""Time a step of our loop beside the same objective in a plain PyTorch loop, taking turns in one process.

    python benchmarks/step_cost/bench.py --out benchmarks/step_cost/results.json

README.md states the protocol.
"""

import argparse
import datetime
import itertools
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from plain import LOSSES, Plain

from ecgclip.training.assembly import (
    build_augmentation,
    build_model,
    build_objective,
    build_parts,
    build_store,
)
from ecgclip.training.loop import Loop, keep_freed_memory
from ecgclip.training.recipe import load_recipe

RECIPES = Path(__file__).parents[2] / "recipes" / "objectives"


def seconds(call: Callable[[], Any], device: torch.device) -> float:
    """Duration of a call, the accelerator's queue emptied before and after."""
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    wait()
    start = time.perf_counter()
    call()
    wait()
    return time.perf_counter() - start


def measure(name: str, args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Medians of both loops on one objective, and the median of the ratios of neighbouring steps."""
    overrides: dict[str, Any] = {
        "model.local": None,
        "schedule.epochs": 10_000,
        "schedule.batch_size": args.batch,
    }
    if args.data is None:
        overrides["data.corpus"] = {"kind": "simulated", "n": args.n, "seed": 0}
        overrides["data.store"] = str(folder / "store")
    recipe = load_recipe(RECIPES / f"{name}.yaml", overrides)
    parts = build_parts(recipe, build_store(recipe, args.data, None))
    model, twin = (build_model(recipe, parts.texts).train() for _ in range(2))
    objective = build_objective(recipe, model)[0]
    augmentation = build_augmentation(recipe)
    loop = Loop(recipe, parts, model, objective, augmentation, folder, Accelerator(cpu=args.cpu))
    plain = Plain(twin.to(loop.device), name, loop.autocast)
    keep_freed_memory()

    def by_hand(item: Any) -> None:
        batch = augmentation(item.batch.to(loop.device), loop.order.keys(item.epoch, item.mine))
        plain.step(batch, parts.texts.step(item.positions, loop.order.keys(item.epoch, item.positions)))

    ours: list[float] = []
    theirs: list[float] = []
    for number, item in enumerate(itertools.islice(loop._items(0), args.warmup + args.steps)):
        turns = [(ours, lambda item=item: loop._step(item)), (theirs, lambda item=item: by_hand(item))]
        for times, call in turns if number % 2 else reversed(turns):
            times.append(seconds(call, loop.device))
    ours, theirs = ours[args.warmup :], theirs[args.warmup :]
    return {
        "ours_ms": round(1e3 * statistics.median(ours), 2),
        "plain_ms": round(1e3 * statistics.median(theirs), 2),
        "ratio": round(statistics.median(ours) / statistics.median(theirs), 4),
        "ratio_of_neighbours": round(statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), 4),
        "precision": loop.precision,
        "device": str(loop.device),
    }


def processor() -> str:
    """Name of the processor."""
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text().splitlines() if listing.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    """Measure, print a table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", help="a prepared store or PTB-XL; simulated recordings without")
    parser.add_argument("--n", type=int, default=600, help="simulated recordings")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=60, help="steps of each loop that count")
    parser.add_argument("--warmup", type=int, default=5, help="steps of each loop that do not")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cpu", action="store_true", help="leave a GPU alone")
    parser.add_argument("--objectives", nargs="+", choices=sorted(LOSSES), default=sorted(LOSSES))
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    found: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "machine": processor(),
        "gpu": None if args.cpu or not torch.cuda.is_available() else torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "threads": args.threads,
        "batch": args.batch,
        "steps": args.steps,
        "objectives": {},
    }
    print(f"{'objective':<10}{'ours ms':>10}{'plain ms':>10}{'ratio':>8}{'of neighbours':>16}")
    for name in args.objectives:
        with tempfile.TemporaryDirectory() as folder:
            row = measure(name, args, Path(folder))
        found["objectives"][name] = row
        print(
            f"{name:<10}{row['ours_ms']:>10.1f}{row['plain_ms']:>10.1f}{row['ratio']:>8.3f}"
            f"{row['ratio_of_neighbours']:>16.3f}"
        )
    if args.out is not None:
        args.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
