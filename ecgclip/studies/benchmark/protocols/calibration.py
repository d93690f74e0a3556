"""Calibration: do probabilities mean what they say, from a stated prior and from the labels of validation."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ecgclip.evaluation import brier, expected_calibration_error, f1, patient_weights, reliability
from ecgclip.evaluation.bootstrap import percentiles, scorable
from ecgclip.prompts import ZeroShotClassifier
from ecgclip.studies.benchmark.bench import Bench
from ecgclip.studies.benchmark.ledger import Ledger
from ecgclip.studies.benchmark.results import LeftOut, Reliability, Row
from ecgclip.studies.benchmark.rows import Scored, plain_row

from .zero_shot import shipped_scores

__all__ = ["calibration"]

_DRAWS = 200  # a draw bins every record anew


def calibration(bench: Bench, ledger: Ledger) -> None:
    """Expected calibration error, Brier score and reliability of each label set, prior beside calibrated."""
    held = (bench.store.table["split"] == "validation").any() and bench.split != "validation"
    if not held:
        ledger.leave_out(
            "calibrated on validation labels",
            "validation is what is scored"
            if bench.split == "validation"
            else "the corpus has no validation part",
        )
    bench.progress.start((2 if held else 1) * len(bench.banked))
    for labels in bench.banked:
        classifier = bench.classifier(labels)
        scored = shipped_scores(bench, labels, probabilities="prior")
        if bench.progress.begins(f"{labels}, prior", ledger.has(scored.key)):
            ledger.add([_row(bench, replace(scored, marks=(*bench.marks, "prior")), classifier)])
        scored = shipped_scores(bench, labels, probabilities="calibrated")
        if held and bench.progress.begins(f"{labels}, calibrated", ledger.has(scored.key)):
            truth = bench.targets(labels, "validation")[1]
            earlier = np.asarray(bench.scores(labels, split="validation"), dtype=np.float32)
            classifier.calibrate(earlier, truth).set_thresholds(earlier, truth, rule="f1")
            marks = (*bench.marks, "calibrated on validation labels")
            ledger.add([_row(bench, replace(scored, marks=marks), classifier)])


def _row(bench: Bench, scored: Scored, classifier: ZeroShotClassifier) -> Row:
    """Macro calibration error over the labels with enough positives, with its interval and reliability."""
    scores = np.asarray(scored.scores, dtype=np.float32)
    probability = classifier.probability(scores).astype(np.float64)
    keep = scorable(scored.targets > 0, bench.minimum)
    if not keep.any():
        return replace(plain_row(scored, "all", (np.nan,) * 3, [], 0), metric="macro calibration error")
    chosen, truth = probability[:, keep], scored.targets[:, keep]
    figure = float(np.mean(expected_calibration_error(chosen, truth)))
    drawn = _drawn(chosen, truth, scored, bench)
    low, high = percentiles(
        drawn - drawn.mean() + figure
    )  # repeated records make bins look worse than they are
    called = classifier.decide(scores)[:, keep]
    more: dict[str, float | None] = {
        "brier": float(np.mean(brier(chosen, truth))),
        "mean_probability": float(chosen.mean()),
        "prevalence": float(truth.mean()),
        "f1": float(np.mean(f1(called, truth, np.full(int(keep.sum()), 0.5)))),
        "ece_15_bins_all_labels": float(np.mean(expected_calibration_error(probability, scored.targets))),
    }
    mean, share, count = reliability(probability, scored.targets)
    bins = [
        Reliability(
            code=code,
            probability=[float(value) for value in mean[k]],
            share=[float(value) for value in share[k]],
            count=[int(value) for value in count[k]],
        )
        for k, code in enumerate(scored.codes)
    ]
    kept = classifier.calibration_.kept if classifier.calibration_ is not None else {}
    notes = [LeftOut(what=code, why=f"keeps the prior: {why}") for code, why in kept.items()]
    row = plain_row(scored, "all", (figure, low, high), [], int(keep.sum()))
    return replace(row, metric="macro calibration error", more=more, reliability=bins, left_out=notes)


def _drawn(
    probability: npt.NDArray[np.float64], truth: npt.NDArray[np.integer], scored: Scored, bench: Bench
) -> npt.NDArray[np.float64]:
    weights = patient_weights(scored.patients, draws=min(bench.draws, _DRAWS), seed=bench.seed)
    rows = [np.repeat(np.arange(len(truth)), taken) for taken in weights]
    return np.array([np.mean(expected_calibration_error(probability[r], truth[r])) for r in rows])
