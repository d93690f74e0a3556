"""``ecgclip prompts``: what the banks hold, and whether a bank is sound."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecgclip.prompts import PromptBank

NAME = "prompts"
HELP = "list the prompt banks, show the phrases of a label, or check a bank"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("action", choices=("list", "show", "check"), help="what to do")
    parser.add_argument("bank", nargs="?", help="a shipped bank's name or a YAML file (default: all shipped)")
    parser.add_argument("label", nargs="?", help="with show: one label")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from ecgclip.prompts import BANKS, PromptBank

    names = [args.bank] if args.bank else list(BANKS)
    if args.action == "check":
        return _check(names)
    for name in names:
        bank = PromptBank.load(name)
        print(
            f"{bank.name}: {len(bank)} labels, {len(bank.texts)} phrases, {', '.join(bank.languages)}, {bank.hash}"
        )
        if args.action == "show":
            _show(bank, args.label)
    return 0


def _show(bank: "PromptBank", label: str | None) -> None:
    for code in [label] if label else bank.labels:
        entry = bank.label(code)
        print(f"\n{code}: {entry.name}")
        for phrase in entry.phrases:
            print(
                f"  {phrase.lang or '-':2} {phrase.kind or '-':12} {phrase.text}   [{phrase.source or '-'}]"
            )


def _check(names: list[str]) -> int:
    from pathlib import Path

    from ecgclip.prompts import PromptBank
    from ecgclip.prompts.bank import BANKS, lint_file, shipped_path

    faults = 0
    for name in names:
        if name not in BANKS and not Path(name).is_file():
            PromptBank.load(name)  # says what is wrong with the name
        found = lint_file(shipped_path(name) if name in BANKS else name)
        faults += len(found)
        for fault in found:
            print(fault if fault.startswith(f"{name}: ") else f"{name}: {fault}")
        if not found:
            print(f"{name}: sound")
    return 1 if faults else 0
