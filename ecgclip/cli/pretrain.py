"""``ecgclip pretrain``: a recipe in, a run folder with a model out."""

import argparse
from typing import TYPE_CHECKING, Any

from .arguments import add_data, add_out, add_set, overrides

if TYPE_CHECKING:
    from ecgclip.training.recipe import Recipe

NAME = "pretrain"
HELP = "train a model by a recipe; goes on with an unfinished run"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "recipe",
        nargs="?",
        metavar="RECIPE",
        help="YAML file; without one, the quickstart on simulated recordings",
    )
    add_data(parser, required=False, what="the corpus on disk, or a prepared store")
    add_out(parser, "run folder (default: runs/<recipe name>)")
    parser.add_argument("--seed", type=int, help="seed of everything random")
    add_set(parser)
    parser.add_argument(
        "--plain", action="store_true", help="one line of progress at a time, no terminal tricks"
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    import os

    from ecgclip.training import pretrain
    from ecgclip.training.recipe import load_recipe

    if args.plain:
        os.environ["ECGCLIP_PLAIN"] = "1"
    recipe = load_recipe(args.recipe, overrides(args)) if args.recipe else _quickstart_recipe(overrides(args))
    _check_data(args.data, recipe)
    run_folder = pretrain(recipe, data=args.data, out=args.out)
    if os.environ.get("RANK", "0") != "0":  # under a launcher the first process speaks for all
        return 0
    print(f"run: {run_folder.path}")
    print(f"next: ecgclip zero-shot {run_folder.path} --data YOUR-RECORDINGS --labels ptbxl-superclass")
    return 0


def _quickstart_recipe(changes: dict[str, Any]) -> "Recipe":
    """The recipe that ships with the package, its faults told without the long path of where it lies."""
    from ecgclip.errors import UsageError
    from ecgclip.training.recipe import load_recipe

    try:
        return load_recipe(quickstart(), changes)
    except UsageError as error:
        raise UsageError(str(error).replace(quickstart(), "quickstart")) from None


def _check_data(data: str | None, recipe: "Recipe") -> None:
    """Refuse a corpus on disk that the recipe would leave aside in silence."""
    from pathlib import Path

    from ecgclip.errors import UsageError

    if data is None or recipe.data.corpus.kind != "simulated" or (Path(data) / "manifest.json").is_file():
        return
    raise UsageError(
        f"recipe {recipe.name} trains on simulated recordings and takes no --data {data}: name a recipe for "
        "that corpus, such as recipes/ptbxl.yaml"
    )


def quickstart() -> str:
    """Path of the recipe that ships with the package."""
    from importlib.resources import files

    return str(files("ecgclip.training").joinpath("quickstart.yaml"))
