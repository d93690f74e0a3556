"""What is measured: a run, a model folder, or anybody's encoder, with what is known of its training."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ecgclip.errors import UsageError
from ecgclip.models import ECGTextModel

from .encoders import FILE_ENDINGS, Encoder, ModelEncoder, OutsideEncoder
from .options import Options

if TYPE_CHECKING:
    from ecgclip.training.recipe import Recipe

__all__ = ["Subject", "open_subject"]


@dataclass(frozen=True, eq=False)
class Subject:
    """What is measured.

    Attributes:
        name: what it is called.
        encoder: its frozen features.
        model: None for an outside encoder, which has no text side.
        recipe: what it was trained by; None where nobody knows.
        run: the run folder; None where there is none.
    """

    name: str
    encoder: Encoder
    model: ECGTextModel | None
    recipe: "Recipe | None"
    run: Path | None

    def marks(self, stated: tuple[str, ...] | None) -> tuple[str, ...]:
        """What every row of it says of itself: what was stated, or what its recipe tells."""
        if stated is not None:
            return stated
        if self.model is None:
            return ("outside encoder",)
        return ("simulated only",) if self.trained_on == "simulated" else ()

    @property
    def trained_on(self) -> str:
        """The kind of corpus, and the name of what the training started from, where a recipe tells."""
        if self.recipe is None:
            return ""
        kind, start = self.recipe.data.corpus.kind, self.recipe.start_from
        if start is None:
            return kind
        place = Path(start)
        return f"{kind}, started from {place.parent.name if place.name == 'model' else place.name}"

    def folder(self, out: str | Path | None) -> Path:
        """Where its results go: what was asked for, its run folder, or ``runs/NAME``.

        Raises:
            UsageError: a file stands there.
        """
        if out is not None:
            folder = Path(out)
        else:
            folder = self.run if self.run is not None else Path("runs") / self.name
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"--out {folder}: is a file: give a folder")
        return folder


def open_subject(run: "str | Path | OutsideEncoder", how: Options) -> Subject:
    """Open a run folder, model folder, hub id or encoder file.

    Raises:
        DataError: it cannot be read.
        UsageError: an encoder file without its rate, or a rate for a model that knows its own.
    """
    if isinstance(run, OutsideEncoder):
        return Subject(run.name, run, None, None, None)
    path = Path(run)
    if path.suffix.lower() in FILE_ENDINGS:
        if how.fs is None:
            raise UsageError(f"{path}: an outside encoder needs its rate: give --fs, such as --fs 500")
        outside = OutsideEncoder(path, how.fs, how.band)
        return Subject(outside.name, outside, None, None, None)
    if how.fs is not None or how.band is not None:
        raise UsageError(f"{path}: --fs and --band are for an outside encoder: a run knows its own")
    model = ECGTextModel.from_pretrained(run)
    recipe = None
    if (path / "recipe.yaml").is_file():
        from ecgclip.training.recipe import load_recipe

        recipe = load_recipe(path / "recipe.yaml")
    return Subject(path.resolve().name, ModelEncoder(model), model, recipe, path if recipe else None)
