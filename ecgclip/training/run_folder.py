"""The run folder: whose it is, what it holds, and how an unfinished run is found again."""

import json
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ecgclip.corpora.writing import whole_file
from ecgclip.errors import DataError

from .recipe import Recipe

if TYPE_CHECKING:
    from ecgclip.models import ECGTextModel

__all__ = [
    "Run",
    "claim",
    "environment",
    "read_checkpoint",
    "refuse_foreign",
    "sweep",
    "write_checkpoint",
    "write_json",
]

_PLACES = {("data", "store"), ("data", "corpus", "path"), ("data", "workers"), ("start_from",)}
_STATE = "last.pt"
_MARK = "run.json"
_START = ("recipe.json", "recipe.yaml", "environment.json", _MARK)  # in the order of writing


@dataclass(frozen=True)
class Run:
    """A finished or running training.

    Attributes:
        path: the run folder.
    """

    path: Path

    def model(self, *, device: str = "cpu") -> "ECGTextModel":
        """Load the run's model.

        Raises:
            DataError: the run has not finished.
        """
        from ecgclip.models import ECGTextModel

        return ECGTextModel.from_pretrained(self.path, device=device)

    @property
    def finished(self) -> bool:
        """Whether training ended and the model was written."""
        return (self.path / "model" / "model.json").is_file()


def write_json(path: Path, value: Any) -> None:
    """Write JSON under a temporary name, then rename.

    Raises:
        DataError: the disk is full or the folder cannot be written.
    """
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _without_places(values: Mapping[str, Any], at: tuple[str, ...] = ()) -> Any:
    """The recipe less what only says where things lie: weights do not depend on it."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        here = (*at, key)
        if here not in _PLACES:
            found[key] = _without_places(value, here) if isinstance(value, Mapping) else value
    return found


def claim(path: Path, recipe: Recipe, fingerprint: Mapping[str, str]) -> bool:
    """Take a run folder, new or of the same recipe and data; True when there is a run to go on with.

    Args:
        path: the run folder.
        recipe: resolved.
        fingerprint: hashes of what the run was fed.

    Raises:
        DataError: the folder holds something else.
    """
    wanted = {"recipe": _without_places(recipe.to_dict()), "fed": dict(fingerprint)}
    found = refuse_foreign(path, recipe)
    if found is not None:
        if found != wanted:
            raise _other_settings(path, found, wanted)
        sweep(path)
        return True
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be made ({error.strerror}): choose another --out") from None
    write_json(path / "recipe.json", recipe.to_dict())
    _write_yaml(path / "recipe.yaml", recipe.to_dict())
    write_json(path / "environment.json", environment())
    write_json(path / _MARK, wanted)
    sweep(path)
    return False


def refuse_foreign(path: Path, recipe: Recipe) -> dict[str, Any] | None:
    """Refuse a folder that holds no run, or one of another recipe; cheap enough to ask before anything is prepared.

    Returns:
        What the run that is there notes of itself; None where there is none yet.

    Raises:
        DataError: the folder holds something else.
    """
    mark = path / _MARK
    if not mark.is_file():
        if path.exists() and (not path.is_dir() or any(not _of_a_start(file) for file in path.iterdir())):
            raise DataError(f"{path}: exists and is no run: choose another --out")
        _refuse_closed(path)
        return None
    try:
        found: dict[str, Any] = json.loads(mark.read_text(encoding="utf-8"))
        there = {"recipe": found["recipe"]}
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{mark}: is damaged: delete {path} or choose another --out") from None
    wanted = {"recipe": _without_places(recipe.to_dict())}
    if there != wanted:
        raise _other_settings(path, there, wanted)
    return found


def _refuse_closed(path: Path) -> None:
    """Refuse a folder that could not be made: a file stands in its way, or a folder is closed to this user."""
    above = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        why = "may not be written into" if above.is_dir() else "is a file"
        raise DataError(f"{path}: cannot be made ({above} {why}): choose another --out")


def _other_settings(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> DataError:
    what = _difference(found, wanted)
    return DataError(f"{path}: holds a run with other settings ({what}): choose another --out or delete it")


def _of_a_start(file: Path) -> bool:
    """Whether a file is what a run that was killed while it claimed its folder left there."""
    return any(file.name == name or file.name.startswith(f".{name}.") for name in _START)


def sweep(path: Path) -> None:
    """Remove what a killed process left under temporary names."""
    for pattern in (".*.json.*", ".recipe.yaml.*", ".metrics.jsonl.*", "*/.*.json.*", "scores/.*"):
        for file in path.glob(pattern):
            file.unlink(missing_ok=True)
    for folder in path.glob(".model.*"):
        shutil.rmtree(folder, ignore_errors=True)


def _difference(a: Any, b: Any, at: str = "") -> str:
    """Name the first key in which two settings differ."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted({*a, *b}):
            if a.get(key) != b.get(key):
                return _difference(a.get(key), b.get(key), f"{at}.{key}" if at else key)
    return f"{at}: {a!r} there, {b!r} now"


def _write_yaml(path: Path, value: Mapping[str, Any]) -> None:
    import yaml

    with whole_file(path) as temporary:
        temporary.write_text(
            yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True), encoding="utf-8"
        )


def environment() -> dict[str, Any]:
    """What a run ran on: machine and versions."""
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, Any] = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.system(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }
    for package in (
        "ecgclip",
        "torch",
        "accelerate",
        "numpy",
        "scikit-learn",
        "transformers",
        "tokenizers",
        "neurokit2",
        "wfdb",
    ):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def write_checkpoint(path: Path, state: Mapping[str, Any], name: str = _STATE) -> None:
    """Write a checkpoint under a temporary name, then rename.

    Raises:
        DataError: the disk is full.
    """
    folder = path / "checkpoints"
    for left in folder.glob(f".{name}.*"):
        left.unlink(missing_ok=True)
    try:
        with whole_file(folder / name) as temporary:
            torch.save(dict(state), temporary)
            with open(temporary, "rb") as handle:
                os.fsync(handle.fileno())
    except RuntimeError as error:  # torch's writer wraps a full disk in one
        raise DataError(f"{folder / name}: the checkpoint cannot be written ({error}): free space") from None


def read_checkpoint(path: Path, name: str = _STATE) -> dict[str, Any] | None:
    """Read a checkpoint; None where there is none yet.

    Raises:
        DataError: it is damaged.
    """
    file = path / "checkpoints" / name
    if not file.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - a damaged archive raises whatever it hits
        raise DataError(f"{file}: the checkpoint is damaged ({error}): delete it to start again") from None
    return state
