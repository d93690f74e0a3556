"""Arguments that several commands share, said once."""

import argparse
from typing import Any

from ecgclip.errors import UsageError

__all__ = ["add_data", "add_json", "add_labels", "add_out", "add_set", "add_split", "overrides"]


def add_data(parser: argparse.ArgumentParser, *, required: bool, what: str) -> None:
    """Add ``--data``."""
    parser.add_argument("--data", required=required, metavar="PATH", help=what)


def add_labels(parser: argparse.ArgumentParser) -> None:
    """Add ``--labels``."""
    parser.add_argument(
        "--labels",
        metavar="SET",
        help="label set (ptbxl-superclass, cpsc2018, …) or a prompt bank's YAML file; several by commas",
    )


def add_split(parser: argparse.ArgumentParser) -> None:
    """Add ``--split``."""
    parser.add_argument("--split", choices=("train", "validation", "test", "all"), help="part of the corpus")


def add_out(parser: argparse.ArgumentParser, what: str) -> None:
    """Add ``--out``."""
    parser.add_argument("--out", metavar="PATH", help=what)


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
