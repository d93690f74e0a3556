"""Scores of two models on the same recordings, side by side: what every paired comparison starts from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ecgclip.errors import DataError, UsageError
from ecgclip.evaluation.bootstrap import scorable
from ecgclip.studies.rotation import Rotation

__all__ = ["Difference", "Paired", "paired", "read_scores"]

_COLUMNS = ("record", "patient", "label", "score", "target")


@dataclass(frozen=True)
class Difference:
    """A's figure minus B's.

    Attributes:
        name: what is compared: ``mean``, a label set, ``set: label``, or the other variant of a family.
        a: figure of A.
        b: figure of B.
        difference: a - b.
        low: lower end of the 95 % interval of the difference.
        high: upper end.
        p: two-sided.
        p_holm: adjusted over the family; None where there is no family.
        positives: records that carry a label of this row.
        folds: test folds in which something could be scored.
        labels: labels that count, summed over folds.
        skipped: pairs of draw and label left out, the draw having no positive (or no negative).
    """

    name: str
    a: float
    b: float
    difference: float
    low: float
    high: float
    p: float
    p_holm: float | None
    positives: int
    folds: int
    labels: int
    skipped: int


@dataclass(frozen=True, eq=False)
class Paired:
    """Scores of A and B for the same records and labels.

    Attributes:
        a: ``(n, columns)`` raw scores of A.
        b: those of B.
        targets: ``(n, columns)`` bool. A column that a fold has not holds no positive there, so that it is
            never scored in that fold.
        patients: ``(n,)``.
        folds: ``(n,)``; one fold outside a rotation.
        blocks: what is averaged first: the label set of each column, with the draw where there are several.
        labels: the label of each column.
    """

    a: npt.NDArray[np.float64]
    b: npt.NDArray[np.float64]
    targets: npt.NDArray[np.bool_]
    patients: npt.NDArray[Any]
    folds: npt.NDArray[np.int64]
    blocks: npt.NDArray[np.str_]
    labels: npt.NDArray[np.str_]

    def columns(self, keep: npt.NDArray[np.bool_]) -> "Paired":
        """Some of the columns."""
        return Paired(
            self.a[:, keep],
            self.b[:, keep],
            self.targets[:, keep],
            self.patients,
            self.folds,
            self.blocks[keep],
            self.labels[keep],
        )

    def scored_folds(self, minimum: int) -> "Paired | None":
        """The folds in which a column has enough positives and negatives; None where there is no such fold."""
        keep = [
            fold
            for fold in np.unique(self.folds)
            if self.targets.shape[1] and scorable(self.targets[self.folds == fold], minimum).any()
        ]
        if not keep:
            return None
        rows = np.isin(self.folds, keep)
        return Paired(
            self.a[rows],
            self.b[rows],
            self.targets[rows],
            self.patients[rows],
            self.folds[rows],
            self.blocks,
            self.labels,
        )


def read_scores(
    source: str | Path | Rotation, *, split: str | None = None, labels: Sequence[str] | None = None
) -> tuple[str, pd.DataFrame]:
    """Name and scores of a run folder or a rotation: one row a recording and label.

    Args:
        source: a run folder, a rotation or the JSON file of one.
        split: which part of a run folder's scores, ``validation`` by default; a rotation has test folds alone.
        labels: label sets; all that are there by default.

    Returns:
        The columns ``record``, ``patient``, ``fold``, ``labels``, ``label``, ``score`` and ``target``.

    Raises:
        DataError: there are no scores, or they are damaged.
        UsageError: a split of a rotation.
    """
    if isinstance(source, Rotation) or Path(source).is_file():
        rotation = source if isinstance(source, Rotation) else Rotation.open(source)
        if split is not None:
            raise UsageError(f"{rotation.name}: a rotation holds its test folds alone: leave out --split")
        name, table = rotation.name, rotation.scores()
    else:
        name, table = _read_run(Path(source), split or "validation", labels)
    if labels:
        _refuse_absent(name, labels, table["labels"].unique().tolist())
        table = table[table["labels"].isin(list(labels))]
    return name, table


def _refuse_absent(name: str, wanted: Sequence[str], there: Sequence[str]) -> None:
    absent = [each for each in wanted if each not in there]
    if absent:
        raise DataError(f"{name}: has no scores of {', '.join(absent)}; there is {', '.join(sorted(there))}")


def _read_run(path: Path, split: str, labels: Sequence[str] | None) -> tuple[str, pd.DataFrame]:
    """All ``scores/<split>-<label set>.parquet`` of a run folder, and the benchmark's where these are absent."""
    if not path.is_dir():
        raise DataError(f"{path}: is neither a run folder nor the JSON file of a rotation")
    files = {
        file.stem[len(split) + 1 :]: file for file in sorted((path / "scores").glob(f"{split}-*.parquet"))
    }
    files = {**_of_benchmark(path, split), **files}
    if not files:
        raise DataError(
            f"{path}: holds no scores of the {split} split: make them by ecgclip benchmark {path} --data CORPUS "
            f"--split {split}, or choose another --split"
        )
    if labels:
        _refuse_absent(str(path), labels, sorted(files))
    wanted = {name: file for name, file in files.items() if not labels or name in labels}
    frames = [_read_file(file).assign(labels=name) for name, file in wanted.items()]
    return path.name, pd.concat(frames, ignore_index=True).assign(fold=0)


def _of_benchmark(path: Path, split: str) -> dict[str, Path]:
    """Score files that zero-shot results of the run folder name, by label set."""
    from ecgclip.studies.benchmark import find_results

    found = {}
    for _, results in find_results(path):
        if results.protocol == "zero_shot" and results.split == split:
            for row in results.rows:
                if row.name == "model" and row.population == "all" and row.scores:
                    found[row.labels] = path / row.scores
    return found


def _read_file(file: Path) -> pd.DataFrame:
    try:
        table = pd.read_parquet(file)
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read ({error}): score the run again") from None
    absent = [name for name in _COLUMNS if name not in table.columns]
    if absent:
        raise DataError(f"{file}: has no column {', '.join(absent)}: score the run again")
    plain: pd.DataFrame = table[list(_COLUMNS)]
    return plain


def paired(a: pd.DataFrame, b: pd.DataFrame, names: tuple[str, str]) -> Paired:
    """Bring two tables of scores together, recording by recording and label by label.

    Args:
        a: scores as ``read_scores`` gives them; columns ``fraction`` and ``draw`` keep probes apart.
        b: the other's.
        names: of both, for messages.

    Raises:
        DataError: the two scored different recordings, labels or targets.
    """
    one, two = _wide(a, names[0]), _wide(b, names[1])
    shared = [key for key in one["score"].columns if key in set(two["score"].columns)]
    _refuse_other_records(one["score"], two["score"], shared, names)
    if len(shared) < max(one["score"].shape[1], two["score"].shape[1]):
        only = [key for key in [*one["score"].columns, *two["score"].columns] if key not in set(shared)]
        raise DataError(
            f"{names[0]} and {names[1]} scored different labels (first: {only[0][1]} of {only[0][0]}): choose "
            "label sets that both have with --labels"
        )
    scores = [wide["score"][shared].to_numpy(dtype=np.float64) for wide in (one, two)]
    truth = [wide["target"][shared].to_numpy(dtype=np.float64) for wide in (one, two)]
    if not np.array_equal(truth[0], truth[1], equal_nan=True):
        raise DataError(
            f"{names[0]} and {names[1]} scored the same recordings against different labels: score both again "
            "on one corpus"
        )
    there = np.isfinite(truth[0])
    patients = a.drop_duplicates(["fold", "record"]).set_index(["fold", "record"])["patient"]
    return Paired(
        a=np.where(there, scores[0], 0.0),
        b=np.where(there, scores[1], 0.0),
        targets=np.where(there, truth[0], 0.0).astype(bool),
        patients=patients.loc[one["score"].index].to_numpy(),
        folds=one["score"].index.get_level_values("fold").to_numpy().astype(np.int64),
        blocks=np.array([key[0] for key in shared], dtype=np.str_),
        labels=np.array([key[1] for key in shared], dtype=np.str_),
    )


def _wide(table: pd.DataFrame, name: str) -> Mapping[str, pd.DataFrame]:
    block = table["labels"].astype(str)
    if "fraction" in table.columns:
        block = block + "/" + table["fraction"].astype(str) + "/" + table["draw"].astype(str)
    keyed = table.assign(block=block)
    try:
        wide = {
            what: keyed.pivot(index=["fold", "record"], columns=["block", "label"], values=what)
            for what in ("score", "target")
        }
    except ValueError:
        raise DataError(f"{name}: scored a recording twice against one label: score it again") from None
    for fold, part in wide["score"].groupby(level="fold"):
        there = part.notna()
        uneven = there.any() & ~there.all()
        if uneven.any():
            block, label = uneven.index[uneven][0]
            record = part.index[~there[(block, label)]][0][1]
            raise DataError(
                f"{name}: has no score of recording {record} for {label} of {block}"
                f"{f' in fold {fold}' if fold else ''}: score it again"
            )
    return wide


def _refuse_other_records(
    a: pd.DataFrame, b: pd.DataFrame, shared: Sequence[Any], names: tuple[str, str]
) -> None:
    """Every column that both have must hold the same recordings."""
    if a.index.equals(b.index) and (a[shared].notna() == b[shared].notna()).all(axis=None):
        return
    only = [len(a.index.difference(b.index)), len(b.index.difference(a.index))]
    either = a.index.symmetric_difference(b.index)
    example = f", for example {either[0][1]}" if len(either) else ""
    raise DataError(
        f"{names[0]} and {names[1]} scored different recordings ({only[0]} only in the first, {only[1]} only in "
        f"the second{example}): compare runs scored on the same part of the same corpus"
    )
