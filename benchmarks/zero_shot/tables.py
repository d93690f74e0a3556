"""Write the zero-shot tables of README.md from the JSON files beside this script, or check that they are theirs."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ecgclip.errors import ECGClipError
from ecgclip.studies.readme_tables import keep_tables

HERE = Path(__file__).parent
README = HERE.parents[1] / "README.md"
SETS = ("ptbxl-superclass", "ptbxl-subclass", "ptbxl-form", "ptbxl-rhythm")


def _load(run: str, corpus: str) -> dict[str, dict[str, Any]]:
    """Rows of a results file of ``ecgclip benchmark`` by their key, such as ``model/ptbxl-form``."""
    file = HERE / "results" / f"{run}.{corpus}.json"
    return {row["key"]: row for row in json.loads(file.read_text(encoding="utf-8"))["rows"]}


def _sets_table(run: str) -> list[str]:
    found = _load(run, "fold10")
    lines = ["| label set | macro AUROC, 95 % interval | labels |", "|---|---|---|"]
    for key in SETS:
        row = found[f"model/{key}"]
        figure = f"{row['figure']:.3f} ({row['low']:.3f}-{row['high']:.3f})"
        lines.append(f"| {key} | {figure} | {row['n_labels']} of {len(row['classes'])} |")
    mean = found["model/ptbxl-mean"]
    return [
        *lines,
        f"| mean of the four | **{mean['figure']:.3f}** ({mean['low']:.3f}-{mean['high']:.3f}) | |",
    ]


def _row(title: str, runs: list[str]) -> str:
    fold = [[_load(run, "fold10")[f"model/{key}"]["figure"] for key in SETS] for run in runs]
    cells = [sum(column) / len(column) for column in zip(*fold, strict=True)]
    means = [sum(each) / len(each) for each in fold]
    cpsc = [_load(run, "cpsc")["model/cpsc2018/all-classes"]["figure"] for run in runs]
    spread = f" ({min(means):.3f}-{max(means):.3f})" if len(runs) > 1 else ""
    return (
        f"| {title} | "
        + " | ".join(f"{cell:.3f}" for cell in cells)
        + f" | **{sum(means) / len(means):.3f}**{spread} | {sum(cpsc) / len(cpsc):.3f} |"
    )


def _runs_table() -> list[str]:
    rows = json.loads((HERE / "rows.json").read_text(encoding="utf-8"))
    head = ["| trained on | super | sub | form | rhythm | mean (range of seeds) | CPSC, nine classes |"]
    return [*head, "|---|---|---|---|---|---|---|", *(_row(row["title"], row["runs"]) for row in rows)]


def blocks() -> dict[str, list[str]]:
    """The tables by the name of their marker."""
    return {
        "quickstart-ptbxl-fold10": _sets_table("quickstart"),
        "ptbxl-fold10": _runs_table(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail where README differs")
    args = parser.parse_args()
    try:
        keep_tables(README, blocks(), check=args.check)
    except ECGClipError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
