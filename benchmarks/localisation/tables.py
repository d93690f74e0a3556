"""Write the tables of this folder's README.md from the JSON files in results/, or check that they are theirs.

python benchmarks/localisation/tables.py [--check]
"""

import argparse
import json
import sys
from pathlib import Path

from ecgclip.errors import ECGClipError
from ecgclip.studies.readme_tables import keep_tables

HERE = Path(__file__).parent
README = HERE / "README.md"
STUDIES = {
    "planted": ("enough", "share"),
    "two-simulated": ("both", "pvc_on_pvc", "pac_on_pac"),
    "two-real": ("both", "pvc_on_pvc", "pac_on_pac"),
    "real": ("ratio", "share"),
}
OVER = "over attention"


def _cell(figure: dict, digits: int) -> str:
    return f"{figure['mean']:.{digits}f} ({figure['low']:.{digits}f}-{figure['high']:.{digits}f})"


def table(study: str) -> list[str]:
    """Readings down, models across: the study's first figure, and how far it is above attention."""
    key = STUDIES[study][0]
    digits = 1 if key == "ratio" else 2
    files = sorted((HERE / "results").glob(f"*.{study}.json"))
    found = {
        file.name.split(".")[0]: json.loads(file.read_text(encoding="utf-8"))["figures"] for file in files
    }
    lines = [f"| reading | {' | '.join(found)} |", "|---|" + "---|" * len(found)]
    readings = list(dict.fromkeys(reading for figures in found.values() for reading in figures[key]))
    for reading in readings:
        cells = []
        for figures in found.values():
            figure = figures[key].get(reading)
            if figure is None:
                cells.append("")
                continue
            above = figure.get(OVER)
            sure = "" if above is None or above["low"] <= 0 <= above["high"] else " *"
            cells.append(_cell(figure, digits) + sure)
        lines.append(f"| {reading} | {' | '.join(cells)} |")
    if study == "real":
        possible = [_cell(figures["possible"][readings[0]], 1) for figures in found.values()]
        lines.append(f"| *the most that is possible* | {' | '.join(possible)} |")
    else:
        for other in STUDIES[study][1:]:
            name = "as trained"
            cells = [_cell(figures[other][name], 2) for figures in found.values()]
            lines.append(f"| *{other.replace('_', ' ')}, {name}* | {' | '.join(cells)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail where README differs")
    args = parser.parse_args()
    try:
        keep_tables(README, {study: table(study) for study in STUDIES}, check=args.check)
    except ECGClipError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
