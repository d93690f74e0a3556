"""The table that stands behind every published AUROC: a row a label, then the macro figures."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ecgclip.errors import DataError

from .bootstrap import patient_weights, percentiles, scorable
from .metrics import Bools, Floats, auprc, auroc, check_scores, sensitivity_at_specificity

__all__ = ["auroc_table", "render_table"]

COLUMNS = (
    "n",
    "positives",
    "auroc",
    "low",
    "high",
    "auprc",
    "sensitivity",
    "skipped_draws",
    "scored",
    "reason",
)


def _reasons(truth: Bools, minimum: int) -> list[str]:
    """Why a label is left out of the macro figure, empty where it is not."""
    positives = truth.sum(axis=0)
    reasons = []
    for positive, negative in zip(positives, len(truth) - positives, strict=True):
        if positive < minimum:
            reasons.append(f"{positive} positives, {minimum} needed")
        elif negative < minimum:
            reasons.append(f"{negative} negatives, {minimum} needed")
        else:
            reasons.append("")
    return reasons


def _mean_row(
    truth: Bools, figures: Mapping[str, Floats], drawn: Floats, chosen: Bools, reason: str
) -> dict[str, object]:
    """Mean over the chosen labels, its interval from the same draws, labels without positives skipped."""
    row: dict[str, object] = {
        "n": len(truth),
        "positives": int(truth[:, chosen].any(axis=1).sum()),
        "scored": bool(chosen.any()),
        "reason": reason,
        "skipped_draws": int(np.isnan(drawn[:, chosen]).sum()),
    }
    if not chosen.any():
        return row | {"auroc": np.nan, "low": np.nan, "high": np.nan, "auprc": np.nan, "sensitivity": np.nan}
    part = drawn[:, chosen]
    count = np.isfinite(part).sum(axis=1)
    total = np.where(np.isfinite(part), part, 0.0).sum(axis=1)
    low, high = percentiles(np.where(count > 0, total / np.maximum(count, 1), np.nan))
    means = {name: float(values[chosen].mean()) for name, values in figures.items()}
    return row | means | {"low": low, "high": high}


def auroc_table(
    scores: ArrayLike,
    targets: ArrayLike,
    codes: Sequence[str],
    patients: ArrayLike,
    *,
    minimum: int = 10,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """AUROC of each label with the interval of a patient bootstrap, and the macro figures.

    Args:
        scores: ``(n, labels)`` raw scores.
        targets: ``(n, labels)`` 0 or 1; every record of the test part, an absent label is a negative.
        codes: name of each label.
        patients: ``(n,)`` patient of each record.
        minimum: positives and negatives that a label needs to count in the macro figure.
        draws: bootstrap draws.
        seed: of the draws.

    Returns:
        One row a label in the order of ``codes``, then ``macro`` (labels with at least ``minimum`` positives
        and negatives) and ``all-classes`` (labels with at least one of each). Columns: ``n``, ``positives``
        (records), ``auroc``, ``low``, ``high`` (percentile 95 %), ``auprc``, ``sensitivity`` (at 90 %
        specificity), ``skipped_draws`` (draws without a positive, or a negative, of the label), ``scored``
        (counts in the macro figure) and ``reason`` (why not). ``attrs`` hold the protocol.

    Raises:
        DataError: shapes that do not fit, or scores that are not finite.
    """
    values, truth = check_scores(scores, targets)
    if len(codes) != values.shape[1] or len(np.asarray(patients)) != len(values):
        raise DataError(
            f"{values.shape} scores with {len(codes)} codes and {len(np.asarray(patients))} patients: "
            "expected one code a column and one patient a record"
        )
    drawn = auroc(values, truth, patient_weights(patients, draws=draws, seed=seed))
    figures: dict[str, Floats] = {
        "auroc": auroc(values, truth),
        "auprc": auprc(values, truth),
        "sensitivity": sensitivity_at_specificity(values, truth),
    }
    scored, possible = scorable(truth, minimum), scorable(truth, 1)
    reasons = _reasons(truth, minimum)
    rows: list[dict[str, object]] = []
    for label in range(len(codes)):
        low, high = percentiles(drawn[:, label])
        row: dict[str, object] = {
            "n": len(values),
            "positives": int(truth[:, label].sum()),
            "low": low,
            "high": high,
        }
        row |= {name: float(column[label]) for name, column in figures.items()}
        row |= {"skipped_draws": int(np.isnan(drawn[:, label]).sum())}
        rows.append(row | {"scored": bool(scored[label]), "reason": reasons[label]})
    left_out = f"{scored.sum()} of {len(codes)} labels" + ("" if scored.any() else ": none can be scored")
    rows.append(_mean_row(truth, figures, drawn, scored, left_out))
    rows.append(_mean_row(truth, figures, drawn, possible, f"{possible.sum()} of {len(codes)} labels"))
    index = pd.Index([*codes, "macro", "all-classes"], name="code")
    table: pd.DataFrame = pd.DataFrame(rows, index=index, columns=list(COLUMNS))
    table.attrs = {
        "minimum": minimum,
        "draws": draws,
        "seed": seed,
        "patients": len(np.unique(np.asarray(patients))),
    }
    return table


def render_table(table: pd.DataFrame, *, title: str = "", names: Mapping[str, str] | None = None) -> str:
    """The table as text for a terminal: 80 columns where the names allow it.

    Args:
        table: what `auroc_table` returned.
        title: a line above it.
        names: display name of a code, shown behind the row.
    """
    width = max(len(str(code)) for code in table.index)
    lines = [title] if title else []
    lines.append(
        f"{'':{width}}  {'n':>6} {'pos':>6}  {'AUROC':>5}  {'95 % interval':>13}  {'AUPRC':>5}  {'Se90':>5}"
    )
    for code, row in table.iterrows():
        if code == "macro":
            lines.append("-" * (width + 51))
        figures = "  ".join(
            [
                _number(row["auroc"]),
                f"{_number(row['low'])}-{_number(row['high'])}".rjust(13),
                _number(row["auprc"]),
                _number(row["sensitivity"]),
            ]
        )
        note = row["reason"] or (names or {}).get(str(code), "")
        line = f"{code!s:{width}}  {row['n']:>6} {row['positives']:>6}  {figures}  {note}"
        lines.append(line.rstrip())
    attrs = table.attrs
    if attrs:
        lines.append(
            f"Intervals: {attrs['draws']} draws of {attrs['patients']} patients, seed {attrs['seed']}; macro "
            f"over labels with at least {attrs['minimum']} positives and negatives."
        )
    return "\n".join(lines)


def _number(value: float) -> str:
    return "    -" if not np.isfinite(value) else f"{value:.3f}"
