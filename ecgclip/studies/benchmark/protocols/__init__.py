"""The protocols: each a short file with one function; benchmarks/<protocol>/README.md states what it does."""

from collections.abc import Callable, Mapping

from ecgclip.studies.benchmark.bench import Bench
from ecgclip.studies.benchmark.ledger import Ledger

from .calibration import calibration
from .few_shot import few_shot
from .fine_tune import fine_tune
from .leads import leads
from .linear_probe import linear_probe
from .retrieval import retrieval
from .robustness import robustness
from .transfer import transfer
from .zero_shot import zero_shot

__all__ = ["PROTOCOLS", "Protocol"]

Protocol = Callable[[Bench, Ledger], None]

PROTOCOLS: Mapping[str, Protocol] = {
    "zero_shot": zero_shot,
    "linear_probe": linear_probe,
    "few_shot": few_shot,
    "retrieval": retrieval,
    "transfer": transfer,
    "leads": leads,
    "robustness": robustness,
    "calibration": calibration,
    "fine_tune": fine_tune,
}
