"""Write the tables of the protocols' READMEs from results/*.json, or check them.

A results file is what ``ecgclip benchmark RUN --data CORPUS --split test`` wrote into ``RUN/evaluation``.
"""

import argparse
import sys
from pathlib import Path

from ecgclip.errors import ECGClipError
from ecgclip.studies.benchmark.results import Results, Row, read_results
from ecgclip.studies.readme_tables import keep_tables

HERE = Path(__file__).parent
PROTOCOLS = ("linear_probe", "few_shot", "leads", "robustness", "calibration", "retrieval", "fine_tune")


def _setting(row: Row) -> str:
    return ", ".join(f"{key} {value}" for key, value in row.setting.items())


def _cell(row: Row | None) -> str:
    if row is None or row.figure is None:
        return ""
    return f"{row.figure:.3f}" + ("" if row.low is None else f" ({row.low:.3f}-{row.high:.3f})")


def rendered(found: Results) -> list[str]:
    """One row a name and setting, one column a label set; draws stand in the file alone."""
    rows = [row for row in found.rows if row.population == "all" and "draw" not in row.setting]
    columns = list(dict.fromkeys(row.labels for row in rows))
    cells = {(row.name, _setting(row), row.metric, row.labels): row for row in rows}
    heads = [labels.removeprefix("ptbxl-") or "all" for labels in columns]
    lines = [f"| row | setting | metric | {' | '.join(heads)} |", "|---|---|---|" + "---|" * len(columns)]
    for name, setting, metric in dict.fromkeys(key[:3] for key in cells):
        values = [_cell(cells.get((name, setting, metric, labels))) for labels in columns]
        lines.append(f"| {name} | {setting} | {metric} | {' | '.join(values)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="change nothing; fail where a README differs")
    args = parser.parse_args()
    try:
        for protocol in PROTOCOLS:
            for file in sorted((HERE / protocol / "results").glob("ptbxl*.json")):
                tables = {file.stem: rendered(read_results(file))}
                keep_tables(HERE / protocol / "README.md", tables, check=args.check)
    except ECGClipError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
