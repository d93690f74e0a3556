"""``ecgclip compare``: two runs that scored the same recordings in, paired differences with intervals out."""

import argparse
import json
from typing import TYPE_CHECKING

from .arguments import add_json, add_labels, add_out, check_out, seed

if TYPE_CHECKING:
    from ecgclip.studies.comparison import Comparison, Difference

NAME = "compare"
HELP = "differences of two runs, or of two rotations, on the same patients, with intervals"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("run_a", metavar="RUN_A", help="run folder, or the .rotation.json file of a rotation")
    parser.add_argument("run_b", metavar="RUN_B", help="the other; a positive difference speaks for RUN_A")
    add_labels(parser)
    parser.add_argument(
        "--split",
        choices=("train", "validation", "test", "all"),
        help="whose scores of the run folders (default: validation)",
    )
    parser.add_argument(
        "--draws", type=int, default=1000, metavar="N", help="bootstrap draws (default: 1000)"
    )
    parser.add_argument("--seed", type=seed, default=0, help="seed of the draws")
    add_out(parser, "write all rows as CSV")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from pathlib import Path

    from ecgclip.corpora.writing import whole_file
    from ecgclip.studies.comparison import compare

    check_out(args.out, (".csv",))
    labels = [name.strip() for name in (args.labels or "").split(",") if name.strip()]
    found = compare(
        args.run_a, args.run_b, labels=labels or None, split=args.split, draws=args.draws, seed=args.seed
    )
    if args.json:
        print(json.dumps(found.to_dict()))
    else:
        print(_text(found))
    if args.out is not None:
        with whole_file(Path(args.out)) as temporary:
            found.to_frame().to_csv(temporary, index=False)
    return 0


def _text(found: "Comparison") -> str:
    """The comparison as lines for people."""
    rows = [*found.sets, *([found.mean] if found.mean else [])]
    width = max(len(row.name) for row in (*rows, *found.labels))
    head = f"{'':{width}}  {'A':>5}  {'B':>5}  {'A - B':>6}  {'95 % interval':>16}"
    lines = [f"A  {found.a}", f"B  {found.b}", ""]
    lines += [f"{head}  {'p':>5}  {'p Holm':>6}"]
    lines += [_line(row, width) for row in rows]
    lines += ["", f"{head}  {'p':>5}  positives", *(_label_line(row, width) for row in found.labels)]
    if found.left_out:
        names = [name.split(": ")[-1] for name in found.left_out]
        lines += ["", f"too rare to count ({len(names)}): {', '.join(names)}"]
    lines += [
        "",
        f"{found.n} recordings of {found.patients} patients, {found.draws} paired draws of patients",
        f"labels count from {found.minimum} positives and {found.minimum} negatives on",
        f"p Holm is adjusted over the label sets ({len(found.sets)}); single labels are not adjusted",
    ]
    return "\n".join(lines)


def _line(row: "Difference", width: int) -> str:
    adjusted = "" if row.p_holm is None else f"  {row.p_holm:6.3f}"
    return f"{_start(row, width)}{adjusted}"


def _label_line(row: "Difference", width: int) -> str:
    return f"{_start(row, width)}  {row.positives:9d}"


def _start(row: "Difference", width: int) -> str:
    interval = f"{_signed(row.low)} to {_signed(row.high)}"
    return f"{row.name:{width}}  {row.a:.3f}  {row.b:.3f}  {_signed(row.difference)}  {interval:>16}  {row.p:5.3f}"


def _signed(value: float) -> str:
    return f"{round(value, 3) + 0.0:+.3f}"  # adding zero makes a negative zero positive
