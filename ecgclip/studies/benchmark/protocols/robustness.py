"""Robustness: how zero-shot falls with noise, wander, mains, leads off and swapped arms."""

from ecgclip.studies.benchmark.bench import Bench
from ecgclip.studies.benchmark.ledger import Ledger
from ecgclip.studies.benchmark.views import View

from .leads import viewed_rows

__all__ = ["SEVERITIES", "robustness"]

SEVERITIES: dict[str, tuple[float, ...]] = {
    "noise": (0.05, 0.1, 0.2, 0.4),
    "wander": (0.1, 0.2, 0.4, 0.8),
    "powerline": (0.05, 0.1, 0.2, 0.4),
    "lead-off": (1, 2, 4, 6),
    "swapped arms": (1,),
}
"""mV (standard deviation over leads and time), leads, or 1."""


def robustness(bench: Bench, ledger: Ledger) -> None:
    """Zero-shot at each severity; severity 0 is the recording as it is."""
    bench.progress.start(1 + sum(map(len, SEVERITIES.values())))
    viewed_rows(bench, ledger, View(), disturbance="none", severity=0.0)
    for kind, severities in SEVERITIES.items():
        for severity in severities:
            view = View(disturbance=kind, severity=float(severity), seed=bench.seed)
            viewed_rows(bench, ledger, view, disturbance=kind, severity=float(severity))
