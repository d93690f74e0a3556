"""Write the tables of README.md from results/*.json, or check that they are theirs."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ecgclip.errors import ECGClipError
from ecgclip.studies.readme_tables import keep_tables

HERE = Path(__file__).parent
SETS = ("ptbxl-superclass", "ptbxl-subclass", "ptbxl-form", "ptbxl-rhythm")
FRACTIONS = ("0.01", "0.1", "1")


def _set(name: str) -> Callable[[dict[str, Any]], float | None]:
    return lambda run: run["sets"][name]["macro"]


def _probe(fraction: str) -> Callable[[dict[str, Any]], float | None]:
    return lambda run: run["probe"].get(fraction, {}).get("mean")


COLUMNS: dict[str, Callable[[dict[str, Any]], float | None]] = {
    "mean of four (range)": lambda run: run["mean"],
    "super": _set(SETS[0]),
    "sub": _set(SETS[1]),
    "form": _set(SETS[2]),
    "rhythm": _set(SETS[3]),
    "CPSC": lambda run: None if run["outside"] is None else run["outside"]["auroc"]["all-classes"],
    "probe 1 %": _probe("0.01"),
    "probe 10 %": _probe("0.1"),
    "probe 100 %": _probe("1"),
    "recall@10": lambda run: run["retrieval"].get("ecg to text", {}).get("recall@10"),
    "records/s": lambda run: run["seconds"].get("records_per_second"),
}


def _cell(title: str, values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    mean = sum(known) / len(known)
    if title == "records/s":
        return f"{mean:.0f}"
    spread = f" ({min(known):.3f}-{max(known):.3f})" if "range" in title and len(known) > 1 else ""
    return f"{mean:.3f}{spread}"


def _runs(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The runs of each variant, the best mean first."""
    runs: dict[str, list[dict[str, Any]]] = {}
    for file in sorted((folder / "results").glob("*.json")):
        run = json.loads(file.read_text(encoding="utf-8"))
        runs.setdefault(run["variant"], []).append(run)
    over = {name: sum(run["mean"] or 0.0 for run in each) / len(each) for name, each in runs.items()}
    return {name: runs[name] for name in sorted(runs, key=lambda each: -over[each])}


def probes(folder: Path) -> list[str]:
    """One row a variant: the probe of each label set at each share of the training patients, mean over seeds."""
    runs = _runs(folder)
    if not runs:
        return ["*Not run yet.*"]
    titles = [f"{name.removeprefix('ptbxl-')} 1 / 10 / 100 %" for name in SETS]
    lines = [f"| objective | seeds | {' | '.join(titles)} |", "|---|---|" + "---|" * len(titles)]
    for name, each in runs.items():
        cells = [
            " / ".join(
                _cell("", [run["probe"].get(fraction, {}).get(labels) for run in each])
                for fraction in FRACTIONS
            )
            for labels in SETS
        ]
        lines.append(f"| `{name}` | {len(each)} | {' | '.join(cells)} |")
    return lines


def table(folder: Path) -> list[str]:
    """One row a variant, over its seeds."""
    runs = _runs(folder)
    if not runs:
        return ["*Not run yet.*"]
    lines = [f"| objective | seeds | {' | '.join(COLUMNS)} |", "|---|---|" + "---|" * len(COLUMNS)]
    for name in runs:
        cells = [_cell(title, [read(run) for run in runs[name]]) for title, read in COLUMNS.items()]
        lines.append(f"| `{name}` | {len(runs[name])} | {' | '.join(cells)} |")
    stores = sorted({run["store"] for each in runs.values() for run in each})
    n = sorted({run["n"]["test"] for each in runs.values() for run in each})
    return [*lines, "", f"Store {', '.join(stores)}; {', '.join(map(str, n))} recordings in the test fold."]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail where README differs")
    parser.add_argument(
        "--folder", type=Path, default=HERE, help="another folder with README.md and results/"
    )
    args = parser.parse_args()
    try:
        tables = {"objectives": table(args.folder), "probes": probes(args.folder)}
        keep_tables(args.folder / "README.md", tables, check=args.check)
    except ECGClipError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
