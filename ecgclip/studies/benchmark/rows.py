"""From scores to rows of a results file: macro AUROC by the rules of the evaluation protocol, with its interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from ecgclip.evaluation import auroc, auroc_table, macro_interval, patient_weights
from ecgclip.evaluation.bootstrap import percentiles, scorable

from .results import ClassRow, LeftOut, Reliability, Row

__all__ = ["METRIC", "Scored", "auroc_rows", "mean_of_draws", "mean_of_sets", "plain_row", "score_frame"]

METRIC = "macro AUROC"

Setting = Mapping[str, str | int | float | bool]


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """Scores of one label set on the test part, and what rows say of them.

    Attributes:
        name: whose they are.
        labels: the label set.
        codes: names of the columns.
        titles: display name of a code.
        scores: ``(n, labels)``; a column that could not be scored at all is NaN.
        targets: ``(n, labels)``.
        table: record, patient and split of each row of the scores.
        setting: what differs between rows of the protocol.
        bank: hash of the prompt bank.
        marks: what the row must say of itself.
        left_out: labels without scores, and why.
    """

    name: str
    labels: str
    codes: tuple[str, ...]
    titles: Mapping[str, str]
    scores: npt.NDArray[np.floating]
    targets: npt.NDArray[np.integer]
    table: pd.DataFrame
    setting: Setting = field(default_factory=dict)
    bank: str = ""
    marks: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    @property
    def key(self) -> str:
        """Unique among the rows of a protocol that are for every record."""
        return row_key(self.name, self.labels, self.setting)

    @property
    def patients(self) -> npt.NDArray[np.generic]:
        """Patient of each record."""
        return np.asarray(self.table["patient_id"].to_numpy())


def row_key(name: str, labels: str, setting: Setting, population: str = "all") -> str:
    """The key of a row."""
    parts = [name, labels, *(f"{k}={v}" for k, v in setting.items())]
    return "/".join(part for part in (*parts, "" if population == "all" else population) if part)


def plain_row(
    scored: Scored, population: str, figure: Sequence[float], classes: list[ClassRow], n_labels: int
) -> Row:
    """A row of macro AUROC; ``figure`` is the estimate and both ends of its interval."""
    return Row(
        key=row_key(scored.name, scored.labels, scored.setting, population),
        name=scored.name,
        labels=scored.labels,
        setting=dict(scored.setting),
        population=population,
        metric=METRIC,
        figure=figure[0],
        low=figure[1],
        high=figure[2],
        n=len(scored.table),
        patients=len(np.unique(scored.patients)),
        n_labels=n_labels,
        bank=scored.bank,
        marks=list(scored.marks),
        more={},
        classes=classes,
        reliability=list[Reliability](),
        left_out=list(scored.left_out),
        scores="",
    )


def auroc_rows(
    scored: Scored,
    *,
    minimum: int,
    draws: int,
    seed: int,
    populations: Sequence[str] = ("all", "all-classes"),
) -> list[Row]:
    """The row for every record, and those of other populations that were asked for.

    ``peer population`` keeps only records that carry a label of the set, as published split files for form and
    rhythm do; it is left out where that is every record or no label is left to score.
    """
    there = np.isfinite(scored.scores).all(axis=0)
    if not there.any():
        return [plain_row(scored, "all", (np.nan, np.nan, np.nan), [], 0)]
    table = auroc_table(
        scored.scores[:, there],
        scored.targets[:, there],
        [code for code, held in zip(scored.codes, there, strict=True) if held],
        scored.patients,
        minimum=minimum,
        draws=draws,
        seed=seed,
    )
    classes = class_rows(table, scored.titles)
    rows = []
    for population, line in (("all", "macro"), ("all-classes", "all-classes")):
        if population in populations:
            figure, count = (
                table.loc[line],
                (scorable(scored.targets[:, there] > 0, minimum if line == "macro" else 1)),
            )
            row = plain_row(
                scored,
                population,
                [float(figure[k]) for k in ("auroc", "low", "high")],
                classes if population == "all" else [],
                int(count.sum()),
            )
            more: dict[str, float | None] = {
                k: float(figure[k]) for k in ("auprc", "sensitivity", "skipped_draws")
            }
            rows.append(replace(row, more=more))
    carries: npt.NDArray[np.bool_] = np.asarray(scored.targets.any(axis=1))
    if "peer population" in populations and 0 < carries.sum() < len(carries):
        part = replace(
            scored,
            scores=scored.scores[carries],
            targets=scored.targets[carries],
            table=scored.table.iloc[np.flatnonzero(carries)].reset_index(drop=True),
        )
        (row,) = auroc_rows(part, minimum=minimum, draws=draws, seed=seed, populations=("all",))
        key = row_key(scored.name, scored.labels, scored.setting, "peer population")
        marks = [*row.marks, "peer population"]
        rows.append(replace(row, key=key, population="peer population", marks=marks))
    return rows


def class_rows(table: pd.DataFrame, titles: Mapping[str, str]) -> list[ClassRow]:
    """The labels of an ``auroc_table``."""
    found = []
    for code, line in table.iterrows():
        if code in ("macro", "all-classes"):
            continue
        figures = {k: float(line[k]) for k in ("auroc", "low", "high", "auprc", "sensitivity")}
        found.append(
            ClassRow(
                code=str(code),
                name=titles.get(str(code), str(code)),
                n=int(line["n"]),
                positives=int(line["positives"]),
                skipped_draws=int(line["skipped_draws"]),
                scored=bool(line["scored"]),
                reason=str(line["reason"]),
                **figures,
            )
        )
    return found


def mean_of_sets(parts: Sequence[Scored], *, minimum: int, draws: int, seed: int) -> Row | None:
    """The mean over label sets, equal weight, from the same draws; None where a set has no label to score."""
    usable = [
        p for p in parts if scorable(p.targets[:, np.isfinite(p.scores).all(axis=0)] > 0, minimum).any()
    ]
    if len(parts) < 2 or len(usable) < len(parts):
        return None
    there = [np.isfinite(p.scores).all(axis=0) for p in parts]
    found = macro_interval(
        np.hstack([p.scores[:, held] for p, held in zip(parts, there, strict=True)]),
        np.hstack([p.targets[:, held] for p, held in zip(parts, there, strict=True)]),
        parts[0].patients,
        sets=[p.labels for p, held in zip(parts, there, strict=True) for _ in range(int(held.sum()))],
        minimum=minimum,
        draws=draws,
        seed=seed,
    )
    whole = replace(parts[0], labels="ptbxl-mean", bank="", left_out=())
    return plain_row(whole, "all", (found.estimate, found.low, found.high), [], found.n_labels)


def mean_of_draws(
    groups: Sequence[Sequence[Scored]], labels: str, setting: Setting, *, minimum: int, draws: int, seed: int
) -> Row:
    """The mean over draws of training records, then over label sets, on the same bootstrap draws of test patients.

    A label that a draw could not learn is left out of that draw's macro figure, and listed.

    Args:
        groups: for each label set, the scores of its draws.
        labels: what the row is of: the set, or ``ptbxl-mean``.
        setting: what the draws have in common.
        minimum: positives and negatives that a label needs.
        draws: bootstrap draws.
        seed: of the draws.
    """
    first = groups[0][0]
    weights = patient_weights(first.patients, draws=draws, seed=seed)
    points, drawn, n_labels = [], [], 0
    for parts in groups:
        found = [_macro_draws(part, weights, minimum) for part in parts]
        points.append([point for point, _ in found])
        drawn.append(np.mean([each for _, each in found], axis=0))
        n_labels += int(scorable(parts[0].targets > 0, minimum).sum())
    missing = tuple(dict.fromkeys(out for parts in groups for part in parts for out in part.left_out))
    whole = replace(first, labels=labels, setting=setting, left_out=missing)
    low, high = percentiles(np.mean(drawn, axis=0))
    row = plain_row(whole, "all", (float(np.mean(points)), low, high), [], n_labels)
    by_draw = np.mean(points, axis=0) if len({len(p) for p in points}) == 1 else np.concatenate(points)
    return replace(row, more={"lowest": float(np.min(by_draw)), "highest": float(np.max(by_draw))})


def _macro_draws(
    part: Scored, weights: npt.NDArray[np.int32], minimum: int
) -> tuple[float, npt.NDArray[np.float64]]:
    """Macro AUROC of one draw of training records, and its bootstrap draws; NaN where no label can be scored."""
    there = scorable(part.targets > 0, minimum) & np.isfinite(part.scores).all(axis=0)
    if not there.any():
        return float("nan"), np.full(len(weights), np.nan)
    point = float(np.mean(auroc(part.scores[:, there], part.targets[:, there])))
    by_label = auroc(part.scores[:, there], part.targets[:, there], weights)
    count = np.isfinite(by_label).sum(axis=1)
    return point, np.where(count > 0, np.nansum(by_label, axis=1) / np.maximum(count, 1), np.nan)


def score_frame(scored: Scored) -> pd.DataFrame:
    """One row a record and label: record, patient, split, label, score, target."""
    n, m = scored.scores.shape
    table = scored.table
    frame: pd.DataFrame = pd.DataFrame(
        {
            "record": np.repeat(table["record_id"].to_numpy(), m),
            "patient": np.repeat(table["patient_id"].to_numpy(), m),
            "split": np.repeat(table["split"].to_numpy(), m),
            "label": np.tile(np.array(scored.codes), n),
            "score": np.asarray(scored.scores).reshape(-1),
            "target": np.asarray(scored.targets).reshape(-1),
        }
    )
    return frame
