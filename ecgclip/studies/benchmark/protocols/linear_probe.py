"""Linear probe: 1, 10 and 100 % of the training patients, several draws."""

from functools import partial

from ecgclip.evaluation import linear_probe as probe_shares
from ecgclip.studies.benchmark.bench import Bench
from ecgclip.studies.benchmark.ledger import Ledger
from ecgclip.studies.benchmark.probing import Setting, probe_rows

__all__ = ["FRACTIONS", "linear_probe"]

FRACTIONS = (0.01, 0.1, 1.0)


def linear_probe(bench: Bench, ledger: Ledger) -> None:
    """Fit on shares of the training patients."""
    settings: list[Setting] = [{"fraction": each} for each in FRACTIONS]
    fit = partial(probe_shares, fractions=FRACTIONS)
    probe_rows(bench, ledger, fit, lambda draw: {"fraction": draw.fraction}, settings)
