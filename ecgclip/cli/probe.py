"""``ecgclip probe``: the linear probe alone, what a frozen encoder's features hold."""

import argparse

from .arguments import add_data
from .benchmark import add_common, measure

NAME = "probe"
HELP = (
    "linear probe of a frozen encoder at 1, 10 and 100 % of the training patients (benchmark's linear_probe)"
)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "model",
        metavar="RUN",
        help="run folder, model folder or hub id; or an encoder: .pt (TorchScript), .onnx",
    )
    add_data(parser, required=True, what="a corpus with labels, or a prepared store")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    return measure(args, ["linear_probe"])
