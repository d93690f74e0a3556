"""The recipe: every choice of a training, strict, with all faults told at once."""

import copy
import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from ecgclip.errors import UsageError
from ecgclip.training.yaml import key_lines, read_yaml

from .section import Count, Decay, NotNegative, Positive, Section, Share
from .terms import PEER_TERMS, PeerTerm

__all__ = ["Recipe", "load_recipe"]


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


def load_recipe(
    source: str | Path | Mapping[str, Any] | Recipe, overrides: Mapping[str, Any] | None = None
) -> Recipe:
    """Read a recipe and check all of it.

    Args:
        source: a YAML file, a mapping or a recipe.
        overrides: values by dotted key, such as ``{"optimizer.lr": 1e-3, "objective.0.weight": 2.0}``.

    Raises:
        UsageError: every fault, each with its key (and line), and near matches of an unknown key.
    """
    lines: dict[tuple[str, ...], int] = {}
    if isinstance(source, Recipe):
        values, where = source.to_dict(), "recipe"
    elif isinstance(source, (str, Path)):
        values, where, lines = read_yaml(source), str(source), key_lines(source)
    else:
        values, where = copy.deepcopy(dict(source)), "recipe"
    for key, value in (overrides or {}).items():
        _override(values, key, copy.deepcopy(value))
    try:
        return Recipe.model_validate_json(json.dumps(values, default=os.fspath))
    except ValidationError as error:
        told = "; ".join(dict.fromkeys(_tell(fault, lines, where, values) for fault in error.errors()))
        raise UsageError(told) from None
    except (TypeError, ValueError) as error:
        raise UsageError(f"{where}: a value is none that a recipe can hold ({error})") from None


def _override(values: dict[str, Any], key: str, value: Any) -> None:
    """Set ``values[a][b]`` for ``a.b``; a number steps into a list."""
    *path, last = key.split(".")
    here: Any = values
    for step in path:
        if isinstance(here, list):
            here = here[_position(here, step, key)]
        elif isinstance(here, dict):
            if not isinstance(here.get(step), (dict, list)):
                here[step] = {}
            here = here[step]
    if isinstance(here, list):
        here[_position(here, last, key)] = value
    else:
        here[last] = value


def _position(values: list[Any], step: str, key: str) -> int:
    if not step.isdigit() or int(step) >= len(values):
        raise UsageError(f"--set {key}: {step!r} is no position of a list of {len(values)}: count from 0")
    return int(step)


def _tell(fault: Any, lines: dict[tuple[str, ...], int], where: str, values: Any) -> str:
    """One fault as a sentence: file, line, key path, what is wrong, near matches."""
    steps = _real_steps(fault["loc"], values)
    line = next((lines[steps[:n]] for n in range(len(steps), 0, -1) if steps[:n] in lines), None)
    key = ".".join(steps) or "the recipe"
    place = f"{where}: {f'line {line}: ' if line else ''}{key}"
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(steps[-1], sorted(_known_keys()), n=2, cutoff=0.6)
        hint = f", did you mean {' or '.join(near)}?" if near else ""
        return f"{place}: unknown key{hint}"
    if fault["type"] == "missing":
        return f"{place}: is required and absent"
    got = "" if isinstance(fault.get("input"), (dict, list)) else f", got {fault.get('input')!r}"
    return f"{place}: {fault['msg'][0].lower()}{fault['msg'][1:]}{got}"


def _real_steps(location: tuple[int | str, ...], values: Any) -> tuple[str, ...]:
    """Drop the tags of unions, which are no keys of the file, from an error's location."""
    steps: list[str] = []
    here = values
    for position, step in enumerate(location):
        if isinstance(here, dict) and step not in here and here.get("kind") == step:
            continue
        if isinstance(here, dict) and step not in here and position < len(location) - 1:
            continue
        steps.append(str(step))
        if isinstance(here, dict):
            here = here.get(step)
        elif isinstance(here, list) and isinstance(step, int) and step < len(here):
            here = here[step]
    return tuple(steps)


def _known_keys() -> set[str]:
    found: set[str] = set()
    todo: list[type[Section]] = [Recipe]
    todo += [
        Simulated,
        OnDisk,
        Data,
        Preprocessing,
        AugmentationSection,
        Reports,
        ResNet,
        ViT,
        Bag,
        HuggingFace,
    ]
    todo += [Local, Model, LocalTerm, *PEER_TERMS, Optimizer, Schedule]
    for section in todo:
        found |= set(section.model_fields)
    return found
