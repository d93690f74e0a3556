"""The PhysioNet/CinC Challenge 2021 metric: partial credit for confusions that matter less.

Source: Reyna et al. 2021, "Will two do?", and the official scorer's definition. Each recording spreads one unit over
its pairs of true and called class, the count of classes in either being what it is divided by; the weighted sum is
brought to 0 for a classifier that always calls sinus rhythm and to 1 for the truth. ``challenge_2021_weights.csv`` is
the official table of weights (PhysioNet/CinC Challenges, BSD 2-Clause); classes joined there by ``|`` are one class.
"""

import csv
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ecgclip.errors import DataError

from .metrics import Bools, Floats

__all__ = ["SINUS_RHYTHM", "challenge_metric", "challenge_weights"]

SINUS_RHYTHM = "426783006"


@cache
def challenge_weights() -> tuple[tuple[tuple[str, ...], ...], Floats]:
    """The official classes, each with its SNOMED CT codes, and the weights ``(26, 26)`` (row true, column called)."""
    text = Path(__file__).with_name("challenge_2021_weights.csv").read_text(encoding="utf-8")
    head, *rows = list(csv.reader(text.splitlines()))
    classes = tuple(tuple(name.split("|")) for name in head[1:])
    weights = np.array([[float(value) for value in row[1:]] for row in rows])
    if [row[0] for row in rows] != head[1:] or weights.shape != (len(classes), len(classes)):
        raise DataError("challenge_2021_weights.csv: rows and columns differ; install the package again")
    return classes, weights


def challenge_metric(
    called: ArrayLike, targets: ArrayLike, codes: Sequence[Sequence[str]], *, sinus: str = SINUS_RHYTHM
) -> float:
    """The normalised score of 0/1 calls: 1 is perfect, 0 is always sinus rhythm, less is worse.

    Args:
        called: ``(n, classes)`` 0 or 1, by thresholds that saw no test record.
        targets: ``(n, classes)`` 0 or 1.
        codes: SNOMED CT codes of each column, at least one; any order.
        sinus: the code of sinus rhythm.

    Raises:
        DataError: shapes that do not fit, values other than 0 and 1, a class of the weights without a column, or
            records for which no score is defined (all of them are sinus rhythm alone).
    """
    calls, truth = _binary(called, "called"), _binary(targets, "targets")
    if calls.shape != truth.shape or calls.shape[1] != len(codes) or not len(calls):
        raise DataError(
            f"called {calls.shape} and targets {truth.shape} with {len(codes)} classes: expected (n, classes) twice"
        )
    classes, weights = challenge_weights()
    order = [_column(known, codes) for known in classes]
    calls, truth = calls[:, order], truth[:, order]
    inactive = np.zeros_like(calls)
    inactive[:, next(k for k, known in enumerate(classes) if sinus in known)] = True
    observed, correct, floor = (_score(each, truth, weights) for each in (calls, truth, inactive))
    if correct == floor:
        raise DataError("the Challenge metric is not defined: every record is sinus rhythm and nothing else")
    return float((observed - floor) / (correct - floor))


def _score(calls: Bools, truth: Bools, weights: Floats) -> float:
    either = np.maximum((calls | truth).sum(axis=1), 1)
    return float(np.einsum("nj,jk,nk,n->", truth * 1.0, weights, calls * 1.0, 1.0 / either, optimize=True))


def _column(known: Sequence[str], codes: Sequence[Sequence[str]]) -> int:
    for column, each in enumerate(codes):
        if set(known) & set(each):
            return column
    raise DataError(
        f"class {'|'.join(known)} of the Challenge's weights has no column: score all of its classes"
    )


def _binary(values: ArrayLike, what: str) -> Bools:
    array = np.asarray(values)
    if array.ndim != 2 or not np.isin(array, (0, 1)).all():
        raise DataError(f"{what} of shape {array.shape}: expected (n, classes) of 0 and 1")
    return array.astype(bool)
