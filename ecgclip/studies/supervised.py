"""The supervised twin: the same encoders, augmentation and schedule, given the labels.

A twin that starts from a model first learns its last layer alone, by logistic regression on what the model gives it:
a layer that starts from nothing would bend the encoders while it learns (Kumar et al., Fine-Tuning can Distort
Pretrained Features and Underperform Out-of-Distribution, ICLR 2022).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgclip.corpora import Store, label_set
from ecgclip.errors import DataError
from ecgclip.evaluation import auroc_table
from ecgclip.evaluation.logistic import fit_logistic
from ecgclip.models import ECGTextModel, ModelConfig, StorePart, window_batches
from ecgclip.reports import train_wordpiece
from ecgclip.signals import SignalBatch
from ecgclip.training.assembly import build_augmentation, build_preprocessor
from ecgclip.training.batches import Order, Rows, load_batch, signed
from ecgclip.training.loop import MovingAverage, learning_rate, multiplies_bfloat16
from ecgclip.training.recipe import Recipe

__all__ = ["Supervised", "SupervisedTwin", "train_supervised"]

HEAD_PENALTY = 0.01  # C of the regressions that a started twin's last layer begins as
_AT_ONCE = 256

_SETS = ("ptbxl-superclass", "ptbxl-subclass", "ptbxl-form", "ptbxl-rhythm")


class SupervisedTwin(nn.Module):
    """Both signal branches of a model under one linear layer to the labels.

    Args:
        recipe: whose encoders are taken.
        n_labels: outputs.
        shape: of the encoders, where it is that of a model and not what the recipe says.
    """

    def __init__(self, recipe: Recipe, n_labels: int, shape: ModelConfig | None = None) -> None:
        super().__init__()
        section = recipe.model
        local = None if section.local is None else section.local.model_dump()
        signal, dim = section.signal.model_dump(), section.dim
        if shape is not None:
            signal, dim = dict(shape.signal), shape.dim
            local = None if shape.local is None else dict(shape.local)
        config = ModelConfig(
            dim=dim,
            signal=signal,
            text={"kind": "bag", "width": 8, "tokenizer": train_wordpiece(["ecg"], 64)},
            local=local,
        )
        self.encoders = ECGTextModel(config, build_preprocessor(recipe))
        width = int(self.encoders.signal_encoder.width)
        self.head = nn.Linear(width + (0 if local is None else 2 * dim), n_labels)

    def forward(self, batch: SignalBatch, keys: Tensor | None = None) -> Tensor:
        """Logits ``(batch, n_labels)``."""
        logits: Tensor = self.head(self.features(batch, keys))
        return logits

    def features(self, batch: SignalBatch, keys: Tensor | None = None) -> Tensor:
        """What the last layer is given, ``(batch, width)``."""
        model = self.encoders
        pooled = model.signal_encoder(batch.signal, batch.lead_mask, batch.time_mask, keys).pooled
        parts = [pooled]
        if model.local is not None:
            seen = model.local(batch.signal, batch.lead_mask, batch.time_mask, batch.beats, batch.beat_mask)
            most = seen.beats.masked_fill(~seen.beat_mask[:, :, None], -1.0).amax(1)
            parts += [seen.mean_beat() * 4.0, most * 4.0]
        return torch.cat([part.to(pooled.dtype) for part in parts], dim=1)


@dataclass(frozen=True, eq=False)
class Supervised:
    """A trained twin with the labels that it knows."""

    twin: SupervisedTwin
    codes: tuple[str, ...]

    def scores(self, store: Store, rows: Rows) -> npt.NDArray[np.float32]:
        """Logits ``(n, n_labels)`` of rows of a store, the maximum over windows."""
        part = StorePart(store, rows)
        found = np.full((len(rows), len(self.codes)), -np.inf, dtype=np.float32)
        self.twin.eval()
        with torch.inference_mode():
            for batch in window_batches(part, batch_size=128, on_error="raise", errors={}):
                np.maximum.at(found, batch.owner, self.twin(batch.batch).float().numpy())
        return found

    def label_scores(self, store: Store, rows: Rows, labels: str) -> npt.NDArray[np.float32]:
        """Scores ``(n, labels)`` of a label set: the largest logit of the statements that mean the label."""
        scores = self.scores(store, rows)
        columns = []
        for code in label_set(labels).codes:
            members = [k for k, known in enumerate(self.codes) if code in _classes(labels, known)]
            columns.append(scores[:, members].max(axis=1))
        return np.stack(columns, axis=1)

    def tables(self, store: Store, rows: Rows, sets: tuple[str, ...] = _SETS) -> dict[str, pd.DataFrame]:
        """AUROC table of each label set."""
        table = store.table.iloc[rows]
        patients = table["patient_id"].to_numpy()
        tables = {}
        for name in sets:
            wanted = label_set(name)
            scores = self.label_scores(store, rows, name)
            tables[name] = auroc_table(scores, wanted.matrix(table), wanted.codes, patients)
        return tables


def _classes(name: str, code: str) -> tuple[str, ...]:
    """The classes of a set that a statement belongs to."""
    wanted = label_set(name)
    return tuple(wanted.codes[k] for k in wanted.columns_of(code, "scp"))


def train_supervised(
    recipe: Recipe,
    store: Store,
    rows: Rows,
    *,
    epochs: int | None = None,
    shape: ModelConfig | None = None,
    start: ECGTextModel | None = None,
    report: Callable[[str], None] | None = None,
) -> Supervised:
    """Train the twin on all statements of ``ptbxl-all`` by binary cross-entropy.

    Args:
        recipe: encoders, augmentation, optimizer and schedule.
        store: the prepared store.
        rows: training recordings.
        epochs: instead of the recipe's.
        shape: of the encoders; the recipe's unless given.
        start: a model whose encoders the twin starts from, its last layer then fitted to them first; weights as drawn
            unless given.
        report: told the progress, a line now and then.

    Raises:
        DataError: the encoders of ``start`` are of another shape.
    """
    wanted = label_set("ptbxl-all")
    targets = torch.from_numpy(wanted.matrix(store.table.iloc[rows]).astype(np.float32))
    order = Order(len(rows), min(recipe.schedule.batch_size, len(rows)), recipe.seed)
    steps = order.steps_per_epoch * (epochs or recipe.schedule.epochs)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        twin = SupervisedTwin(recipe, len(wanted.codes), shape)
    if start is not None:
        _take_weights(twin.encoders, start)
        _fit_head(twin, store, rows, targets.numpy() > 0)
    live = [p for name, p in twin.named_parameters() if "text" not in name]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in live if p.dim() >= 2], "weight_decay": recipe.optimizer.weight_decay},
        {"params": [p for p in live if p.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=recipe.optimizer.lr, fused=True)
    average = MovingAverage(twin, recipe.schedule.average)
    augmentation = build_augmentation(recipe)
    fast = multiplies_bfloat16(torch.device("cpu"))
    began = time.monotonic()
    twin.train()
    for step, epoch, positions in order.steps(0, steps):
        keys = order.keys(epoch, positions)
        batch = augmentation(load_batch(store, rows[positions]), keys)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=fast):
            logits = twin(batch, signed(keys))
        loss = F.binary_cross_entropy_with_logits(logits.float(), targets[positions])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(live, recipe.optimizer.clip)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, recipe.optimizer.lr, recipe.optimizer.warmup)
        optimizer.step()
        average.update(step)
        if report is not None and (step + 1) % 100 == 0:
            rate = (step + 1) * order.batch_size / (time.monotonic() - began)
            report(f"step {step + 1} of {steps} | loss {float(loss.detach()):.4f} | {rate:.0f} records/s")
    average.put(average.state())
    return Supervised(twin, tuple(wanted.codes))


def _take_weights(encoders: ECGTextModel, start: ECGTextModel) -> None:
    """Copy the signal side of a model."""
    state = {k: v for k, v in start.state_dict().items() if k.startswith(("signal_encoder.", "local."))}
    try:
        found = encoders.load_state_dict(state, strict=False)
    except RuntimeError as error:
        reason = str(error).strip().split("\n")[-1].strip()[:160]
        raise DataError(
            f"the encoders to start from are of another shape ({reason}): give the twin the model's own"
        ) from None
    absent = [k for k in found.missing_keys if k.startswith(("signal_encoder.", "local."))]
    if absent or found.unexpected_keys:
        raise DataError(
            f"the encoders to start from are of another shape ({len(absent)} weights missing, "
            f"{len(found.unexpected_keys)} unknown): give the twin the model's own"
        )


def _fit_head(twin: SupervisedTwin, store: Store, rows: Rows, truth: npt.NDArray[np.bool_]) -> None:
    """Set the last layer to logistic regressions on the features of the recordings as they are."""
    twin.eval()
    with torch.inference_mode():
        chunks = (load_batch(store, rows[k : k + _AT_ONCE]) for k in range(0, len(rows), _AT_ONCE))
        features = torch.cat([twin.features(chunk).float() for chunk in chunks]).double().numpy()
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    deviation[deviation == 0] = 1.0
    known = truth.any(axis=0) & ~truth.all(axis=0)
    penalties = np.full(int(known.sum()), HEAD_PENALTY)
    fitted = fit_logistic((features - mean) / deviation, truth[:, known], penalties)
    weight = np.zeros((truth.shape[1], features.shape[1]))
    share = (truth.sum(axis=0) + 0.5) / (len(truth) + 1.0)
    bias = np.log(share / (1.0 - share))  # of a statement that all or none carry
    weight[known] = (fitted.coefficients / deviation[:, None]).T
    bias[known] = fitted.intercepts - weight[known] @ mean
    with torch.no_grad():
        twin.head.weight.copy_(torch.from_numpy(weight))
        twin.head.bias.copy_(torch.from_numpy(bias))
