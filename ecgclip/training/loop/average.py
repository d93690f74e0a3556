"""The moving average of the weights, by which a model is judged and saved."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ecgclip.errors import DataError

__all__ = ["MovingAverage"]


class MovingAverage:
    """Exponential moving average of the trainable weights (Polyak and Juditsky 1992), warmed up.

    The running statistics of batch norms are averaged with the weights that they belong to.

    Args:
        model: whose weights are followed.
        decay: weight of the past; 0 keeps the last weights.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        followed: dict[str, Tensor] = {name: p for name, p in model.named_parameters() if p.requires_grad}
        followed.update(_statistics(model))
        self.names, self.live = list(followed), list(followed.values())
        self.values = [p.detach().clone() for p in self.live]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Follow the weights after ``step`` (counted from 0); early steps forget faster."""
        decay = min(self.decay, (1.0 + step) / (10.0 + step))
        torch._foreach_lerp_(self.values, [p.detach() for p in self.live], 1.0 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the average into the model for a while."""
        held = [p.detach().clone() for p in self.live]
        self._copy(self.values)
        try:
            yield
        finally:
            self._copy(held)

    @torch.no_grad()
    def _copy(self, values: list[Tensor]) -> None:
        torch._foreach_copy_([p.detach() for p in self.live], values)

    def state(self) -> dict[str, Tensor]:
        """The averages by name of the parameter or statistic."""
        return dict(zip(self.names, self.values, strict=True))

    @torch.no_grad()
    def load(self, state: dict[str, Tensor], where: str = "the checkpoint") -> None:
        """Take averages back.

        Args:
            state: what `state` gave.
            where: the file it comes from, for the message.

        Raises:
            DataError: an average is absent, as in a checkpoint that another version wrote.
        """
        absent = [name for name in self.names if name not in state]
        if absent:
            raise DataError(
                f"{where}: has no moving average of {absent[0]} ({len(absent)} such), so another version of ecgclip "
                "wrote it: delete it to start again, or choose another --out"
            )
        for name, value in zip(self.names, self.values, strict=True):
            value.copy_(state[name])

    def put(self, state: dict[str, Tensor]) -> None:
        """Put averages into the model for good."""
        self._copy([state[name].to(p.device) for name, p in zip(self.names, self.live, strict=True)])


def _statistics(model: nn.Module) -> dict[str, Tensor]:
    """Running means and variances of batch norms, by name."""
    found: dict[str, Tensor] = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats:
            found |= {f"{name}.{key}": getattr(module, key) for key in ("running_mean", "running_var")}
    return found
