"""Rotate variants over folds: explore with folds 1-5, or confirm what decision.yaml says, once, with folds 6-10.

What is finished is kept, so the same command goes on after a kill; more variants can be added any time.
"""

import argparse
import sys
from pathlib import Path

from ecgclip.errors import ECGClipError, UsageError
from ecgclip.studies.ablation import confirm, explore, read_decision, read_variants

HERE = Path(__file__).parent


def _list(text: str | None) -> list[str] | None:
    return None if text is None else [each.strip() for each in text.split(",") if each.strip()]


def _folds(text: str | None) -> list[int] | None:
    names = _list(text)
    if names is None:
        return None
    if not all(name.isdigit() for name in names):
        raise UsageError(f"--folds {text}: expected numbers with commas, such as 1,2")
    return [int(name) for name in names]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phase", choices=("explore", "confirm"), required=True)
    parser.add_argument("--variants", help="names or groups of variants.yaml, with commas (default: all)")
    parser.add_argument("--data", help="prepared store, or the corpus on disk", required=True)
    parser.add_argument("--out", help="folder of the cells; models and scores stay there", required=True)
    parser.add_argument("--folds", help="some folds of the phase, such as 1,2")
    parser.add_argument("--epochs", type=int, help="shorter or longer trainings, for all variants alike")
    parser.add_argument("--jobs", type=int, default=1, help="cells trained at once (default: 1)")
    parser.add_argument("--file", type=Path, default=HERE / "variants.yaml", help="the variants")
    parser.add_argument("--decision", type=Path, default=HERE / "decision.yaml", help="what is confirmed")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder of the results files")
    return parser.parse_args()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    args = _arguments()
    overrides = {} if args.epochs is None else {"schedule.epochs": args.epochs}
    shared = {"out": args.out, "folds": _folds(args.folds), "jobs": args.jobs, "report": _say}
    results = args.results / f"{args.phase}.json"
    if args.phase == "explore":
        variants = read_variants(args.file, _list(args.variants), overrides=overrides)
        explore(variants, args.data, results=results, **shared)
    else:
        if args.variants is not None:
            raise UsageError("--variants: a confirmation takes its variants from the decision alone")
        decision = read_decision(args.decision)
        variants = read_variants(args.file, decision.variants, overrides=overrides)
        found = confirm(variants, decision, args.data, results=results, **shared)
        if not found["complete"]:
            _say("not all folds are there yet: the same command without --folds goes on")
    _say(f"results: {results}; tables: python {HERE / 'tables.py'}")


if __name__ == "__main__":
    try:
        main()
    except ECGClipError as error:
        sys.exit(f"run.py: {error}")
    except KeyboardInterrupt:
        sys.exit("run.py: interrupted; the same command goes on where it stopped")
