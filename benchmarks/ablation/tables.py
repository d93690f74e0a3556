"""Write the tables of README.md from results/*.json, or check that they are theirs."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ecgclip.errors import ECGClipError
from ecgclip.studies.readme_tables import keep_tables

HERE = Path(__file__).parent
README = HERE / "README.md"

COLUMNS = {
    "macro": "mean of four",
    "ptbxl-superclass": "super",
    "ptbxl-subclass": "sub",
    "ptbxl-form": "form",
    "ptbxl-rhythm": "rhythm",
    "PVC": "PVC",
    "PAC": "PAC",
    "leads": "lead groups",
    "localisation": "on the beat",
    "competing": "two findings",
    "probe-1": "probe 1 %",
    "probe-10": "probe 10 %",
    "ecg to text recall@10": "recall@10",
    "seconds:records_per_second": "records/s",
}
FORMATS = {"localisation": "{:.1f}", "seconds:records_per_second": "{:.0f}"}
MEASURES = ("macro", "beat", "leads", "localisation", "competing", "probe-1", "probe-10")
NOT_YET = ["*Not run yet.*"]


def _load(name: str) -> dict[str, Any] | None:
    file = HERE / "results" / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def _number(key: str, value: float | None) -> str:
    return "" if value is None else FORMATS.get(key, "{:.3f}").format(value)


def _figures(variants: dict[str, Any], of: int) -> list[str]:
    lines = [
        "| variant | folds | " + " | ".join(COLUMNS.values()) + " | |",
        "|---|---|" + "---|" * len(COLUMNS) + "---|",
    ]
    for name, each in sorted(variants.items(), key=lambda item: -(item[1]["mean"].get("macro") or 0)):
        cells = " | ".join(_number(key, each["mean"].get(key)) for key in COLUMNS)
        lines.append(f"| `{name}` | {len(each['folds'])} of {of} | {cells} | {each['note']} |")
    return lines


def _interval(row: dict[str, Any], digits: int = 3) -> str:
    numbers = (row["difference"], row["low"], row["high"])
    one, low, high = (f"{round(value, digits) + 0.0:+.{digits}f}" for value in numbers)
    return f"{one} ({low} to {high})"


def _differences(found: dict[str, Any], titles: dict[str, str]) -> list[str]:
    head = f"Difference from `{found['against']}`, paired, 95 % interval over patients within folds (not adjusted):"
    return _matrix(head, found["measures"], titles)


def _beside(family: dict[str, Any], titles: dict[str, str]) -> list[str]:
    head = f"`{family['formulation']}` less each of them on what is not judged (not adjusted):"
    return _matrix(head, family["other_measures"], titles)


def _matrix(head: str, found: dict[str, Any], titles: dict[str, str]) -> list[str]:
    """Differences, a line a variant and a column a measure."""
    measures = [each for each in MEASURES if found.get(each)]
    if not measures:
        return []
    names = dict.fromkeys(row["name"] for each in measures for row in found[each])
    lines = [
        "",
        head,
        "",
        "| variant | " + " | ".join(titles[each] for each in measures) + " |",
        "|---|" + "---|" * len(measures),
    ]
    for name in names:
        cells = []
        for each in measures:
            row = next((row for row in found[each] if row["name"] == name), None)
            cells.append("" if row is None else _interval(row, 1 if each == "localisation" else 3))
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return lines


def explored() -> list[str]:
    """One section a group of variants."""
    found = _load("explore")
    if found is None:
        return NOT_YET
    lines = [
        f"{found['corpus']['name']}, {found['corpus']['n']} recordings, store {found['corpus']['store']}; folds "
        f"{', '.join(map(str, found['folds']))} as tests; {found['date']}."
    ]
    for group in dict.fromkeys(each["group"] for each in found["variants"].values()):
        members = {name: each for name, each in found["variants"].items() if each["group"] == group}
        title = next(iter(members.values()))["title"]
        lines += ["", f"### {title[0].upper()}{title[1:]}", "", *_figures(members, len(found["folds"]))]
        lines += _differences(found["differences"].get(group, {"measures": {}}), found["measures"])
    return lines


def confirmed() -> list[str]:
    """What was decided, and what came of it."""
    found = _load("confirm")
    if found is None:
        return NOT_YET
    decision = found["decision"]
    lines = [
        f"Decided on {decision['date']}: {decision['why']}",
        "",
        f"{found['corpus']['name']}, {found['corpus']['n']} recordings, store {found['corpus']['store']}; folds "
        f"{', '.join(map(str, found['folds']))} as tests, study seed {found['study_seed']}; {found['date']}.",
        "",
        *_figures(found["variants"], len(found["folds"])),
    ]
    for family in found.get("families", []):
        lines += [
            "",
            f"**{family['name']}**: `{family['formulation']}` on *{found['measures'][family['measure']]}*, Holm over "
            f"{len(family['against'])}.",
            "",
            "| against | ours | theirs | difference (95 % interval) | p | p, Holm |",
            "|---|---|---|---|---|---|",
        ]
        lines += [_family_row(row) for row in family["differences"]]
        lines += _beside(family, found["measures"])
    if found.get("reported"):
        lines += ["", "Reported beside the families, not adjusted:", ""]
        lines += [
            "| against | ours | theirs | difference (95 % interval) | p | |",
            "|---|---|---|---|---|---|",
        ]
        lines += [_family_row(row) for row in found["reported"]]
    return lines if found["complete"] else [*lines, "", "*Not all folds are there yet: nothing is compared.*"]


def _family_row(row: dict[str, Any]) -> str:
    adjusted = "" if row["p_holm"] is None else f"{row['p_holm']:.3f}"
    return f"| `{row['name']}` | {row['a']:.3f} | {row['b']:.3f} | {_interval(row)} | {row['p']:.3f} | {adjusted} |"


def blocks() -> dict[str, list[str]]:
    """The tables by the name of their marker."""
    return {"explored": explored(), "confirmed": confirmed()}


def main() -> None:
    global HERE, README
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail where README differs")
    parser.add_argument(
        "--folder", type=Path, default=HERE, help="another folder with README.md and results/"
    )
    args = parser.parse_args()
    HERE, README = args.folder, args.folder / "README.md"
    try:
        keep_tables(README, blocks(), check=args.check)
    except ECGClipError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
