"""What a finished rotation keeps, read without torch: cells, scores, figures."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecgclip.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from ecgclip.training.run_folder import Run

__all__ = ["DONE", "Cell", "Rotation", "read_record"]

DONE = "cell.json"


@dataclass(frozen=True)
class Cell:
    """A finished cell.

    Attributes:
        folder: holds ``run/`` (the run folder, checkpoints of the finished training deleted), ``cell.json``,
            ``scores.parquet``, ``probe.parquet`` and ``localisation.parquet``.
    """

    folder: Path

    @property
    def record(self) -> dict[str, Any]:
        """What ``cell.json`` says.

        Raises:
            DataError: the cell has not finished.
        """
        found = read_record(self.folder / DONE)
        if found is None:
            raise DataError(f"{self.folder}: this cell has not finished: run the rotation again to go on")
        return found

    @property
    def run(self) -> "Run":
        """The run folder with the model, which did not train on the fold."""
        from ecgclip.training.run_folder import Run

        return Run(self.folder / "run")

    def scores(self, table: str = "scores") -> "pd.DataFrame":
        """``scores`` (zero-shot) or ``probe``, one row a recording and label; ``localisation``, a row a recording."""
        import pandas as pd

        try:
            return pd.read_parquet(self.folder / f"{table}.parquet")
        except (OSError, ValueError) as error:
            raise DataError(
                f"{self.folder / f'{table}.parquet'}: cannot be read ({error}): delete {DONE} beside it and "
                "run the rotation again"
            ) from None


def read_record(path: Path) -> dict[str, Any] | None:
    """Read a cell's JSON; None where there is none yet.

    Raises:
        DataError: it is damaged.
    """
    if not path.is_file():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: is damaged ({error}): delete it and run the rotation again") from None
    return found


@dataclass(frozen=True)
class Rotation:
    """One variant's cells, one a test fold.

    Attributes:
        name: of the variant.
        cells: by test fold.
    """

    name: str
    cells: Mapping[int, Cell]

    @classmethod
    def open(cls, path: str | Path) -> "Rotation":
        """Open what ``rotate`` wrote: a file that names the cells.

        Raises:
            DataError: the file is no rotation.
        """
        file = Path(path)
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            cells = {int(fold): Cell(file.parent / where) for fold, where in found["cells"].items()}
            return cls(str(found["rotation"]), cells)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{file}: is no rotation ({error}): give the JSON file that it wrote") from None

    def scores(self, table: str = "scores") -> "pd.DataFrame":
        """Scores of all folds, ``scores`` or ``probe``; the column ``fold`` tells them apart."""
        import pandas as pd

        return pd.concat([self.cells[fold].scores(table) for fold in sorted(self.cells)], ignore_index=True)

    def figures(self) -> dict[str, Any]:
        """The figures of each fold and their means over folds."""
        records = {fold: self.cells[fold].record for fold in sorted(self.cells)}
        return {
            "folds": {str(fold): _short(record) for fold, record in records.items()},
            "mean": _mean_of([_short(record) for record in records.values()]),
        }


def _short(record: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a cell that tables show, flat."""
    found: dict[str, Any] = {"macro": record["mean"]}
    found |= {name: each["macro"] for name, each in record["sets"].items()}
    for group, rows in record["findings"].items():
        values = [row["auroc"] for row in rows.values() if row["counted"]]
        found[group] = float(np.mean(values)) if values else None
        found |= {code: row["auroc"] if row["counted"] else None for code, row in rows.items()}
    found["localisation"] = record["localisation"]["ratio"]
    found["competing"] = record["localisation"]["competing"]
    for fraction, row in record["probe"].items():
        percent = f"{100 * float(fraction):g}"
        found[f"probe-{percent}"] = row["mean"]
        found |= {f"probe-{percent}:{name}": value for name, value in row.items() if name != "mean"}
    for direction, row in record["retrieval"].items():
        found[f"{direction} recall@10"] = row["recall@10"]
    return {**found, **{f"seconds:{key}": value for key, value in record["seconds"].items()}}


def _mean_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean of each figure over the folds in which it is defined."""
    found: dict[str, Any] = {}
    for key in dict.fromkeys(key for row in rows for key in row):
        values = [row[key] for row in rows if row.get(key) is not None]
        found[key] = float(np.mean(values)) if values else None
    return found
