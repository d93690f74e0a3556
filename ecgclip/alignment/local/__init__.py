"""The local term: moments or beats of a recording shared out among the texts that compete for them."""

from .coupling import COMPETITIVE, PLANS, Coupling, couple
from .measure import distinct
from .scoring import READ_ITERATIONS, local_coupling, local_scores
from .term import MODES, LocalAlignment

__all__ = [
    "COMPETITIVE",
    "MODES",
    "PLANS",
    "READ_ITERATIONS",
    "Coupling",
    "LocalAlignment",
    "couple",
    "distinct",
    "local_coupling",
    "local_scores",
]
