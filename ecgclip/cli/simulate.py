"""``ecgclip simulate``: simulated recordings as WFDB files with their reports and labels."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import add_json, filled, seed

if TYPE_CHECKING:
    from ecgclip.corpora import Corpus

NAME = "simulate"
HELP = "write simulated 12-lead recordings with reports, labels and the truth about every beat"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--n", type=int, default=10, metavar="N", help="recordings (default: 10)")
    parser.add_argument("--seed", type=seed, default=0, help="seed of everything random")
    parser.add_argument(
        "--fs", type=float, default=100.0, metavar="HZ", help="samples a second (default: 100)"
    )
    parser.add_argument("--out", type=filled, required=True, metavar="FOLDER", help="a new or empty folder")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    import json

    from ecgclip.corpora import simulate
    from ecgclip.errors import DataError, UsageError

    out = Path(args.out)
    if out.resolve() == Path.cwd():
        raise UsageError(f"--out {out}: is the folder that you are in: name a new one")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"--out {out}: exists and is not empty: choose a new folder")
    corpus = simulate(n=args.n, seed=args.seed, fs=args.fs)
    manifest = _write(corpus, out)
    print(json.dumps({"manifest": str(manifest), "n": len(corpus)}) if args.json else f"manifest: {manifest}")
    return 0


def _write(corpus: "Corpus", out: Path) -> Path:
    """Write beside the folder and rename, so that it is whole or not there."""
    import os
    import shutil

    from ecgclip.corpora.export import write_wfdb
    from ecgclip.errors import DataError

    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        raise DataError(f"--out {out}: cannot be made ({error.strerror}); choose another folder") from None
    try:
        manifest = write_wfdb(corpus, temporary)
        os.replace(temporary, out)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return out / manifest.name
