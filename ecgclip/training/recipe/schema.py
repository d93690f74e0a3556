"""The recipe: every choice of a training, strict."""

import json
from typing import Annotated, Any, Literal

from pydantic import Field

from .section import Count, Decay, NotNegative, Positive, Section, Share
from .terms import PeerTerm

__all__ = ["Recipe"]


class Simulated(Section):
    """The simulated corpus: the default that needs no data."""

    kind: Literal["simulated"]
    n: Count = 12000
    seed: int = 0


class OnDisk(Section):
    """A corpus on disk; ``--data`` gives the path."""

    kind: Literal["ptb-xl", "cpsc2018", "challenge", "mimic-iv-ecg", "manifest"]
    path: str | None = None
    allow_missing: bool = False


class Data(Section):
    """Where recordings come from and where their prepared store lies."""

    corpus: Annotated[Simulated | OnDisk, Field(discriminator="kind")]
    store: str | None = None
    workers: Count = 2
    train_folds: tuple[int, ...] | None = None
    validation_folds: tuple[int, ...] | None = None


class Preprocessing(Section):
    """Rate and pass band of the model input."""

    fs: Positive = 100.0
    band: tuple[NotNegative, Positive] = (0.5, 40.0)
    order: Count = 2


class AugmentationSection(Section):
    """Strengths; zero is off."""

    shift_s: NotNegative = 1.0
    gain: NotNegative = 0.4
    lead_gain: NotNegative = 0.1
    wander_mv: NotNegative = 0.1
    mains_mv: NotNegative = 0.02
    muscle_mv: NotNegative = 0.03
    lead_drop: Share = 0.1
    axis_deg: NotNegative = 8.0


class Reports(Section):
    """How reports are read and what a step sees of them."""

    findings: Literal["canonical", "raw", "both"] = "canonical"
    statement_sampling: bool = True
    places_dropped: Share = 0.3
    kinds: bool = False
    vocabulary: Annotated[int, Field(ge=64)] = 4096


class ResNet(Section):
    """1-D residual encoder."""

    kind: Literal["resnet"]
    size: Literal["tiny", "small", "medium", "18"] = "small"
    scale_per_mv: Positive = 4.0
    dropout: Decay = 0.1
    norm: Literal["group", "batch"] = "group"


class ViT(Section):
    """1-D patch transformer."""

    kind: Literal["vit"]
    size: Literal["tiny", "small", "base"] = "tiny"
    patch_s: Positive = 0.2
    scale_per_mv: Positive = 4.0
    dropout: Decay = 0.1


class Bag(Section):
    """The small text encoder, trained here."""

    kind: Literal["bag"]
    width: Count = 256
    max_tokens: Count = 96


class HuggingFace(Section):
    """Any encoder of the hub, by id or local folder."""

    kind: Literal["huggingface"]
    name: str
    frozen: bool = True
    max_tokens: Count = 128


class Local(Section):
    """The shallow branch of moments and beats."""

    width: Count = 128
    scale_per_mv: Positive = 4.0
    beats: Literal["r_peaks", "learned"] = "r_peaks"
    queries: Count = 10
    leads: Literal["mixed", "each"] = "mixed"
    feeds_global: bool = True


class Model(Section):
    """The two encoders and their space."""

    dim: Count = 256
    signal: Annotated[ResNet | ViT, Field(discriminator="kind")] = ResNet(kind="resnet")
    text: Annotated[Bag | HuggingFace, Field(discriminator="kind")] = Bag(kind="bag")
    local: Local | None = Local()


class LocalTerm(Section):
    """Local alignment at one scale; its plan and score are read out in zero-shot too."""

    kind: Literal["local"]
    weight: NotNegative = 0.5
    scale: Literal["token", "beat"] = "beat"
    plan: Literal["transport", "attention", "maxsim", "logsumexp", "softmax", "uniform"] = "transport"
    score: Literal["similarity", "mass", "potential"] = "similarity"
    reg: Positive = 0.05
    reg_m: NotNegative | None = 0.05
    reg_m_signal: NotNegative | None = None
    dustbin: Share = 0.5
    dustbin_cost: NotNegative = 1.0
    text_measure: Literal["report", "batch", "bank"] = "batch"
    mode: Literal["contrastive", "matched"] = "contrastive"
    merge: Share = 0.8
    iterations: Count = 5
    chunk_mib: Positive = 256.0
    joins: bool = True


class Optimizer(Section):
    """AdamW, warm-up and cosine."""

    lr: Positive = 1e-3
    weight_decay: NotNegative = 0.05
    beta_1: Decay = 0.9
    beta_2: Decay = 0.98
    warmup: Share = 0.1
    clip: Positive = 1.0


class Schedule(Section):
    """How long and in what portions."""

    epochs: Count = 20
    batch_size: Annotated[int, Field(ge=2)] = 128
    micro_batch: Count | None = None
    average: Decay = 0.998
    validate_every: Count = 5
    checkpoints: Annotated[int, Field(ge=20)] = 20


class Recipe(Section):
    """Every choice of a training."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    seed: Annotated[int, Field(ge=0)] = 0
    data: Data
    preprocessing: Preprocessing = Preprocessing()
    augmentation: AugmentationSection = AugmentationSection()
    reports: Reports = Reports()
    model: Model = Model()
    start_from: str | None = None
    objective: tuple[Annotated[PeerTerm | LocalTerm, Field(discriminator="kind")], ...]
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values; ``load_recipe`` reads them."""
        found: dict[str, Any] = json.loads(self.model_dump_json())
        return found
