"""How fast recordings become probabilities: from a store, from WFDB files, one alone, and by the command line.

Run: ``python benchmarks/speed/serving.py RUN PTB-XL STORE [--out serving.json] [--threads 2] [--rounds 5]``, where
STORE is what ``ecgclip prepare`` made of PTB-XL for this model. Every figure is the median over rounds; the rounds
of all figures alternate, so that a busy minute falls on all of them.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from signals import machine

from ecgclip import ECGTextModel, ZeroShotClassifier
from ecgclip.corpora import Store
from ecgclip.models import StorePart

LABELS = "ptbxl-superclass"
Figures = dict[str, dict[str, float]]


def rounds(steps: dict[str, tuple[Callable[[], object], int]], count: int) -> Figures:
    """Seconds of each step by the clock and by the processor, over its number of recordings, in turn."""
    for step, _ in steps.values():
        step()
    wall: dict[str, list[float]] = {name: [] for name in steps}
    cpu: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(count):
        for name, (step, recordings) in steps.items():
            clock, processor = time.perf_counter(), time.process_time()
            step()
            wall[name].append((time.perf_counter() - clock) / recordings)
            cpu[name].append((time.process_time() - processor) / recordings)
    return {
        name: {
            "ms_a_record": 1e3 * statistics.median(wall[name]),
            "least_ms_a_record": 1e3 * min(wall[name]),
            "cpu_ms_a_record": 1e3 * statistics.median(cpu[name]),
            "records_a_second": 1.0 / statistics.median(wall[name]),
        }
        for name in steps
    }


def warm(run: str, files: list[Path], store: Store, count: int) -> Figures:
    """A process that has everything loaded."""
    model = ECGTextModel.from_pretrained(run)
    classifier = ZeroShotClassifier(model, LABELS)
    part = StorePart(store, np.arange(min(2048, len(store))))
    several = files[:512]

    def by(precision: str, records: object) -> Callable[[], object]:
        def step() -> None:
            model.precision = precision
            classifier.predict_proba(records)

        return step

    steps: dict[str, tuple[Callable[[], object], int]] = {}
    for precision in ("float32", "bfloat16"):
        steps[f"from a store, {precision}"] = (by(precision, part), len(part))
        steps[f"from WFDB files, {precision}"] = (by(precision, several), len(several))
    found = rounds(steps, count)
    alone = {f"one WFDB file ({file.stem})": (by("float32", file), 1) for file in files[:100]}
    each = rounds(alone, max(1, count // 2))
    found["one WFDB file alone, median of 100, float32"] = {
        key: statistics.median(figures[key] for figures in each.values()) for key in next(iter(each.values()))
    }
    model.precision = "float32"
    exact = classifier.predict_proba(part)
    model.precision = "bfloat16"
    found["bfloat16 against float32"] = {
        "largest_difference_of_a_probability": float(np.abs(classifier.predict_proba(part) - exact).max())
    }
    return found


def command_line(run: str, file: Path, count: int) -> Figures:
    """``ecgclip zero-shot`` on one recording, process start included."""
    command = [sys.executable, "-m", "ecgclip.cli", "zero-shot", run, "--data", str(file), "--labels", LABELS]
    seconds = []
    for _ in range(count + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    kept = seconds[1:]  # the first finds the disk's cache cold
    return {
        "ecgclip zero-shot, one WFDB file, process start included": {
            "seconds": statistics.median(kept),
            "least_seconds": min(kept),
        }
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("corpus", help="folder of PTB-XL, its 100 Hz recordings")
    parser.add_argument("store")
    parser.add_argument("--out")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    files = sorted(Path(args.corpus).rglob("records100/**/*.hea"))
    result = {
        "machine": machine(),
        "cpus": os.cpu_count(),
        "load_at_start": os.getloadavg()[0],
        "labels": LABELS,
        "figures": {
            **warm(args.run, files, Store.open(args.store), args.rounds),
            **command_line(args.run, files[0], args.rounds),
        },
        "load_at_end": os.getloadavg()[0],
    }
    text = json.dumps(result, indent=1)
    print(text)
    if args.out:
        Path(args.out).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
