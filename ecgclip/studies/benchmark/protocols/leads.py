"""Lead subsets: what is left with I; I and II; six limb leads; I, II, V1-V6; and masks against flat lines."""

from dataclasses import replace

from ecgclip.studies.benchmark.bench import MEAN_OF, Bench
from ecgclip.studies.benchmark.ledger import Ledger
from ecgclip.studies.benchmark.rows import auroc_rows, mean_of_sets
from ecgclip.studies.benchmark.views import LEAD_SETS, View

from .zero_shot import shipped_scores

__all__ = ["leads", "viewed_rows"]


def leads(bench: Bench, ledger: Ledger) -> None:
    """Zero-shot with fewer leads, absent ones told by the mask, or handed over as a flat line."""
    for names in LEAD_SETS:
        for fill in ("mask", "zero") if names != "twelve" else ("mask",):
            viewed_rows(bench, ledger, View(leads=names, fill=fill, seed=bench.seed), leads=names, fill=fill)


def viewed_rows(bench: Bench, ledger: Ledger, view: View, **setting: str | float) -> None:
    """Rows of every label set through a view, and their mean."""
    parts = []
    for labels in bench.banked:
        scored = replace(shipped_scores(bench, labels, **setting), scores=bench.scores(labels, view=view))
        parts.append(scored)
        if not ledger.has(scored.key):
            bench.report(
                f"{ledger.results.protocol}: {labels}, {', '.join(f'{k} {v}' for k, v in setting.items())}"
            )
            ledger.add(auroc_rows(scored, **bench.figures, populations=("all",)), scored)
    four = [part for part in parts if part.labels in MEAN_OF]
    if len(four) == len(MEAN_OF) and not ledger.has(replace(four[0], labels="ptbxl-mean").key):
        row = mean_of_sets(four, **bench.figures)
        if row is not None:
            ledger.add([row])
