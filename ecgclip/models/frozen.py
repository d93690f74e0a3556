"""A model's signal side as inference runs it: filters made once, weights laid out and cast once."""

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import MaskedNorm, StandardConv1d, conv_rows
from .resnet import ResNet1d

if TYPE_CHECKING:
    from .ecg_text_model import ECGTextModel

__all__ = ["forget_frozen", "frozen"]


@dataclass(frozen=True, eq=False)
class _Frozen:
    """A frozen form, the weights that it was made of, and where they lay and how often each had been written then."""

    twin: "ECGTextModel"
    weights: tuple[Tensor, ...]  # held, so that no other weight is ever found at the same place
    state: tuple[tuple[int, int], ...]


_FROZEN: "WeakKeyDictionary[ECGTextModel, dict[torch.dtype, _Frozen]]" = WeakKeyDictionary()


def frozen(model: "ECGTextModel", dtype: torch.dtype) -> "ECGTextModel":
    """What embeds recordings as ``model`` does in eval mode, faster; made once, and again when a weight was written.

    It shares the text side. It is kept beside the model, not in it: copies, pickles, state dicts and folders of the
    model know nothing of it. Where no such form is known (another encoder than ``resnet``, another device than the
    CPU), and where a hook waits for the model's own modules to run, it is the model itself.

    Args:
        model: the model, in eval mode.
        dtype: in which linear layers and convolutions multiply, float32 or bfloat16.
    """
    weights = _weights(model)
    if weights is None:
        return model
    state = tuple((value.data_ptr(), value._version) for value in weights)
    kept = _FROZEN.setdefault(model, {})
    if dtype not in kept or kept[dtype].state != state:
        kept[dtype] = _Frozen(_freeze(model, dtype), tuple(value.detach() for value in weights), state)
    return kept[dtype].twin


def forget_frozen(model: "ECGTextModel") -> None:
    """Free what `frozen` keeps of a model."""
    _FROZEN.pop(model, None)


class _FixedConv(nn.Module):
    """A convolution of rows with given filters."""

    def __init__(self, conv: StandardConv1d) -> None:
        super().__init__()
        self.weight = nn.Parameter(conv.filters(), requires_grad=False)
        self.bias = conv.bias
        self.stride = conv.stride[0]

    def forward(self, x: Tensor) -> Tensor:
        return conv_rows(x, self.weight, self.bias, self.stride)


class _PlainNorm(nn.Module):
    """Group norm without a way back, by torch's own kernel where all is present."""

    def __init__(self, norm: MaskedNorm) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        if mask is None:
            return F.group_norm(x, 1, self.norm.weight, self.norm.bias)
        masked: Tensor = self.norm(x, mask)
        return masked


def _signal_side(model: "ECGTextModel") -> list[nn.Module]:
    parts = (model.signal_encoder, model.local, model.signal_head)
    return [module for part in parts if part is not None for module in part.modules()]


def _weights(model: "ECGTextModel") -> list[Tensor] | None:
    """The weights of the signal side; None where it cannot be frozen."""
    if not isinstance(model, nn.Module) or type(model.signal_encoder) is not ResNet1d:
        return None
    found: list[Tensor] = []
    for module in _signal_side(model):
        if module._forward_hooks or module._forward_pre_hooks:
            return None
        found += [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    # a tensor made in inference mode does not count how often it is written
    return None if any(value.is_inference() or value.device.type != "cpu" for value in found) else found


def _freeze(model: "ECGTextModel", dtype: torch.dtype) -> "ECGTextModel":
    text_side = [getattr(model, name, None) for name in ("text_encoder", "text_head", "local_text_head")]
    shared: list[Any] = [*text_side, model.config, model.preprocessor, model.kept_texts]
    twin = copy.deepcopy(model, {id(part): part for part in shared})
    with torch.no_grad():
        for module in _signal_side(twin):
            for name, child in module.named_children():
                if isinstance(child, StandardConv1d):
                    setattr(module, name, _FixedConv(child))
                elif isinstance(child, MaskedNorm) and child.batch is None:
                    setattr(module, name, _PlainNorm(child))
        for module in _signal_side(twin):
            if isinstance(module, (nn.Linear, nn.Conv1d, _FixedConv)):
                module.to(dtype)  # norms stay: their statistics are float32 in either precision
            if isinstance(module, (nn.Conv1d, _FixedConv)):
                module.weight = nn.Parameter(_channels_last(module.weight), requires_grad=False)
    return twin


def _channels_last(weight: Tensor) -> Tensor:
    """The same ``(channels, channels_in, kernel)``, all channels of a moment side by side in memory."""
    return weight.transpose(1, 2).contiguous().transpose(1, 2)
