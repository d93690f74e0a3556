"""THE loop: one CPU, many GPUs, many nodes."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from ecgclip.alignment import Objective
from ecgclip.errors import DataError
from ecgclip.models import ECGTextModel
from ecgclip.signals import Augmentation, SignalBatch
from ecgclip.training.assembly import Parts
from ecgclip.training.batches import Order, Rows, load_batch, prefetch, signed
from ecgclip.training.journal import Journal, duration
from ecgclip.training.recipe import Recipe
from ecgclip.training.run_folder import read_checkpoint, write_checkpoint
from ecgclip.training.validation import validate

from .average import MovingAverage
from .memory import keep_freed_memory
from .processes import share
from .step import Share, loss_and_gradients

__all__ = ["Loop", "learning_rate", "multiplies_bfloat16"]

_FIGURE = "findings"


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the hardware multiplies in bfloat16: CUDA from compute capability 8, CPUs with AMX or AVX512-BF16."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(bool(getattr(torch.cpu, name, bool)()) for name in checks)
    return False


def learning_rate(step: int, steps: int, peak: float, warmup: float) -> float:
    """Linear warm-up over a share of the steps, then a cosine to zero (Loshchilov and Hutter 2017)."""
    rise = max(1, round(warmup * steps))
    if step < rise:
        return peak * (step + 1) / rise
    return 0.5 * peak * (1.0 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


@dataclass(frozen=True)
class _Item:
    """One step's input in this process."""

    step: int
    epoch: int
    positions: Rows
    mine: Rows
    batch: SignalBatch


class Loop:
    """Trains a model; can be killed at any moment and goes on from its last checkpoint.

    Args:
        recipe: every choice.
        parts: what is learned from.
        model: on the CPU.
        objective: what is made small, with the parameters that are its own.
        augmentation: of the signals.
        path: the run folder.
        accelerator: processes and device. Batch norm is synchronised between GPUs, not between CPU processes.
    """

    def __init__(
        self,
        recipe: Recipe,
        parts: Parts,
        model: ECGTextModel,
        objective: Objective,
        augmentation: Augmentation,
        path: Path,
        accelerator: Accelerator,
    ) -> None:
        self.recipe, self.parts = recipe, parts
        self.augmentation, self.path, self.accelerator = augmentation, path, accelerator
        self.device: torch.device = accelerator.device
        self.here = Share(accelerator.process_index, accelerator.num_processes)
        self.apart = self.here.processes > 1 and any(isinstance(m, nn.BatchNorm2d) for m in model.modules())
        if self.apart and self.device.type == "cuda":
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
            self.apart = False
        self.model, self.objective = model.to(self.device), objective.to(self.device)
        self.trained = [*self.model.parameters(), *self.objective.parameters()]
        self.order = Order(len(parts.rows), min(recipe.schedule.batch_size, len(parts.rows)), recipe.seed)
        self.steps = self.order.steps_per_epoch * recipe.schedule.epochs
        self.optimizer = torch.optim.AdamW(
            _groups(self.trained, recipe.optimizer.weight_decay),
            lr=recipe.optimizer.lr,
            betas=(recipe.optimizer.beta_1, recipe.optimizer.beta_2),
            fused=True,
        )
        self.average = MovingAverage(self.model, recipe.schedule.average)
        self.best: dict[str, Any] = {"figure": -math.inf, "step": -1}
        self.autocast = self._autocast()

    def _autocast(self) -> Callable[[], torch.autocast]:
        precision = self.recipe.precision
        if precision == "auto":
            precision = "bfloat16" if multiplies_bfloat16(self.device) else "float32"
        self.precision = precision
        return lambda: torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")

    def run(self) -> None:
        """Train from the last checkpoint, or the start, to the end; leaves the chosen weights in the model."""
        keep_freed_memory()
        start = self._resume()
        journal = Journal(self.path, step=start, active=self.here.rank == 0)
        every = max(1, self.steps // self.recipe.schedule.checkpoints)
        if self.apart:
            journal.say(
                "batch norm: each process has statistics of its own, so the result depends on their number"
            )
        if start:
            journal.say(f"goes on at step {start} of {self.steps}")
        began, done = time.monotonic(), 0
        self.model.train()
        try:
            for item in self._coming(start):
                values = self._step(item)
                done += 1
                step = item.step + 1
                rate = done * self.order.batch_size / (time.monotonic() - began)
                if step % 10 == 0 or step == self.steps:
                    journal.write(step, {**values, "records_per_second": rate})
                journal.progress(self._line(step, values, rate))
                paused = time.monotonic()
                self._after(step, every, journal)
                began += time.monotonic() - paused  # the rate is of training alone
        finally:
            journal.close()
        if self.best.get("average") is not None:
            self.average.put(self.best["average"])

    def _after(self, step: int, every: int, journal: Journal) -> None:
        """Validate at the end of some epochs, and keep a checkpoint."""
        epoch, rest = divmod(step, self.order.steps_per_epoch)
        last = step == self.steps
        if last or (rest == 0 and epoch % self.recipe.schedule.validate_every == 0):
            self._validate(step, epoch, journal)
        if last or step % every == 0:
            self._keep(step)

    def _validate(self, step: int, epoch: int, journal: Journal) -> None:
        with self.average.applied():
            figures = validate(self.model, self.parts.held)
        self.model.train()
        journal.write(step, {f"validation/{key}": value for key, value in figures.items()})
        journal.say(
            f"epoch {epoch} of {self.recipe.schedule.epochs}: findings AUROC {figures[_FIGURE]:.3f}, "
            + ", ".join(
                f"{key.replace('_', ' ')} {value:.3g}" for key, value in figures.items() if "recall" in key
            )
        )
        if figures[_FIGURE] > self.best["figure"]:
            average = {name: value.clone() for name, value in self.average.state().items()}
            self.best = {"figure": figures[_FIGURE], "step": step, "average": average}

    def _line(self, step: int, values: dict[str, float], rate: float) -> str:
        left = (self.steps - step) * self.order.batch_size / max(1e-9, rate)
        return (
            f"step {step} of {self.steps} | loss {values['loss']:.3f} | {rate:.0f} records/s | "
            f"{duration(left)} left"
        )

    def _coming(self, start: int) -> Iterator[_Item]:
        """Load ahead in a thread beside an accelerator; on a CPU the thread would stall the cores it shares."""
        return self._items(start) if self.device.type == "cpu" else prefetch(lambda: self._items(start))

    def _items(self, start: int) -> Iterator[_Item]:
        for step, epoch, positions in self.order.steps(start, self.steps):
            mine = positions[share(len(positions), self.here.rank, self.here.processes)]
            batch = load_batch(self.parts.store, self.parts.rows[mine])
            yield _Item(step, epoch, positions, mine, batch)

    def _step(self, item: _Item) -> dict[str, float]:
        keys = self.order.keys(item.epoch, item.mine)
        batch = self.augmentation(item.batch.to(self.device), keys)
        texts = self.parts.texts.step(item.positions, self.order.keys(item.epoch, item.positions))
        lr = learning_rate(item.step, self.steps, self.recipe.optimizer.lr, self.recipe.optimizer.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.zero_grad(set_to_none=True)
        loss, terms = loss_and_gradients(
            self.model,
            self.objective,
            batch,
            signed(keys).to(self.device),
            texts,
            here=self.here,
            micro=self.recipe.schedule.micro_batch or len(batch),
            autocast=self.autocast,
        )
        norm = nn.utils.clip_grad_norm_(self.trained, self.recipe.optimizer.clip)
        value = float(loss)
        for what, number in (("loss", value), ("gradient's norm", float(norm))):
            if not math.isfinite(number):
                raise DataError(
                    f"{self.path}: the {what} is {number} at step {item.step + 1}: lower optimizer.lr, or look "
                    "for damaged recordings; the last checkpoint is whole"
                )
        self.optimizer.step()
        with torch.no_grad():
            for scale in (self.model.log_scale, self.model.local_log_scale):
                scale.clamp_(0.0, math.log(100.0))
        self.average.update(item.step)
        figures = {"loss": value, "lr": lr, "gradient_norm": float(norm)}
        return figures | {f"loss/{name}": float(term) for name, term in terms.items()}

    def _keep(self, step: int) -> None:
        if self.here.rank == 0:
            state = {
                "step": step,
                "model": self.model.state_dict(),
                "objective": self.objective.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "average": self.average.state(),
                "best": self.best,
            }
            write_checkpoint(self.path, state)
        self.accelerator.wait_for_everyone()

    def _resume(self) -> int:
        state = read_checkpoint(self.path)
        if state is None:
            return 0
        self.model.load_state_dict(state["model"])
        self.objective.load_state_dict(state["objective"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.load(state["average"], str(self.path / "checkpoints" / "last.pt"))
        self.best = state["best"]
        return int(state["step"])


def _groups(parameters: list[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay for matrices; none for biases, norms and scales."""
    live = [p for p in parameters if p.requires_grad]
    return [
        {"params": [p for p in live if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in live if p.dim() < 2], "weight_decay": 0.0},
    ]
