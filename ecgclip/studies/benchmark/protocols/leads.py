"""Lead subsets: what is left with I; I and II; six limb leads; I, II, V1-V6; and masks against flat lines."""

from ecgclip.studies.benchmark.bench import MEAN_OF, Bench
from ecgclip.studies.benchmark.ledger import Ledger
from ecgclip.studies.benchmark.rows import auroc_rows, row_key
from ecgclip.studies.benchmark.views import LEAD_SETS, View

from .zero_shot import mean_row, shipped_scores

__all__ = ["leads", "viewed_rows"]


def leads(bench: Bench, ledger: Ledger) -> None:
    """Zero-shot with fewer leads, absent ones told by the mask, or handed over as a flat line."""
    fills = {names: ("mask", "zero") if names != "twelve" else ("mask",) for names in LEAD_SETS}
    views = [(names, fill) for names, both in fills.items() for fill in both]
    bench.progress.start(len(views))
    for names, fill in views:
        viewed_rows(bench, ledger, View(leads=names, fill=fill, seed=bench.seed), leads=names, fill=fill)


def viewed_rows(bench: Bench, ledger: Ledger, view: View, **setting: str | float) -> None:
    """Rows of every label set through a view, and their mean."""
    wanted = [*bench.banked, *(["ptbxl-mean"] if set(MEAN_OF) <= set(bench.banked) else [])]
    there = {labels: ledger.has(row_key("model", labels, setting)) for labels in wanted}
    said = ", ".join(f"{k} {v}" for k, v in setting.items())
    if not bench.progress.begins(said, all(there.values())):
        return
    parts = []
    for labels in bench.banked:
        scored = shipped_scores(bench, labels, view, **setting)
        parts.append(scored)
        if not there[labels]:
            ledger.add(auroc_rows(scored, **bench.figures, populations=("all",)), scored)
    mean_row(bench, ledger, parts)
