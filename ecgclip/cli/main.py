"""``ecgclip``: reads the command, runs it, and turns errors into one line and a status."""

import argparse
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import NoReturn, Protocol, TextIO

from ecgclip import __version__

from . import (
    benchmark,
    compare,
    doctor,
    explain,
    prepare,
    pretrain,
    probe,
    prompts,
    reports,
    simulate,
    zero_shot,
)

__all__ = ["main"]


class Command(Protocol):
    """A module of this room."""

    NAME: str
    HELP: str

    def add(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Run the command and return the exit status."""


COMMANDS: tuple[Command, ...] = (
    prepare,
    pretrain,
    zero_shot,
    probe,
    benchmark,
    explain,
    compare,
    simulate,
    prompts,
    reports,
    doctor,
)

_EPILOG = """\
start here:
  ecgclip pretrain                      train on the simulated corpus; no data and no network needed
  ecgclip pretrain recipes/ptbxl.yaml --data PTB-XL
  ecgclip zero-shot RUN --data RECORDS --labels ptbxl-superclass
"""


_GOES_ON = ("prepare", "pretrain", "benchmark", "probe")


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are two lines, not a page of usage."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is, and exit with status 2."""
        self.exit(2, f"{self.prog}: {message}\nsee: {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="ecgclip",
        description="Pretrain ECG encoders against clinical text; classify ECGs that nobody labelled.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ecgclip {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        sub = commands.add_parser(
            command.NAME, help=command.HELP.replace("%", "%%"), description=command.HELP
        )
        command.add(sub)
        sub.add_argument("-v", "--verbose", action="store_true", help="show the traceback of an error")
        sub.set_defaults(run=command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 0, 1 (bad data), 2 (bad usage) or 130 (Ctrl-C)."""
    args = _parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warned
            status: int = args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        after = "; the same command goes on where it stopped" if args.command in _GOES_ON else ""
        sys.stderr.write(f"\necgclip: interrupted{after}\n")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the last place where an error can become a sentence
        return _told(error, args.verbose)
    return status


def _warned(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Say a warning in one line, without the place in the code."""
    sys.stderr.write(f"ecgclip: warning: {' '.join(str(message).split())[:400]}\n")


def _told(error: Exception, verbose: bool) -> int:
    """Say an error in at most three lines."""
    from ecgclip.errors import ECGClipError

    if verbose:
        traceback.print_exc()
    if isinstance(error, ECGClipError):
        sys.stderr.write(f"ecgclip: {str(error).strip()}\n")
        return error.exit_status
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"ecgclip: {where}{error.strerror or error}\n")
        return 1
    first = (str(error).strip().splitlines() or [""])[0][:300]
    sys.stderr.write(
        f"ecgclip: {type(error).__name__}: {first}\n"
        "This is a fault of ecgclip: please report it with the output of the same command with -v.\n"
    )
    return 1
