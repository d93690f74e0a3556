"""The terms of an objective that a recipe can name, and the objects that they ask for."""

from typing import TYPE_CHECKING, Literal

from ecgclip.alignment import InfoNCE, SigmoidPairs, StatementInfoNCE, Term, ViewInfoNCE
from ecgclip.errors import UsageError
from ecgclip.models import ECGTextModel

from .section import NotNegative, Positive, Section

if TYPE_CHECKING:
    from .recipe import Model

__all__ = [
    "PEER_TERMS",
    "InfoNCETerm",
    "PeerTerm",
    "SigmoidTerm",
    "StatementsTerm",
    "ViewsTerm",
    "build_term",
    "refuse_term",
]


class InfoNCETerm(Section):
    """InfoNCE on whole reports; a temperature in place of the learned one is held."""

    kind: Literal["infonce"]
    weight: NotNegative = 1.0
    temperature: Positive | None = None


class StatementsTerm(Section):
    """InfoNCE on the distinct statements of the batch."""

    kind: Literal["statements"]
    weight: NotNegative = 1.0


class SigmoidTerm(Section):
    """Sigmoid loss on pairs; ``jaccard`` targets are the overlap of the reports' statements."""

    kind: Literal["sigmoid"]
    weight: NotNegative = 1.0
    targets: Literal["same_text", "jaccard"] = "same_text"


class ViewsTerm(Section):
    """InfoNCE between two dropout views of the recordings."""

    kind: Literal["views"]
    weight: NotNegative = 1.0
    temperature: Positive = 0.07


PeerTerm = InfoNCETerm | StatementsTerm | SigmoidTerm | ViewsTerm
PEER_TERMS: tuple[type[Section], ...] = (InfoNCETerm, StatementsTerm, SigmoidTerm, ViewsTerm)


def build_term(section: PeerTerm, model: ECGTextModel) -> Term:
    """Build the term of a section for ``model``; its parameters are drawn from torch's generator."""
    if isinstance(section, InfoNCETerm):
        return InfoNCE(temperature=section.temperature)
    if isinstance(section, StatementsTerm):
        return StatementInfoNCE()
    if isinstance(section, SigmoidTerm):
        return SigmoidPairs(targets=section.targets)
    return ViewInfoNCE(temperature=section.temperature)


def refuse_term(section: PeerTerm, recipe: str, model: "Model") -> None:
    """Refuse a term that the model section of ``recipe`` cannot serve.

    Raises:
        UsageError: the term needs what the model lacks.
    """
    if isinstance(section, ViewsTerm) and model.signal.dropout == 0.0:
        raise UsageError(
            f"recipe {recipe}: the views term compares two dropout views, and model.signal.dropout is 0: "
            "give it a share above 0"
        )
