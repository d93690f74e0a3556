"""``ecgclip benchmark``: a model and a corpus in, a results file a protocol out."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from ecgclip.errors import UsageError

from .arguments import add_data, add_out, filled, seed

NAME = "benchmark"
HELP = "measure a model by published protocols: figures with intervals, resumable, from cache the second time"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "model",
        metavar="RUN",
        help="run folder, model folder or hub id; or an encoder: .pt (TorchScript), .onnx",
    )
    add_data(parser, required=False, what="a corpus with labels, or a prepared store")
    parser.add_argument(
        "--protocol",
        type=filled,
        metavar="A,B",
        help="protocols by commas (default: all; an unknown one lists them)",
    )
    parser.add_argument("--to", metavar="PATH", help="second corpus, on which transfer tests")
    add_common(parser)
    parser.add_argument(
        "--report-only",
        action="store_true",
        help="measure nothing: write the HTML report again from the results files (--data draws recordings)",
    )
    parser.add_argument("--epochs", type=int, metavar="N", help="of the supervised twin and of fine-tuning")


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add what ``benchmark`` and ``probe`` share."""
    parser.add_argument(
        "--labels", type=filled, metavar="A,B", help="label sets by commas (default: those of the corpus)"
    )
    parser.add_argument(
        "--split",
        choices=("validation", "test", "all"),
        default="test",
        help="part to score (default: test; all: a corpus that no training saw)",
    )
    add_out(parser, "folder of evaluation, scores and cache (default: the run folder)")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of every draw (default: 0)")
    parser.add_argument(
        "--draws", type=int, default=1000, metavar="N", help="bootstrap draws (default: 1000)"
    )
    parser.add_argument(
        "--probe-draws", type=int, default=3, metavar="N", help="draws of training patients (default: 3)"
    )
    parser.add_argument(
        "--supervised", action="store_true", help="train the supervised twin for its row (minutes)"
    )
    parser.add_argument(
        "--mark",
        action="append",
        metavar="TEXT",
        help="what the model's rows must say of themselves; repeatable",
    )
    parser.add_argument("--fs", type=float, metavar="HZ", help="rate that an outside encoder expects")
    parser.add_argument(
        "--band", type=float, nargs=2, metavar="HZ", help="pass band of what an outside encoder is given"
    )
    parser.add_argument("--allow-missing", action="store_true", help="go on where recordings are absent")
    parser.add_argument(
        "--workers", type=int, default=2, metavar="N", help="processes that prepare (default: 2)"
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.report_only:
        from ecgclip.studies.html_report import write_report

        print(f"report: {write_report(args.out or args.model, data=args.data)}")
        return 0
    if args.data is None:
        raise UsageError("--data PATH is needed: a corpus with labels, or a prepared store")
    protocols = None
    if args.protocol is not None:
        protocols = [name.strip().replace("-", "_") for name in args.protocol.split(",") if name.strip()]
    return measure(args, protocols, to=args.to, epochs=args.epochs)


def measure(
    args: argparse.Namespace,
    protocols: Sequence[str] | None,
    *,
    to: str | None = None,
    epochs: int | None = None,
) -> int:
    """Run protocols and print their tables and where they lie."""
    from ecgclip.studies.benchmark import Options, benchmark, read_results
    from ecgclip.studies.benchmark.runner import NothingMeasured
    from ecgclip.studies.benchmark.telling import table_text, unread_text

    labels = (
        None
        if args.labels is None
        else tuple(each.strip() for each in args.labels.split(",") if each.strip())
    )
    options = Options(
        split=args.split,
        labels=labels,
        to=to,
        draws=args.draws,
        seed=args.seed,
        probe_draws=args.probe_draws,
        supervised=args.supervised,
        epochs=epochs,
        marks=None if args.mark is None else tuple(args.mark),
        fs=args.fs,
        band=None if args.band is None else (args.band[0], args.band[1]),
        allow_missing=args.allow_missing,
        workers=args.workers,
        command=_command(),
    )
    failure = None
    try:
        paths = benchmark(args.model, args.data, protocols=protocols, out=args.out, options=options)
    except NothingMeasured as error:
        paths, failure = error.paths, error
    found = [read_results(path) for path in paths]
    for results in found:
        print(table_text(results), end="\n\n")
    for path in paths:
        print(f"results: {path}")
    for unread in found[0].unread:
        print(f"{unread_text(unread)}: {paths[0].parents[1] / unread.file}")
    print(f"report: {paths[0].with_name('report.html')}", flush=True)
    if failure is not None:
        raise failure
    return 0


def _command() -> str:
    """The command as it was typed."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
