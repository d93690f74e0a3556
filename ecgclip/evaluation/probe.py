"""Linear probe: what a frozen encoder's features hold, given the labels of a share of patients or a few a class.

Features are standardised on the training part; one logistic regression a label, C by patient-wise
cross-validation of the log loss inside the drawn labels, C = 0.01 for a label with fewer than ten positives
in the draw. Draws depend on targets, patients and seed alone, so that encoders meet the same draws.

With scores to start from, labels correct a classifier instead of making one: coefficients are drawn to the scores given
and not to zero, as in the few-label probes of image-text models that start from the text's weights (LP++, Huang et al.,
CVPR 2024). There C is 0.001 for a label with fewer than ten positives.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ecgclip.errors import UsageError

from .bootstrap import scorable
from .drawing import draw_patients, draw_shots
from .metrics import Bools, Floats, auroc
from .probe_fit import ProbeParts
from .table import auroc_table

__all__ = ["ProbeDraw", "ProbeResult", "few_shot_probe", "linear_probe"]


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
    prior: ArrayLike | None = None,
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
        prior: ``(n, labels)`` scores to start from, such as a zero-shot classifier's: a label's own, standardised
            on the training part, stands in its logit with a slope drawn towards one, and the features correct it.

    Raises:
        DataError: shapes that do not fit, features or scores to start from that are not finite, an empty part, or a
            patient in both.
        UsageError: a fraction outside (0, 1].
    """
    if not all(0 < fraction <= 1 for fraction in fractions) or draws < 1:
        raise UsageError(
            f"fractions {tuple(fractions)} with {draws} draws: expected shares in (0, 1] and 1 or more"
        )
    parts = ProbeParts.of(features, targets, patients, split, codes, test, prior)
    wanted = scorable(parts.test_truth, minimum)
    drawn = []
    for fraction in fractions:
        for number in range(1 if fraction == 1 else draws):
            rng = np.random.default_rng([seed, number, round(fraction * 1e6)])
            rows = draw_patients(parts.truth, parts.patients, fraction, rng, wanted)
            drawn.append(_Drawn(rows, number, rng, fraction))
    return _fitted(parts, minimum, drawn)


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
    prior: ArrayLike | None = None,
) -> ProbeResult:
    """Do what `linear_probe` does with a few positive patients a label (`draw_shots`) instead of a share.

    Raises:
        DataError: as `linear_probe`.
        UsageError: a number of shots below one.
    """
    if not all(shot >= 1 for shot in shots) or draws < 1:
        raise UsageError(f"shots {tuple(shots)} with {draws} draws: expected whole numbers from 1 on")
    parts = ProbeParts.of(features, targets, patients, split, codes, test, prior)
    drawn = []
    for shot in shots:
        for number in range(draws):
            rng = np.random.default_rng([seed, number, shot, 1])
            drawn.append(_Drawn(draw_shots(parts.truth, parts.patients, shot, rng), number, rng, shots=shot))
    return _fitted(parts, minimum, drawn)


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Rows of the training part that a draw gave, and what it goes on drawing with."""

    rows: NDArray[np.intp]
    number: int
    rng: np.random.Generator
    fraction: float | None = None  # of the patients; None for what came of the shots
    shots: int = 0


def _fitted(parts: ProbeParts, minimum: int, drawn: Iterable[_Drawn]) -> ProbeResult:
    """Fit every draw."""
    found = []
    everybody = len(np.unique(parts.patients))
    for each in drawn:
        scores, penalties, converged = parts.fit(each.rows, each.rng)
        n_patients = len(np.unique(parts.patients[each.rows]))
        found.append(
            ProbeDraw(
                fraction=n_patients / everybody if each.fraction is None else each.fraction,
                number=each.number,
                records=parts.rows[each.rows],
                n_patients=n_patients,
                scores=scores,
                penalties=penalties,
                absent=tuple(code for code, c in zip(parts.codes, penalties, strict=True) if np.isnan(c)),
                converged=converged,
                shots=each.shots,
            )
        )
    return ProbeResult(parts.codes, parts.test_truth, parts.test_patients, minimum, tuple(found))
