"""``ecgclip prepare``: a corpus in, a memory-mapped store out."""

import argparse

from .arguments import add_data, add_set, overrides

NAME = "prepare"
HELP = "prepare a corpus once: resampled, filtered, R-peaks found; resumable"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("recipe", nargs="?", metavar="RECIPE", help="whose preprocessing and corpus to take")
    add_data(parser, required=False, what="the corpus on disk")
    parser.add_argument(
        "--out", metavar="STORE", help="store folder (with a recipe, by default stores/<corpus>-<key>)"
    )
    parser.add_argument(
        "--corpus", metavar="KIND", help="kind of corpus, where there is no recipe (default: auto)"
    )
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes (default: 2)")
    parser.add_argument("--allow-missing", action="store_true", help="go on where recordings are absent")
    add_set(parser)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from ecgclip.corpora import open_corpus
    from ecgclip.corpora import prepare as prepare_store
    from ecgclip.errors import UsageError
    from ecgclip.signals import Preprocessor
    from ecgclip.training.assembly import build_store
    from ecgclip.training.pretraining import preparation_line
    from ecgclip.training.recipe import load_recipe

    if args.recipe and args.corpus:
        raise UsageError("--corpus is for a preparation without a recipe: the recipe names its corpus")
    if args.recipe:
        values = {**overrides(args), "data.workers": args.workers}
        if args.out:
            values["data.store"] = args.out
        if args.allow_missing:
            values["data.corpus.allow_missing"] = True
        store = build_store(load_recipe(args.recipe, values), args.data, preparation_line())
    else:
        if not args.data or not args.out:
            raise UsageError("prepare needs a recipe, or both --data CORPUS and --out STORE")
        if args.set:
            raise UsageError("--set overrides a recipe's values, and no recipe is given: name one")
        corpus = open_corpus(args.corpus or "auto", args.data, allow_missing=args.allow_missing)
        store = prepare_store(
            corpus, Preprocessor(), args.out, workers=args.workers, progress=preparation_line()
        )
    print(f"store: {store.path} ({len(store)} recordings at {store.preprocessor.fs:g} Hz, hash {store.hash})")
    if store.rejected:
        print(f"rejected: {len(store.rejected)}, listed in {store.path / 'rejected.csv'}")
    return 0
