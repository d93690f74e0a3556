"""The Challenge's metric needs calls: thresholds from validation where it has labels, else a stated prior."""

import numpy as np

from ecgclip.corpora.label_sets import facts
from ecgclip.errors import DataError
from ecgclip.evaluation import challenge_metric
from ecgclip.evaluation.bootstrap import percentiles
from ecgclip.prompts import ZeroShotClassifier

from .bench import Bench
from .ledger import Ledger
from .results import Row
from .rows import Scored, row_key

__all__ = ["challenge_row"]

_DRAWS = 200  # a draw scores every record anew


def challenge_row(bench: Bench, scored: Scored, ledger: Ledger) -> None:
    """Add the row of the PhysioNet Challenge 2021 metric, or say why there is none."""
    classifier, mark = _caller(bench, scored.labels)
    calls = classifier.decide(np.asarray(scored.scores, dtype=np.float32))
    sources = facts()["sets"][scored.labels]
    codes = [sources[code]["snomed"] for code in scored.codes]
    try:
        figure = challenge_metric(calls, scored.targets, codes)
    except DataError as error:
        ledger.leave_out("Challenge metric", str(error))
        return
    patients, owner = np.unique(scored.patients, return_inverse=True)
    rng = np.random.default_rng(bench.seed)
    drawn = []
    for _ in range(min(bench.draws, _DRAWS)):
        taken = np.bincount(rng.integers(0, len(patients), len(patients)), minlength=len(patients))[owner]
        rows = np.repeat(np.arange(len(calls)), taken)
        try:
            drawn.append(challenge_metric(calls[rows], scored.targets[rows], codes))
        except DataError:  # a draw of sinus rhythm alone
            drawn.append(np.nan)
    low, high = percentiles(np.array(drawn))
    setting: dict[str, str | int | float | bool] = {"metric": "challenge"}
    ledger.add(
        [
            Row(
                key=row_key("model", scored.labels, setting),
                name="model",
                labels=scored.labels,
                setting=setting,
                population="all",
                metric="Challenge metric",
                figure=figure,
                low=low,
                high=high,
                n=len(scored.table),
                patients=len(patients),
                n_labels=len(codes),
                bank=scored.bank,
                marks=[*scored.marks, mark],
                more={"draws": float(len(drawn))},
                classes=[],
                reliability=[],
                left_out=[],
                scores="",
            )
        ]
    )


def _caller(bench: Bench, labels: str) -> tuple[ZeroShotClassifier, str]:
    """A classifier with thresholds of the best F1 on validation, or resting on the stated prior."""
    classifier = bench.classifier(labels)
    if bench.split == "validation" or not (bench.store.table["split"] == "validation").any():
        return classifier, "prior"
    truth = bench.targets(labels, "validation")[1]
    scores = np.asarray(bench.scores(labels, split="validation"), dtype=np.float32)
    return classifier.set_thresholds(scores, truth, rule="f1"), "calibrated on validation labels"
