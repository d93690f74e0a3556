"""Few-shot: 1, 4 and 16 positive patients a label, several draws."""

from functools import partial

from ecgclip.evaluation import few_shot_probe
from ecgclip.studies.benchmark.bench import Bench
from ecgclip.studies.benchmark.ledger import Ledger
from ecgclip.studies.benchmark.probing import Setting, probe_rows

__all__ = ["SHOTS", "few_shot"]

SHOTS = (1, 4, 16)


def few_shot(bench: Bench, ledger: Ledger) -> None:
    """Fit on a few positive patients of each label."""
    settings: list[Setting] = [{"shots": each} for each in SHOTS]
    fit = partial(few_shot_probe, shots=SHOTS)
    probe_rows(bench, ledger, fit, lambda draw: {"shots": draw.shots}, settings)
