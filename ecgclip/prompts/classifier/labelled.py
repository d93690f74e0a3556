"""Recordings with known labels, from which a classifier may learn thresholds and calibration; never the test part."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ecgclip.corpora import LABEL_SETS, label_set
from ecgclip.errors import DataError, UsageError, unknown_name

if TYPE_CHECKING:
    from ecgclip.prompts.bank import PromptBank

__all__ = ["are_scores", "known_labels", "matched", "refuse_test"]

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


def refuse_test(records: Any, split: str | Sequence[str] | None, what: str) -> None:
    """Refuse recordings of the test part: what is tuned there cannot be tested there.

    Raises:
        UsageError: ``split`` is the test part, or the recordings' table has some of it.
    """
    if split == "test" or (split is not None and "test" in tuple(split)):
        raise UsageError(
            f"{what} must not be chosen on the test split, which reports: give split='validation'"
        )
    table = getattr(records, "table", None)
    if table is None or split is not None or "split" not in table:
        return
    count = int((table["split"] == "test").sum())
    if count:
        raise UsageError(
            f"{what} must not be chosen on the test split, and {count} of these {len(table)} recordings belong to "
            "it: give split='validation'"
        )


def are_scores(records: Any) -> bool:
    """Say whether these are scores that were computed already, rather than recordings."""
    if isinstance(records, np.ndarray):
        return records.ndim == 2
    return hasattr(records, "to_numpy") and hasattr(records, "columns")


def known_labels(records: Any, targets: Any, bank: "PromptBank") -> Any:
    """Give the targets, read off the recordings' own table where none were handed in.

    Raises:
        UsageError: there is no table, or the bank is not one of a label set.
        DataError: the table carries no such labels.
    """
    if targets is not None:
        return targets
    table = getattr(records, "table", None)
    if table is None:
        raise UsageError(f"targets are needed: (n, {len(bank)}) of 0 and 1, one column for each of classes_")
    if bank.name not in LABEL_SETS or label_set(bank.name).codes != bank.labels:
        raise UsageError(
            f"prompt bank {bank.name!r} is of no label set that a table could be read by: give targets, "
            f"(n, {len(bank)}) of 0 and 1, one column for each of classes_"
        )
    return label_set(bank.name).matrix(table)


def matched(scores: Any, targets: Any, codes: tuple[str, ...]) -> tuple[Floats, Bools]:
    """Bring scores and targets to arrays ``(n, n_labels)``, without the rows that could not be scored.

    Columns of a DataFrame are matched by name.

    Raises:
        UsageError: a DataFrame lacks the column of a label.
        DataError: shapes that do not fit, a target that is not 0 or 1, or no row left.
    """
    values = np.asarray(_by_name(scores, codes), dtype=np.float32)
    truth = np.asarray(_by_name(targets, codes))
    if truth.shape != values.shape or values.ndim != 2 or values.shape[1] != len(codes):
        raise DataError(
            f"scores of shape {values.shape} and targets of shape {truth.shape}: both must be (n, {len(codes)}), "
            "one column for each of classes_"
        )
    good = ~np.isnan(values).any(axis=1)
    values, truth = values[good], truth[good]
    if not len(values):
        raise DataError("no recording is left to learn from: give at least one that can be scored")
    if not np.isfinite(values).all():
        raise DataError("scores are infinite: score the recordings again")
    if not np.isin(truth, (0, 1)).all():
        raise DataError("targets hold values other than 0 and 1: give one 0/1 column a label")
    return values, truth.astype(bool)


def _by_name(table: Any, codes: tuple[str, ...]) -> Any:
    columns = getattr(table, "columns", None)
    if columns is None:
        return table
    for code in codes:
        if code not in columns:
            raise unknown_name("column of the table: it has none for label", code, map(str, columns))
    return table[list(codes)].to_numpy()
