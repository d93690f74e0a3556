"""Paired comparisons: one model's figure minus another's on the same patients, with interval and Holm's p.

AUROC is taken within each test fold, averaged over labels, then label sets, then folds; patients are resampled
within folds, both sides by the same draws. A label counts in the folds that hold enough positives and negatives
of it; a draw in which it has no positive leaves it out, and these are counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecgclip.errors import DataError, unknown_name
from ecgclip.evaluation import holm, paired_bootstrap
from ecgclip.studies.rotation import FINDING_MINIMUM, FINDINGS, MINIMUM, SETS, Rotation

from .means import mean_difference
from .scores import Difference, Paired, paired, read_scores

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MEASURES", "Comparison", "Difference", "Measure", "compare", "compare_family"]


@dataclass(frozen=True)
class Comparison:
    """Two runs, or two rotations, on the same recordings.

    Attributes:
        a: name of the first.
        b: name of the second.
        mean: over the label sets; None where there is one set only.
        sets: a row a label set; Holm's family are these.
        labels: a row a label that counts, the largest difference first.
        left_out: labels that count nowhere.
        n: recordings.
        patients: their patients.
        draws: of the bootstrap.
        minimum: positives and negatives that a label needs in a fold.
    """

    a: str
    b: str
    mean: Difference | None
    sets: tuple[Difference, ...]
    labels: tuple[Difference, ...]
    left_out: tuple[str, ...]
    n: int
    patients: int
    draws: int
    minimum: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-able values."""
        return asdict(self)

    def to_frame(self) -> "pd.DataFrame":
        """One row a difference: the mean, the label sets, the labels."""
        import pandas as pd

        rows = [*([] if self.mean is None else [self.mean]), *self.sets, *self.labels]
        table: pd.DataFrame = pd.DataFrame([asdict(row) for row in rows])
        return table


@dataclass(frozen=True)
class Measure:
    """What variants are judged on.

    Attributes:
        title: in tables.
        table: ``scores`` (zero-shot), ``probe``, or ``localisation`` (a value a recording, averaged).
        study: rows of the localisation table that count.
        sets: label sets.
        labels: of these sets; all when empty.
        fraction: share of training patients of a probe.
        minimum: positives and negatives that a label needs in a fold.
    """

    title: str
    table: str = "scores"
    sets: tuple[str, ...] = SETS
    labels: tuple[str, ...] = ()
    fraction: float | None = None
    minimum: int = MINIMUM
    study: str | None = None

    def read(self, rotation: Rotation) -> "pd.DataFrame":
        """The scores of a rotation that this measure is made of."""
        table = rotation.scores(self.table)
        keep = table["labels"].isin(self.sets)
        if self.labels:
            keep &= table["label"].isin(self.labels)
        if self.fraction is not None:
            keep &= table["fraction"] == self.fraction
        kept: pd.DataFrame = table[keep]
        return kept


MEASURES: Mapping[str, Measure] = {
    "macro": Measure("mean of the four label sets, zero-shot"),
    **{name: Measure(name, sets=(name,)) for name in SETS},
    "beat": Measure(
        "findings of one beat", "scores", (FINDINGS["beat"][0],), FINDINGS["beat"][1], None, FINDING_MINIMUM
    ),
    "leads": Measure(
        "findings of one lead group",
        "scores",
        (FINDINGS["leads"][0],),
        FINDINGS["leads"][1],
        None,
        FINDING_MINIMUM,
    ),
    "PVC": Measure("PVC", "scores", ("ptbxl-form",), ("PVC",), None, FINDING_MINIMUM),
    "localisation": Measure(
        "mass of PVC on the premature beats over their share of time", "localisation", study="real"
    ),
    "competing": Measure(
        "PVC and PAC asked at once, each more on its own beat", "localisation", study="competing"
    ),
    "probe-1": Measure("linear probe, 1 % of the training patients", "probe", fraction=0.01),
    "probe-10": Measure("linear probe, 10 % of the training patients", "probe", fraction=0.1),
}


def difference(
    name: str, pair: Paired, *, minimum: int = MINIMUM, draws: int = 1000, seed: int = 0
) -> Difference | None:
    """Figure of A minus figure of B; None where no label counts in any fold."""
    part = pair.scored_folds(minimum)
    if part is None:
        return None
    found = paired_bootstrap(
        part.a,
        part.b,
        part.targets,
        part.patients,
        folds=part.folds,
        sets=part.blocks.tolist(),
        minimum=minimum,
        draws=draws,
        seed=seed,
    )
    return Difference(
        name=name,
        a=found.estimate_a,
        b=found.estimate_b,
        difference=found.difference,
        low=found.low,
        high=found.high,
        p=found.p,
        p_holm=None,
        positives=int(part.targets.any(axis=1).sum()),
        folds=len(np.unique(part.folds)),
        labels=found.n_labels,
        skipped=found.skipped,
    )


def _with_holm(rows: Sequence[Difference]) -> tuple[Difference, ...]:
    """The rows as one family."""
    if not rows:
        return ()
    adjusted = holm([row.p for row in rows])
    return tuple(
        Difference(**{**asdict(row), "p_holm": float(p)}) for row, p in zip(rows, adjusted, strict=True)
    )


def compare(
    run_a: str | Path | Rotation,
    run_b: str | Path | Rotation,
    *,
    labels: Sequence[str] | None = None,
    split: str | None = None,
    minimum: int = MINIMUM,
    draws: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Compare the zero-shot scores that two run folders or two rotations keep.

    Args:
        run_a: a run folder, a rotation, or the JSON file of one.
        run_b: the other; positive differences speak for ``run_a``.
        labels: label sets; all that both have by default.
        split: of run folders, ``validation`` by default.
        minimum: positives and negatives that a label needs (in each fold) to count.
        draws: of the patient bootstrap.
        seed: of the draws.

    Raises:
        DataError: scores are absent, or the two scored different recordings.
    """
    name_a, table_a = read_scores(run_a, split=split, labels=labels)
    name_b, table_b = read_scores(run_b, split=split, labels=labels)
    if name_a == name_b and not isinstance(run_a, Rotation) and not isinstance(run_b, Rotation):
        name_a, name_b = str(run_a), str(run_b)
    pair = paired(table_a, table_b, (name_a, name_b))
    options = {"minimum": minimum, "draws": draws, "seed": seed}
    names = list(dict.fromkeys(pair.blocks.tolist()))
    sets = [difference(name, pair.columns(pair.blocks == name), **options) for name in names]
    single, left_out = [], []
    for k, (block, label) in enumerate(zip(pair.blocks, pair.labels, strict=True)):
        only = np.arange(len(pair.labels)) == k
        found = difference(f"{block}: {label}", pair.columns(only), **options)
        if found is None:
            left_out.append(f"{block}: {label}")
        else:
            single.append(found)
    known = [row for row in sets if row is not None]
    if not known:
        raise DataError(
            f"{name_a} and {name_b}: no label has {minimum} positives and {minimum} negatives in a test part: "
            "compare on a larger one"
        )
    return Comparison(
        a=name_a,
        b=name_b,
        mean=difference("mean", pair, **options) if len(known) > 1 else None,
        sets=_with_holm(known),
        labels=tuple(sorted(single, key=lambda row: -abs(row.difference))),
        left_out=tuple(left_out),
        n=len(pair.a),
        patients=len(np.unique(pair.patients.astype(str))),
        draws=draws,
        minimum=minimum,
    )


def compare_family(
    formulation: Rotation,
    against: Mapping[str, Rotation],
    measure: str,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[Difference, ...]:
    """One rotation against several on one measure, p adjusted by Holm over these comparisons.

    Args:
        formulation: the side that positive differences speak for.
        against: the others by name.
        measure: a key of ``MEASURES``.
        draws: of the patient bootstrap.
        seed: of the draws, the same for all comparisons.

    Raises:
        UsageError: an unknown measure.
        DataError: the rotations have other folds or recordings, or nothing can be scored.
    """
    if measure not in MEASURES:
        raise unknown_name("measure", measure, MEASURES)
    asked = MEASURES[measure]
    rows = []
    if asked.study is not None:
        for name, other in against.items():
            rows.append(mean_difference(name, formulation, other, asked.study, draws=draws, seed=seed))
        return _with_holm(rows)
    mine = asked.read(formulation)
    for name, other in against.items():
        pair = paired(mine, asked.read(other), (formulation.name, name))
        found = difference(name, pair, minimum=asked.minimum, draws=draws, seed=seed)
        if found is None:
            raise DataError(
                f"{measure}: no label has {asked.minimum} positives and negatives in any test fold"
            )
        rows.append(found)
    return _with_holm(rows)
