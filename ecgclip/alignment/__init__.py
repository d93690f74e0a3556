"""Owns every term that pulls the two sides together, and the transport (``sinkhorn.py``) that they are made of."""

from typing import TYPE_CHECKING, Any

_HOME = {
    "AlignmentBatch": "batch",
    "Captioning": "captioning",
    "Clouds": "clouds",
    "COMPETITIVE": "coupling",
    "couple": "coupling",
    "Coupling": "coupling",
    "distinct": "measure",
    "InfoNCE": "infonce",
    "LearnedBeats": "learned_beats",
    "local_coupling": "local",
    "local_scores": "local",
    "LocalAlignment": "local",
    "Matching": "matching",
    "multi_positive": "infonce",
    "Objective": "objective",
    "PLANS": "coupling",
    "SigmoidPairs": "sigmoid",
    "SoftTargets": "soft_targets",
    "StatementInfoNCE": "infonce",
    "Term": "objective",
    "ViewInfoNCE": "views",
    "WeightedTerm": "objective",
}

__all__ = sorted(_HOME)

if TYPE_CHECKING:
    from .batch import AlignmentBatch as AlignmentBatch
    from .captioning import Captioning as Captioning
    from .clouds import Clouds as Clouds
    from .coupling import COMPETITIVE as COMPETITIVE
    from .coupling import PLANS as PLANS
    from .coupling import Coupling as Coupling
    from .coupling import couple as couple
    from .infonce import InfoNCE as InfoNCE
    from .infonce import StatementInfoNCE as StatementInfoNCE
    from .infonce import multi_positive as multi_positive
    from .learned_beats import LearnedBeats as LearnedBeats
    from .local import LocalAlignment as LocalAlignment
    from .local import local_coupling as local_coupling
    from .local import local_scores as local_scores
    from .matching import Matching as Matching
    from .measure import distinct as distinct
    from .objective import Objective as Objective
    from .objective import Term as Term
    from .objective import WeightedTerm as WeightedTerm
    from .sigmoid import SigmoidPairs as SigmoidPairs
    from .soft_targets import SoftTargets as SoftTargets
    from .views import ViewInfoNCE as ViewInfoNCE


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ecgclip.alignment' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"ecgclip.alignment.{_HOME[name]}"), name)
    globals()[name] = value
    return value
