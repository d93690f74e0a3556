"""Linear probe: 1, 10 and 100 % of the training patients, several draws."""

import numpy as np
import numpy.typing as npt

from ecgclip.evaluation import linear_probe as probe_shares
from ecgclip.evaluation.probe import ProbeResult
from ecgclip.studies.benchmark.bench import Bench
from ecgclip.studies.benchmark.ledger import Ledger
from ecgclip.studies.benchmark.probing import Features, Setting, probe_rows

__all__ = ["FRACTIONS", "linear_probe"]

FRACTIONS = (0.01, 0.1, 1.0)


def linear_probe(bench: Bench, ledger: Ledger) -> None:
    """Fit on shares of the training patients."""
    table = bench.table("all")

    def fit(features: Features, targets: npt.NDArray[np.int8], codes: tuple[str, ...]) -> ProbeResult:
        return probe_shares(
            features,
            targets,
            table["patient_id"].to_numpy(),
            table["split"].to_numpy(),
            codes=codes,
            test=bench.split,
            fractions=FRACTIONS,
            draws=bench.probe_draws,
            seed=bench.seed,
            minimum=bench.minimum,
        )

    settings: list[Setting] = [{"fraction": each} for each in FRACTIONS]
    probe_rows(bench, ledger, fit, lambda draw: {"fraction": draw.fraction}, settings)
