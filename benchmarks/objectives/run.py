"""Train every objective with several seeds on folds 1-8, choose on fold 9, and test on fold 10 and on CPSC 2018.

What is finished is kept, so the same command goes on after a kill; results/ gets a file for each run.
"""

import argparse
import platform
import sys
import time
from dataclasses import replace
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

from ecgclip.errors import ECGClipError
from ecgclip.studies.ablation import read_variants
from ecgclip.studies.rotation import CellJob, cell_job, open_shared_store, run_cell
from ecgclip.training.journal import duration
from ecgclip.training.run_folder import write_json

HERE = Path(__file__).parent
FRACTIONS = (0.01, 0.1, 1.0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="prepared store of PTB-XL, or the corpus on disk")
    parser.add_argument("--cpsc", type=Path, help="CPSC 2018 recordings in the Challenge's form")
    parser.add_argument("--out", type=Path, required=True, help="folder of the trainings")
    parser.add_argument("--variants", default="objectives,published", help="names or groups, with commas")
    parser.add_argument("--seeds", default="0,1,2", help="seeds, with commas (default: 0,1,2)")
    parser.add_argument(
        "--test-fold", type=int, default=10, help="the test fold; the one before it validates"
    )
    parser.add_argument("--epochs", type=int, help="shorter or longer trainings, for all alike")
    parser.add_argument(
        "--file", type=Path, default=HERE.parent / "ablation" / "variants.yaml", help="the variants"
    )
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder of the results files")
    return parser.parse_args()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _write(path: Path, name: str, note: str, seed: int, job: CellJob) -> float | None:
    """Keep what the cell says, with what it takes to believe it."""
    record = run_cell(job, _say).record
    written = {
        "variant": name,
        "note": note,
        **record,
        "seed": seed,
        "command": " ".join(["python", *sys.argv]),
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": f"{platform.machine()}, {platform.system()}",
        "versions": {package: version(package) for package in ("ecgclip", "torch", "numpy")},
    }
    if not path.is_file():
        write_json(path, written)
    return record["mean"]


def main() -> None:
    args = _arguments()
    overrides = {} if args.epochs is None else {"schedule.epochs": args.epochs}
    variants = read_variants(args.file, args.variants.split(","), overrides=overrides)
    seeds = [int(seed) for seed in args.seeds.split(",")]
    store = open_shared_store(next(iter(variants.values())).recipe, args.data, _say)
    todo = [
        (seed, name) for seed in seeds for name in variants
    ]  # seed by seed: a night that ends early compares
    began, trained = time.monotonic(), 0
    for count, (seed, name) in enumerate(todo, 1):
        job = cell_job(
            variants[name].recipe, store, fold=args.test_fold, seed=0, out=args.out, training_seed=seed
        )
        job = replace(job, fractions=FRACTIONS, outside=args.cpsc)
        trained += not job.finished
        mean = _write(args.results / f"{name}-seed{seed}.json", name, variants[name].note, seed, job)
        each = (time.monotonic() - began) / max(1, trained)
        figure = "-" if mean is None else f"{mean:.3f}"
        left = duration(each * (len(todo) - count)) if trained else "?"
        _say(f"run {count} of {len(todo)} | {name} seed {seed} | mean {figure} | {left} left")
    _say(f"results: {args.results}; tables: python {HERE / 'tables.py'}")


if __name__ == "__main__":
    try:
        main()
    except ECGClipError as error:
        sys.exit(f"run.py: {error}")
    except KeyboardInterrupt:
        sys.exit("run.py: interrupted; the same command goes on where it stopped")
