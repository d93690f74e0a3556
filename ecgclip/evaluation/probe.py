"""Linear probe: what a frozen encoder's features hold, given the labels of a share of patients or a few a class.

Features are standardised on the training part; one logistic regression a label, C by patient-wise
cross-validation of the log loss inside the drawn labels, C = 0.01 for a label with fewer than ten positives
in the draw. Draws depend on targets, patients and seed alone, so that encoders meet the same draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ecgclip.errors import DataError, UsageError

from .bootstrap import scorable
from .drawing import draw_patients, draw_shots, patient_folds
from .logistic import fit_logistic
from .metrics import Bools, Floats, auroc
from .table import auroc_table

__all__ = ["ProbeDraw", "ProbeResult", "few_shot_probe", "linear_probe"]

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
FIXED_PENALTY = 0.01
FEW_POSITIVES = 10
FOLDS = 5
LABELS_AT_ONCE = 8  # regressions of these labels share their matrix products


@dataclass(frozen=True, eq=False)
class ProbeDraw:
    """One draw of training patients: logits ``(n_test, labels)`` and how they came about.

    The logits of a label without a positive (or a negative) in the draw are NaN; ``absent`` lists those.
    ``shots`` counts the positive patients a label that were drawn, 0 where a share of patients was.
    """

    fraction: float
    number: int
    records: NDArray[np.intp]
    n_patients: int
    scores: Floats
    penalties: Floats
    absent: tuple[str, ...]
    converged: bool
    shots: int = 0


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """All draws of a probe with the test part they are scored on."""

    codes: tuple[str, ...]
    targets: Bools
    patients: NDArray[np.generic]
    minimum: int
    draws: tuple[ProbeDraw, ...]

    def table(self, fraction: float, number: int = 0, *, draws: int = 1000, seed: int = 0) -> pd.DataFrame:
        """`auroc_table` of one draw; labels absent from it are left out, as ``absent`` lists them."""
        drawn = next((d for d in self.draws if (d.fraction, d.number) == (fraction, number)), None)
        if drawn is None:
            raise UsageError(f"the probe has no draw {number} at fraction {fraction}")
        there = [i for i, code in enumerate(self.codes) if code not in drawn.absent]
        codes = [self.codes[i] for i in there]
        table: pd.DataFrame = auroc_table(
            drawn.scores[:, there],
            self.targets[:, there],
            codes,
            self.patients,
            minimum=self.minimum,
            draws=draws,
            seed=seed,
        )
        return table

    def to_frame(self) -> pd.DataFrame:
        """One row a draw: its size, macro AUROC, how many labels that averages, and which are absent."""
        scored = scorable(self.targets, self.minimum)
        rows = []
        for d in self.draws:
            there = scored & np.isfinite(d.scores).all(axis=0)
            macro = (
                float(np.mean(auroc(d.scores[:, there], self.targets[:, there]))) if there.any() else np.nan
            )
            rows.append(
                {
                    "fraction": d.fraction,
                    "draw": d.number,
                    "patients": d.n_patients,
                    "records": len(d.records),
                    "macro_auroc": macro,
                    "labels_scored": int(there.sum()),
                    "absent": ", ".join(d.absent),
                    "converged": d.converged,
                }
            )
        table: pd.DataFrame = pd.DataFrame(rows)
        return table

    def summary(self) -> pd.DataFrame:
        """One row a fraction: mean, lowest and highest macro AUROC over its draws."""
        by = self.to_frame().groupby("fraction")["macro_auroc"]
        table: pd.DataFrame = by.agg(["mean", "min", "max", "count"]).rename(columns={"count": "draws"})
        return table


def _cross_validate(features: Floats, targets: Bools, folds: NDArray[np.intp]) -> Floats:
    """C ``(labels,)`` with the lowest log loss on the held-out folds."""
    n, n_labels = targets.shape
    grid = np.array(PENALTIES)
    inside = (folds[:, None] != np.arange(FOLDS)).astype(np.float64)  # (n, folds)
    penalties, weights = np.repeat(grid, FOLDS), np.tile(inside, (1, len(grid)))
    losses = np.empty((len(grid), n_labels))
    for start in range(0, n_labels, LABELS_AT_ONCE):
        part = targets[:, start : start + LABELS_AT_ONCE]
        k = part.shape[1]
        y, w = np.repeat(part, len(penalties), axis=1), np.tile(weights, (1, k))
        fitted = fit_logistic(features, y, np.tile(penalties, k), weights=w, tol=1e-7, max_iter=100)
        logits = fitted.decision(features)
        loss = ((np.logaddexp(0.0, logits) - y * logits) * (1 - w)).sum(axis=0) / n
        losses[:, start : start + k] = loss.reshape(k, len(grid), FOLDS).sum(axis=2).T
    return np.asarray(grid[losses.argmin(axis=0)])


def _fit_draw(
    train: Floats, targets: Bools, patients: NDArray[np.generic], test: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats, bool]:
    """Logits of the test part, C of each label, and whether every fit reached its tolerance."""
    positives = targets.sum(axis=0)
    present = (positives > 0) & (positives < len(targets))
    enough = present & (positives >= FEW_POSITIVES) & (len(np.unique(patients)) >= FOLDS)
    penalties = np.full(targets.shape[1], np.nan)
    penalties[present] = FIXED_PENALTY
    if enough.any():
        folds = patient_folds(targets[:, enough], patients, rng, FOLDS)
        penalties[enough] = _cross_validate(train, targets[:, enough], folds)
    scores = np.full((len(test), targets.shape[1]), np.nan)
    if not present.any():
        return scores, penalties, True
    fitted = fit_logistic(train, targets[:, present], penalties[present])
    scores[:, present] = fitted.decision(test)
    return scores, penalties, bool(fitted.converged.all())


def _check(
    features: Floats, targets: ArrayLike, patients: ArrayLike, split: ArrayLike, codes: Sequence[str]
) -> Bools:
    truth = np.asarray(targets)
    n = len(features)
    if features.ndim != 2 or truth.shape != (n, len(codes)):
        raise DataError(
            f"features of shape {features.shape} and targets of shape {truth.shape} with {len(codes)} codes: "
            "expected (n, dim) and (n, labels)"
        )
    if np.asarray(patients).shape != (n,) or np.asarray(split).shape != (n,):
        raise DataError(f"{n} records: expected one patient and one split for each")
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if bad.size:
        raise DataError(
            f"the encoder's features of {bad.size} records are not finite (first: row {bad[0]}): "
            "leave these records out or correct the encoder"
        )
    if not np.isin(truth, (0, 1)).all():
        raise DataError("targets hold values other than 0 and 1: give one 0/1 column a label")
    return truth.astype(bool)


def linear_probe(
    features: ArrayLike,
    targets: ArrayLike,
    patients: ArrayLike,
    split: ArrayLike,
    *,
    codes: Sequence[str],
    test: str = "test",
    fractions: Sequence[float] = (0.01, 0.1, 1.0),
    draws: int = 3,
    seed: int = 0,
    minimum: int = 10,
) -> ProbeResult:
    """Fit logistic regressions on the features of drawn training patients and score the test part.

    Args:
        features: ``(n, dim)`` of the frozen encoder in eval mode.
        targets: ``(n, labels)`` 0 or 1.
        patients: ``(n,)`` patient of each record.
        split: ``(n,)``, ``"train"`` for the part to draw from, ``test`` for the part to score.
        codes: name of each label.
        test: which split is scored; ``"validation"`` during development.
        fractions: shares of the training patients; at 1.0 there is one draw, for it holds everybody.
        draws: draws a fraction, each stratified so that a label that is scored keeps a positive patient.
        seed: of draws and folds.
        minimum: positives and negatives that a label needs in the test part to be scored.

    Raises:
        DataError: shapes that do not fit, features that are not finite, an empty part, or a patient in both.
        UsageError: a fraction outside (0, 1].
    """
    if not all(0 < fraction <= 1 for fraction in fractions) or draws < 1:
        raise UsageError(
            f"fractions {tuple(fractions)} with {draws} draws: expected shares in (0, 1] and 1 or more"
        )
    parts = _Parts.of(features, targets, patients, split, codes, test)
    wanted = scorable(parts.test_truth, minimum)
    found = []
    for fraction in fractions:
        for number in range(1 if fraction == 1 else draws):
            rng = np.random.default_rng([seed, number, round(fraction * 1e6)])
            rows = draw_patients(parts.truth, parts.patients, fraction, rng, wanted)
            found.append(parts.fit(rows, fraction, number, 0, rng))
    return ProbeResult(tuple(codes), parts.test_truth, parts.test_patients, minimum, tuple(found))


def few_shot_probe(
    features: ArrayLike,
    targets: ArrayLike,
    patients: ArrayLike,
    split: ArrayLike,
    *,
    codes: Sequence[str],
    test: str = "test",
    shots: Sequence[int] = (1, 4, 16),
    draws: int = 3,
    seed: int = 0,
    minimum: int = 10,
) -> ProbeResult:
    """Do what `linear_probe` does with a few positive patients a label (`draw_shots`) instead of a share.

    Raises:
        DataError: as `linear_probe`.
        UsageError: a number of shots below one.
    """
    if not all(shot >= 1 for shot in shots) or draws < 1:
        raise UsageError(f"shots {tuple(shots)} with {draws} draws: expected whole numbers from 1 on")
    parts = _Parts.of(features, targets, patients, split, codes, test)
    found = []
    for shot in shots:
        for number in range(draws):
            rng = np.random.default_rng([seed, number, shot, 1])
            rows = draw_shots(parts.truth, parts.patients, shot, rng)
            share = len(np.unique(parts.patients[rows])) / len(np.unique(parts.patients))
            found.append(parts.fit(rows, share, number, shot, rng))
    return ProbeResult(tuple(codes), parts.test_truth, parts.test_patients, minimum, tuple(found))


@dataclass(frozen=True, eq=False)
class _Parts:
    """The training and the test part, features standardised on the former."""

    codes: tuple[str, ...]
    rows: NDArray[np.intp]
    features: Floats
    truth: Bools
    patients: NDArray[np.generic]
    test_features: Floats
    test_truth: Bools
    test_patients: NDArray[np.generic]

    @classmethod
    def of(
        cls,
        features: ArrayLike,
        targets: ArrayLike,
        patients: ArrayLike,
        split: ArrayLike,
        codes: Sequence[str],
        test: str,
    ) -> "_Parts":
        values = np.asarray(features, dtype=np.float64)
        truth = _check(values, targets, patients, split, codes)
        who, part = np.asarray(patients), np.asarray(split)
        train, held = np.flatnonzero(part == "train"), np.flatnonzero(part == test)
        if train.size == 0 or held.size == 0:
            raise DataError(f"{train.size} train and {held.size} {test} records: the probe needs both")
        both = np.intersect1d(who[train], who[held])
        if both.size:
            raise DataError(
                f"{both.size} patients are in train and in {test} (first: {both[0]}): split by patient"
            )
        mean, deviation = values[train].mean(axis=0), values[train].std(axis=0)
        standard = (values - mean) / np.where(deviation > 0, deviation, 1.0)
        return cls(
            tuple(codes),
            train,
            standard[train],
            truth[train],
            who[train],
            standard[held],
            truth[held],
            who[held],
        )

    def fit(
        self, rows: NDArray[np.intp], fraction: float, number: int, shots: int, rng: np.random.Generator
    ) -> ProbeDraw:
        """Fit one draw: ``rows`` are positions in the training part."""
        scores, penalties, converged = _fit_draw(
            self.features[rows], self.truth[rows], self.patients[rows], self.test_features, rng
        )
        return ProbeDraw(
            fraction=fraction,
            number=number,
            records=self.rows[rows],
            n_patients=len(np.unique(self.patients[rows])),
            scores=scores,
            penalties=penalties,
            absent=tuple(code for code, c in zip(self.codes, penalties, strict=True) if np.isnan(c)),
            converged=converged,
            shots=shots,
        )
