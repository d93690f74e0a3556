"""Arguments that several commands share, said once."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ecgclip.errors import DataError, UsageError

__all__ = [
    "add_data",
    "add_json",
    "add_labels",
    "add_out",
    "add_set",
    "add_split",
    "check_out",
    "filled",
    "overrides",
]


def add_data(parser: argparse.ArgumentParser, *, required: bool, what: str) -> None:
    """Add ``--data``."""
    parser.add_argument("--data", required=required, type=filled, metavar="PATH", help=what)


def add_labels(parser: argparse.ArgumentParser) -> None:
    """Add ``--labels``."""
    parser.add_argument(
        "--labels",
        type=filled,
        metavar="SET",
        help="label set (ptbxl-superclass, cpsc2018, …) or a prompt bank's YAML file; several by commas",
    )


def add_split(parser: argparse.ArgumentParser) -> None:
    """Add ``--split``."""
    parser.add_argument("--split", choices=("train", "validation", "test", "all"), help="part of the corpus")


def add_out(parser: argparse.ArgumentParser, what: str) -> None:
    """Add ``--out``."""
    parser.add_argument("--out", type=filled, metavar="PATH", help=what)


def check_out(out: str | None, endings: Sequence[str]) -> None:
    """Refuse a file that cannot be written, before anything is computed for it.

    Raises:
        UsageError: another ending, or a folder of that name.
        DataError: a file stands where its folder would, or the folder is closed to this user.
    """
    if out is None:
        return
    path = Path(out)
    if path.suffix.lower() not in endings:
        raise UsageError(f"--out {out}: expected a name ending in {', '.join(endings)}")
    if path.is_dir():
        raise UsageError(f"--out {out}: is a folder; name a file")
    above = next(each for each in (*path.absolute().parents,) if each.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        why = "may not be written into" if above.is_dir() else "is a file"
        raise DataError(f"--out {out}: {above} {why}; choose another folder")


def seed(text: str) -> int:
    """A whole number that a generator takes."""
    if not text.strip().isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number of 0 or more, got {text!r}")
    return int(text)


def filled(text: str) -> str:
    """An argument that is not empty, as an unset variable of the shell makes it."""
    if not text.strip(" ,"):
        raise argparse.ArgumentTypeError("expected a value, got an empty one")
    return text


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def add_set(parser: argparse.ArgumentParser) -> None:
    """Add ``--set``."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a recipe's value, by dotted key",
    )


def overrides(args: argparse.Namespace) -> dict[str, Any]:
    """Read ``--set key.path=value`` and ``--seed``.

    Raises:
        UsageError: an entry without ``=``.
    """
    from ecgclip.training.yaml import yaml_value

    found: dict[str, Any] = {}
    for entry in args.set:
        key, sign, value = entry.partition("=")
        if not sign or not key:
            raise UsageError(f"--set {entry}: expected KEY=VALUE, such as --set optimizer.lr=1e-3")
        found[key.strip()] = yaml_value(value)
    if getattr(args, "seed", None) is not None:
        found["seed"] = args.seed
    return found
