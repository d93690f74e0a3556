"""The terms of an objective that a recipe can name, and the objects that they ask for."""

from typing import TYPE_CHECKING, Annotated, Literal, get_args

from pydantic import Field

from ecgclip.alignment import (
    Captioning,
    Clouds,
    InfoNCE,
    LearnedBeats,
    Matching,
    SigmoidPairs,
    SoftTargets,
    StatementInfoNCE,
    Term,
    ViewInfoNCE,
)
from ecgclip.errors import UsageError
from ecgclip.models import ECGTextModel

from .section import Count, NotNegative, Positive, Section

if TYPE_CHECKING:
    from .schema import Model

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


Width = Annotated[int, Field(ge=4, multiple_of=4)]


class InfoNCETerm(Section):
    """InfoNCE on whole reports; a temperature in place of the learned one is held."""

    kind: Literal["infonce"]
    weight: NotNegative = 1.0
    temperature: Positive | None = None
    positives: Literal["identical", "entailed"] = "identical"


class StatementsTerm(Section):
    """InfoNCE on the distinct statements of the batch."""

    kind: Literal["statements"]
    weight: NotNegative = 1.0


class SigmoidTerm(Section):
    """Sigmoid loss on pairs; ``jaccard`` targets are the overlap of the reports' statements; ``bias`` at the start."""

    kind: Literal["sigmoid"]
    weight: NotNegative = 1.0
    targets: Literal["same_text", "jaccard"] = "same_text"
    bias: float = -10.0


class ViewsTerm(Section):
    """InfoNCE between two dropout views of the recordings."""

    kind: Literal["views"]
    weight: NotNegative = 1.0
    temperature: Positive = 0.07


class CaptioningTerm(Section):
    """The report told piece by piece from the signal encoder's tokens."""

    kind: Literal["captioning"]
    weight: NotNegative = 1.0
    layers: Count = 2
    width: Width = 256


class LearnedBeatsTerm(Section):
    """Statements against beats that learned queries look for."""

    kind: Literal["learned_beats"]
    weight: NotNegative = 1.0
    queries: Count = 10
    attention: Positive = 4.0
    sharpness: Positive = 5.0
    scale: Positive = 10.0


class CloudsTerm(Section):
    """Transport between the recordings and the reports of the batch."""

    kind: Literal["clouds"]
    weight: NotNegative = 1.0
    reg: Positive = 0.05


class SoftTargetsTerm(Section):
    """Soft many-to-many targets between the pairs of the batch, by transport."""

    kind: Literal["soft_targets"]
    weight: NotNegative = 1.0
    reg: Positive = 0.15


class MatchingTerm(Section):
    """Do a recording and a report belong together, told from their tokens."""

    kind: Literal["matching"]
    weight: NotNegative = 1.0
    layers: Count = 2
    width: Width = 128


PeerTerm = (
    InfoNCETerm
    | StatementsTerm
    | SigmoidTerm
    | ViewsTerm
    | CaptioningTerm
    | LearnedBeatsTerm
    | CloudsTerm
    | SoftTargetsTerm
    | MatchingTerm
)
PEER_TERMS: tuple[type[Section], ...] = get_args(PeerTerm)


def build_term(section: PeerTerm, model: ECGTextModel) -> Term:
    """Build the term of a section for ``model``; its parameters are drawn from torch's generator."""
    if isinstance(section, InfoNCETerm):
        return InfoNCE(temperature=section.temperature, positives=section.positives)
    if isinstance(section, StatementsTerm):
        return StatementInfoNCE()
    if isinstance(section, SigmoidTerm):
        return SigmoidPairs(targets=section.targets, bias=section.bias)
    if isinstance(section, ViewsTerm):
        return ViewInfoNCE(temperature=section.temperature)
    if isinstance(section, CloudsTerm):
        return Clouds(reg=section.reg)
    if isinstance(section, SoftTargetsTerm):
        return SoftTargets(reg=section.reg)
    return _build_on_tokens(section, model)


def _build_on_tokens(section: CaptioningTerm | LearnedBeatsTerm | MatchingTerm, model: ECGTextModel) -> Term:
    """Build a term that looks at the encoders' tokens, for their widths."""
    signal_width = int(model.signal_encoder.width)
    if isinstance(section, CaptioningTerm):
        pieces, longest = model.text_encoder.embed.num_embeddings, int(model.config.text["max_tokens"])
        return Captioning(
            pieces=pieces,
            signal_width=signal_width,
            width=section.width,
            layers=section.layers,
            longest=longest,
        )
    if isinstance(section, LearnedBeatsTerm):
        return LearnedBeats(
            signal_width=signal_width,
            dim=model.config.dim,
            queries=section.queries,
            attention=section.attention,
            sharpness=section.sharpness,
            scale=section.scale,
        )
    text_width = int(model.text_encoder.width)
    return Matching(
        signal_width=signal_width, text_width=text_width, width=section.width, layers=section.layers
    )


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
    if isinstance(section, CaptioningTerm) and model.text.kind != "bag":
        raise UsageError(
            f"recipe {recipe}: the captioning term tells the word pieces of model.text.kind bag, and it is "
            f"{model.text.kind}: use bag or leave the term out"
        )
