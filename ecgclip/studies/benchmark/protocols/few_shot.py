"""Few-shot: 1, 4 and 16 positive patients a label, several draws."""

import numpy as np
import numpy.typing as npt

from ecgclip.evaluation import few_shot_probe
from ecgclip.evaluation.probe import ProbeResult
from ecgclip.studies.benchmark.bench import Bench
from ecgclip.studies.benchmark.ledger import Ledger
from ecgclip.studies.benchmark.probing import Features, Setting, probe_rows

__all__ = ["SHOTS", "few_shot"]

SHOTS = (1, 4, 16)


def few_shot(bench: Bench, ledger: Ledger) -> None:
    """Fit on a few positive patients of each label."""
    table = bench.table("all")

    def fit(features: Features, targets: npt.NDArray[np.int8], codes: tuple[str, ...]) -> ProbeResult:
        return few_shot_probe(
            features,
            targets,
            table["patient_id"].to_numpy(),
            table["split"].to_numpy(),
            codes=codes,
            test=bench.split,
            shots=SHOTS,
            draws=bench.probe_draws,
            seed=bench.seed,
            minimum=bench.minimum,
        )

    settings: list[Setting] = [{"shots": each} for each in SHOTS]
    probe_rows(bench, ledger, fit, lambda draw: {"shots": draw.shots}, settings)
