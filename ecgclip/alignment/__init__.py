"""Owns every term that pulls the two sides together, and the transport (``sinkhorn.py``) that they are made of."""

from typing import TYPE_CHECKING, Any

_HOME = {
    "AlignmentBatch": "batch",
    "COMPETITIVE": "coupling",
    "Coupling": "coupling",
    "InfoNCE": "infonce",
    "LocalAlignment": "local",
    "Objective": "objective",
    "PLANS": "coupling",
    "StatementInfoNCE": "infonce",
    "SigmoidPairs": "sigmoid",
    "Term": "objective",
    "ViewInfoNCE": "views",
    "WeightedTerm": "objective",
    "couple": "coupling",
    "distinct": "measure",
    "local_coupling": "local",
    "local_scores": "local",
    "multi_positive": "infonce",
}

__all__ = sorted(_HOME)

if TYPE_CHECKING:
    from .batch import AlignmentBatch as AlignmentBatch
    from .coupling import COMPETITIVE as COMPETITIVE
    from .coupling import PLANS as PLANS
    from .coupling import Coupling as Coupling
    from .coupling import couple as couple
    from .infonce import InfoNCE as InfoNCE
    from .infonce import StatementInfoNCE as StatementInfoNCE
    from .infonce import multi_positive as multi_positive
    from .local import LocalAlignment as LocalAlignment
    from .local import local_coupling as local_coupling
    from .local import local_scores as local_scores
    from .measure import distinct as distinct
    from .objective import Objective as Objective
    from .objective import Term as Term
    from .objective import WeightedTerm as WeightedTerm
    from .sigmoid import SigmoidPairs as SigmoidPairs
    from .views import ViewInfoNCE as ViewInfoNCE


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ecgclip.alignment' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"ecgclip.alignment.{_HOME[name]}"), name)
    globals()[name] = value
    return value
