"""Owns every term that pulls the two sides together, and the transport (``sinkhorn``) that they are made of."""

from typing import TYPE_CHECKING, Any

_HOME = {
    "AlignmentBatch": "batch",
    "Captioning": "terms",
    "Clouds": "terms",
    "COMPETITIVE": "local",
    "couple": "local",
    "Coupling": "local",
    "distinct": "local",
    "InfoNCE": "terms",
    "LearnedBeats": "terms",
    "local_coupling": "local",
    "local_scores": "local",
    "LocalAlignment": "local",
    "Matching": "terms",
    "multi_positive": "terms",
    "Objective": "objective",
    "PLANS": "local",
    "SigmoidPairs": "terms",
    "SoftTargets": "terms",
    "StatementInfoNCE": "terms",
    "Term": "objective",
    "ViewInfoNCE": "terms",
    "WeightedTerm": "objective",
}

__all__ = sorted(_HOME)

if TYPE_CHECKING:
    from .batch import AlignmentBatch as AlignmentBatch
    from .local import COMPETITIVE as COMPETITIVE
    from .local import PLANS as PLANS
    from .local import Coupling as Coupling
    from .local import LocalAlignment as LocalAlignment
    from .local import couple as couple
    from .local import distinct as distinct
    from .local import local_coupling as local_coupling
    from .local import local_scores as local_scores
    from .objective import Objective as Objective
    from .objective import Term as Term
    from .objective import WeightedTerm as WeightedTerm
    from .terms import Captioning as Captioning
    from .terms import Clouds as Clouds
    from .terms import InfoNCE as InfoNCE
    from .terms import LearnedBeats as LearnedBeats
    from .terms import Matching as Matching
    from .terms import SigmoidPairs as SigmoidPairs
    from .terms import SoftTargets as SoftTargets
    from .terms import StatementInfoNCE as StatementInfoNCE
    from .terms import ViewInfoNCE as ViewInfoNCE
    from .terms import multi_positive as multi_positive


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ecgclip.alignment' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"ecgclip.alignment.{_HOME[name]}"), name)
    globals()[name] = value
    return value
