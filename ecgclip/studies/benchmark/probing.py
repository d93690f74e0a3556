"""Rows of the linear and the few-shot probe: the model's, and those that always stand beside it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from ecgclip.errors import DataError
from ecgclip.evaluation.probe import ProbeDraw, ProbeResult

from .bench import MEAN_OF, Bench
from .encoders import Encoder, untrained
from .intervals import INTERVALS, interval_features
from .ledger import Ledger
from .results import LeftOut, Row
from .rows import Scored, auroc_rows, mean_of_draws, row_key
from .twin import twin_encoder

__all__ = ["Features", "Fit", "Setting", "probe_rows"]

Features = npt.NDArray[np.floating]
Fit = Callable[..., ProbeResult]  # takes what `linear_probe` takes, its own settings already given
Setting = dict[str, str | int | float | bool]

_ABSENT = "no positive, or no negative, among the drawn records"


@dataclass(frozen=True, eq=False)
class _Source:
    """One encoder's features, computed when they are asked for, and scores of a label set to start from if any."""

    name: str
    marks: tuple[str, ...]
    features: Callable[[], Features]
    prior: Callable[[str], Features] | None = None


def probe_rows(
    bench: Bench,
    ledger: Ledger,
    fit: Fit,
    setting_of: Callable[[ProbeDraw], Setting],
    wanted: Sequence[Setting],
) -> None:
    """Fit the probe on the features of each encoder; a row a draw, a row over draws, a row over label sets.

    Args:
        bench: what is measured.
        ledger: takes the rows.
        fit: the probe with its own settings, such as the shares of patients.
        setting_of: what the draws of a group have in common.
        wanted: those settings, all of them.
    """
    encoders = 2 + (bench.model is not None) + bench.supervised
    from_text = len(bench.banked) if bench.model is not None else 0
    bench.progress.start(encoders * len(bench.sets) + from_text)
    for source in _sources(bench, ledger):
        by_set: dict[str, list[Scored]] = {}
        for labels in bench.sets if source.prior is None else bench.banked:
            there = all(ledger.has(row_key(source.name, labels, setting)) for setting in wanted)
            features = None if there else source.features()  # what an encoder does wrong ends the protocol
            bench.progress.begins(f"{source.name}, {labels}", there)
            if features is None:
                by_set[labels] = _kept(bench, ledger, source, labels)
                continue
            try:
                by_set[labels] = _fit(bench, ledger, source, labels, features, fit, setting_of)
            except DataError as error:
                ledger.leave_out(f"{source.name}, {labels}", str(error))
        for setting in wanted:
            if set(MEAN_OF) <= set(by_set) and not ledger.has(row_key(source.name, "ptbxl-mean", setting)):
                groups = [_of(by_set[labels], setting) for labels in MEAN_OF]
                ledger.add([mean_of_draws(groups, "ptbxl-mean", setting, **bench.figures)])


def _of(parts: Sequence[Scored], setting: Setting) -> list[Scored]:
    """The draws of a setting."""
    return [part for part in parts if {k: v for k, v in part.setting.items() if k != "draw"} == setting]


def _fit(
    bench: Bench,
    ledger: Ledger,
    source: _Source,
    labels: str,
    features: Features,
    fit: Fit,
    setting_of: Callable[[ProbeDraw], Setting],
) -> list[Scored]:
    """Fit the probe for one label set and add its rows."""
    label_set, targets = bench.targets(labels, "all")
    table = bench.table("all")
    found = fit(
        features,
        targets,
        table["patient_id"].to_numpy(),
        table["split"].to_numpy(),
        codes=label_set.codes,
        test=bench.split,
        draws=bench.probe_draws,
        seed=bench.seed,
        minimum=bench.minimum,
        prior=None if source.prior is None else source.prior(labels),
    )
    parts = []
    for draw in found.draws:
        notes = [LeftOut(what=code, why=_ABSENT) for code in draw.absent]
        if not draw.converged:
            notes.append(LeftOut(what="convergence", why="a regression stopped before its tolerance"))
        scored = _scored(bench, source, labels, setting_of(draw) | {"draw": draw.number}, draw.scores, notes)
        (row,) = auroc_rows(scored, **bench.figures, populations=("all",))
        size: dict[str, float | None] = {
            "train_patients": float(draw.n_patients),
            "train_records": float(len(draw.records)),
        }
        ledger.add([replace(row, more={**row.more, **size})], scored)
        parts.append(scored)
    for setting in _settings(parts):
        ledger.add([mean_of_draws([_of(parts, setting)], labels, setting, **bench.figures)])
    return parts


def _settings(parts: Sequence[Scored]) -> list[Setting]:
    found: list[Setting] = []
    for part in parts:
        setting = {k: v for k, v in part.setting.items() if k != "draw"}
        if setting not in found:
            found.append(setting)
    return found


def _kept(bench: Bench, ledger: Ledger, source: _Source, labels: str) -> list[Scored]:
    """The draws of a finished label set, from the scores beside the results file."""
    rows: list[Row] = [
        row
        for row in ledger.results.rows
        if row.name == source.name and row.labels == labels and "draw" in row.setting
    ]
    count = len(bench.targets(labels)[0].codes)
    return [
        _scored(bench, source, labels, row.setting, ledger.scores(row, count), row.left_out) for row in rows
    ]


def _scored(
    bench: Bench,
    source: _Source,
    labels: str,
    setting: Setting,
    scores: npt.NDArray[np.float64],
    notes: Sequence[LeftOut],
) -> Scored:
    label_set, truth = bench.targets(labels)
    return Scored(
        name=source.name,
        labels=labels,
        codes=label_set.codes,
        titles=label_set.names,
        scores=scores,
        targets=truth,
        table=bench.table(),
        setting=setting,
        bank="" if source.prior is None else bench.bank_hash(labels),
        marks=source.marks,
        left_out=tuple(notes),
    )


def _sources(bench: Bench, ledger: Ledger) -> Iterator[_Source]:
    """The model, the same from its text's scores, an untrained encoder of its shape, intervals, a supervised twin."""

    def of(encoder: Encoder) -> Callable[[], Features]:
        return lambda: bench.features(encoder)

    yield _Source("model", bench.marks, of(bench.encoder))
    if bench.model is not None:
        prior = partial(bench.scores, split="all")
        yield _Source("model, from text", bench.marks, of(bench.encoder), prior)
        for labels in (each for each in bench.sets if each not in bench.banked):
            ledger.leave_out(f"model, from text, {labels}", "no shipped bank has phrases for these labels")
        yield _Source("untrained", ("untrained",), of(untrained(bench.model, seed=bench.seed)))
    else:
        ledger.leave_out("model, from text", "an outside encoder has no text side")
        ledger.leave_out("untrained", "an outside encoder does not say how its weights are drawn")
    yield _Source("neurokit2 features", (), lambda: _intervals(bench, ledger))
    twin = twin_encoder(bench, ledger)
    if twin is not None:
        yield _Source("supervised", ("label-supervised",), of(twin))


def _intervals(bench: Bench, ledger: Ledger) -> Features:
    """Intervals, an unknown one replaced by the training part's median; how many were is said in the file."""
    tell = bench.progress.counting("delineates", len(bench.store))
    values = interval_features(bench.store, bench.cache, workers=bench.workers, tell=tell)
    train = values[bench.rows("train")]
    missing = ~np.isfinite(values)
    known = np.isfinite(train)
    middle = np.array(
        [np.median(train[known[:, k], k]) if known[:, k].any() else 0.0 for k in range(values.shape[1])]
    )
    counts = zip(INTERVALS, missing.sum(axis=0), strict=True)
    unknown = ", ".join(f"{name} of {count}" for name, count in counts if count)
    said = f"intervals that are unknown, set to the training median: {unknown or 'none'} recordings"
    if all(each.why != said for each in ledger.results.left_out):
        ledger.leave_out("neurokit2 features", said)
    return np.where(missing, middle, values)
