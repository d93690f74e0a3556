"""Zero-shot: the shipped bank of each label set that the corpus allows, every record of the part."""

from collections.abc import Sequence
from dataclasses import replace

from ecgclip.errors import ECGClipError
from ecgclip.studies.benchmark.bench import MEAN_OF, Bench
from ecgclip.studies.benchmark.challenge_calls import challenge_row
from ecgclip.studies.benchmark.ledger import Ledger
from ecgclip.studies.benchmark.rows import Scored, auroc_rows, mean_of_sets, row_key
from ecgclip.studies.benchmark.views import View

__all__ = ["mean_row", "shipped_scores", "zero_shot"]


def zero_shot(bench: Bench, ledger: Ledger) -> None:
    """Score every label set; the mean of the four PTB-XL sets, and the Challenge's metric where it applies."""
    parts, sets = [], (*bench.banked, *bench.more_sets)
    bench.progress.start(len(sets))
    for labels in sets:
        fresh = bench.progress.begins(labels, ledger.has(row_key("model", labels, {})))
        try:
            scored = shipped_scores(bench, labels)
        except ECGClipError as error:
            ledger.leave_out(labels, str(error))
            continue
        parts.append(scored)
        if fresh:
            populations = ("all", "all-classes", "peer population")
            ledger.add(auroc_rows(scored, **bench.figures, populations=populations), scored)
        if labels == "challenge-2021" and not ledger.has(row_key("model", labels, {"metric": "challenge"})):
            challenge_row(bench, scored, ledger)
    mean_row(bench, ledger, parts)


def mean_row(bench: Bench, ledger: Ledger, parts: Sequence[Scored]) -> None:
    """Add the mean of the four PTB-XL sets where all of them are there, or say why there is none."""
    four = [part for part in parts if part.labels in MEAN_OF]
    if len(four) < len(MEAN_OF) or ledger.has(replace(four[0], labels="ptbxl-mean").key):
        return
    row = mean_of_sets(four, **bench.figures)
    if row is not None:
        ledger.add([row])
    elif all(out.what != "ptbxl-mean" for out in ledger.results.left_out):
        ledger.leave_out("ptbxl-mean", "one of the four sets has no label with enough positives")


def shipped_scores(bench: Bench, labels: str, view: View | None = None, **setting: str | float) -> Scored:
    """Zero-shot scores of a label set on the scored part, through a view, ready for rows."""
    wanted, targets = bench.targets(labels)
    return Scored(
        name="model",
        labels=labels,
        codes=wanted.codes,
        titles=wanted.names,
        scores=bench.scores(labels, view=view),
        targets=targets,
        table=bench.table(),
        setting=setting,
        bank=bench.bank_hash(labels),
        marks=bench.marks,
    )
