"""Differences of a mean over recordings, such as the localisation ratio: patients resampled within test folds."""

from typing import TYPE_CHECKING

import numpy as np

from ecgclip.errors import DataError
from ecgclip.evaluation.bootstrap import patient_weights, percentiles
from ecgclip.studies.rotation import Rotation

from .scores import Difference

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["mean_difference"]


def mean_difference(
    name: str, a: Rotation, b: Rotation, study: str, *, draws: int = 1000, seed: int = 0
) -> Difference:
    """Mean ``value`` of A's recordings minus that of B's, over all folds at once: the value has one scale.

    Args:
        name: of the difference.
        a: the side that positive differences speak for.
        b: the other, with the same recordings.
        study: rows of the localisation table, ``real`` or ``competing``.
        draws: of patients, within folds.
        seed: of the draws.

    Raises:
        DataError: one of the two points at no moments, or they hold other recordings.
    """
    one, two = (_values(each, study) for each in (a, b))
    for rotation, table in ((a, one), (b, two)):
        if table.empty:
            raise DataError(f"{rotation.name}: points at no moments, so it has no localisation to compare")
    if not one.index.equals(two.index):
        raise DataError(f"{a.name} and {b.name} localised in different recordings: measure both again")
    folds = one.index.get_level_values("fold").to_numpy()
    weights = np.zeros((draws, len(one)))
    for number, fold in enumerate(np.unique(folds)):
        rows = np.flatnonzero(folds == fold)
        weights[:, rows] = patient_weights(one["patient"].to_numpy()[rows], draws=draws, seed=seed + number)
    change = one["value"].to_numpy(dtype=np.float64) - two["value"].to_numpy(dtype=np.float64)
    drawn = weights @ change / weights.sum(axis=1)
    low, high = percentiles(drawn)
    tails = [(1 + int((sign * drawn <= 0).sum())) / (1 + draws) for sign in (1, -1)]
    return Difference(
        name=name,
        a=float(one["value"].mean()),
        b=float(two["value"].mean()),
        difference=float(change.mean()),
        low=low,
        high=high,
        p=min(1.0, 2 * min(tails)),
        p_holm=None,
        positives=len(one),
        folds=len(np.unique(folds)),
        labels=0,
        skipped=0,
    )


def _values(rotation: Rotation, study: str) -> "pd.DataFrame":
    table = rotation.scores("localisation")
    kept: pd.DataFrame = table[table["study"] == study].set_index(["fold", "record"]).sort_index()
    return kept
