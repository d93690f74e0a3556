"""What takes minutes is computed once: arrays under a name made of everything that they follow from."""

import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecgclip.corpora.writing import whole_file

__all__ = ["FEATURES", "FIGURES", "TWIN", "Arrays", "Cache", "code_hash"]

Arrays = dict[str, npt.NDArray[Any]]

_FACTS = "facts"
FEATURES = (
    "signals",
    "reports",
    "models",
    "alignment",
    "prompts",
)  # rooms that features and scores follow from
FIGURES = (*FEATURES, "evaluation", "studies")
TWIN = ("signals", "models", "training", "evaluation/logistic.py", "studies/supervised.py")


class Cache:
    """A folder of arrays, each file under the hash of its facts; it may be deleted at any time.

    The facts are kept inside the file as well: a file that was renamed or copied here from elsewhere does not
    say what was asked for, and is computed again.

    Args:
        folder: where.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hits = 0
        self.misses = 0

    def path(self, kind: str, facts: Mapping[str, Any]) -> Path:
        """Where arrays of these facts lie."""
        return self.folder / f"{kind}-{hashlib.sha256(_text(facts).encode()).hexdigest()[:20]}.npz"

    def has(self, kind: str, facts: Mapping[str, Any]) -> bool:
        """Whether there is a file of these facts; `arrays` says whether it is whole."""
        return self.path(kind, {**facts, "code": code_hash()}).is_file()

    def arrays(self, kind: str, facts: Mapping[str, Any], make: Callable[[], Arrays]) -> Arrays:
        """The arrays of some facts, computed by ``make`` where they are not here or not whole.

        Args:
            kind: what they are, for the file's name.
            facts: everything that they follow from, as JSON data: hashes of model, signals, records, settings.
            make: computes them.
        """
        facts = {**facts, "code": code_hash()}
        path = self.path(kind, facts)
        found = _load(path, _text(facts))
        if found is not None:
            self.hits += 1
            return found
        self.misses += 1
        made = make()
        with whole_file(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **{_FACTS: np.array(_text(facts))}, **made)  # type: ignore[arg-type]
        return made


@cache
def code_hash(places: tuple[str, ...] = FEATURES) -> str:
    """Twelve hexadecimal digits over rooms and files of the code: an upgrade computes again what follows from them."""
    import ecgclip

    root = Path(ecgclip.__file__).parent
    digest = hashlib.sha256()
    for place in places:
        for file in sorted((root / place).rglob("*")) or [root / place]:
            if file.suffix in (".py", ".yaml"):
                digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _text(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, sort_keys=True)


def _load(path: Path, text: str) -> Arrays | None:
    """What a file holds; None where it is absent, damaged or of other facts."""
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return found if str(found.pop(_FACTS, "")) == text else None
