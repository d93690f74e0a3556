"""``ecgclip reports``: how much of a corpus's reports the term file reads, and what it does not."""

import argparse
from typing import TYPE_CHECKING

from .arguments import add_data, add_json

if TYPE_CHECKING:
    from ecgclip.reports.coverage import CoverageRow

NAME = "reports"
HELP = "share of the words of a corpus's reports that the term file reads, and the commonest it does not"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_data(
        parser,
        required=True,
        what="a corpus or a store; PTB-XL's ptbxl_database.csv is enough, without recordings",
    )
    parser.add_argument(
        "--split",
        choices=("train", "validation", "test", "all"),
        default="train",
        help="whose reports (default: train; terms are not written from the others)",
    )
    parser.add_argument(
        "--unread", type=int, default=20, metavar="N", help="unread words to list (default: 20)"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    import json

    from ecgclip.corpora import open_reports
    from ecgclip.errors import UsageError
    from ecgclip.reports import coverage
    from ecgclip.reports.coverage import unread_words

    if args.unread < 0:
        raise UsageError(f"--unread {args.unread}: expected 0 or more words")
    texts = open_reports(args.data, split=None if args.split == "all" else args.split)["report"].tolist()
    rows = coverage(texts)
    unread = unread_words(texts).most_common(args.unread)
    if args.json:
        print(json.dumps({"coverage": [row._asdict() for row in rows], "unread": dict(unread)}))
        return 0
    print(_text(rows))
    if unread:
        print("\nunread: " + ", ".join(f"{word} ({times})" for word, times in unread))
    return 0


def _text(rows: "list[CoverageRow]") -> str:
    """The coverage table for people."""
    lines = [f"{'language':8}  {'reports':>7}  {'words':>8}  finding  small  remark   read"]
    for row in rows:
        shares = f"{row.finding:7.1%}  {row.small:5.1%}  {row.remark:6.1%}  {row.read:5.1%}"
        lines.append(f"{row.language or '-':8}  {row.reports:7d}  {row.words:8d}  {shares}")
    return "\n".join(lines)
