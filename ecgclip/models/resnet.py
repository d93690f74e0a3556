"""1-D residual encoder of the 12-lead signal (He et al. 2016, identity mappings, in one dimension)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgclip.errors import unknown_name

from .encoded import Encoded
from .layers import AttentionPool, KeyedDropout, MaskedNorm, StandardConv1d, as_rows, conv_rows

__all__ = ["RESNET_SIZES", "ResNet1d"]

# stem width, then the width of each stage and its number of blocks; every stage halves the rate
RESNET_SIZES: dict[str, tuple[int, tuple[tuple[int, int], ...]]] = {
    "tiny": (32, ((32, 1), (64, 1), (96, 1), (128, 1))),
    "small": (64, ((64, 1), (128, 1), (192, 1), (256, 1))),
    "medium": (64, ((96, 1), (160, 2), (256, 2), (320, 1))),
    "18": (64, ((64, 2), (128, 2), (256, 2), (512, 2))),
}
_KERNEL = 5
_STEM_KERNEL = 15


class _Block(nn.Module):
    """``x + f(norm(x))``: the stream itself is never normalised, so that voltages survive in it."""

    def __init__(self, width_in: int, width: int, stride: int, norm: str) -> None:
        super().__init__()
        self.stride = stride
        self.norm = MaskedNorm(width_in, norm)
        self.first = StandardConv1d(width_in, width, _KERNEL, stride)
        self.second = StandardConv1d(width, width, _KERNEL, energy=0.85)
        reshape = stride != 1 or width_in != width
        self.skip = StandardConv1d(width_in, width, 1, stride, energy=1.0) if reshape else None

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        h = F.relu_(self.norm(x, mask))
        if mask is not None:
            h = h * mask[:, None, None, :].to(h.dtype)
            mask = mask[:, :: self.stride]
        h = F.relu_(self.first(h))
        if mask is not None:
            h = h * mask[:, None, None, :].to(h.dtype)
        h = self.second(h).add_(x if self.skip is None else self.skip(x))
        return (h if mask is None else h * mask[:, None, None, :].to(h.dtype)), mask


class ResNet1d(nn.Module):
    """Residual encoder: ``(batch, 12, time)`` mV in, tokens and a pooled vector out, any length.

    Args:
        fs: sampling rate of the input in Hz.
        size: a key of ``RESNET_SIZES``.
        scale_per_mv: the fixed factor on the input; voltages keep their meaning.
        dropout: share of pooled features dropped in training, keyed by record.
        norm: ``group`` or ``batch``.
    """

    def __init__(
        self,
        *,
        fs: float,
        size: str = "small",
        scale_per_mv: float = 4.0,
        dropout: float = 0.1,
        norm: str = "group",
    ) -> None:
        super().__init__()
        if size not in RESNET_SIZES:
            raise unknown_name("size of resnet", size, RESNET_SIZES)
        stem, stages = RESNET_SIZES[size]
        self.fs = fs
        self.scale_per_mv = scale_per_mv
        self.stem = nn.Conv1d(12, stem, _STEM_KERNEL, 2, _STEM_KERNEL // 2)
        nn.init.normal_(self.stem.weight, std=(1.0 / (12 * _STEM_KERNEL)) ** 0.5)
        self.missing = nn.Linear(12, stem, bias=False)
        blocks: list[_Block] = []
        width = stem
        for stage_width, count in stages:
            for k in range(count):
                blocks.append(_Block(width, stage_width, 2 if k == 0 else 1, norm))
                width = stage_width
        self.blocks = nn.ModuleList(blocks)
        self.final_norm = nn.LayerNorm(width)
        self.pool = AttentionPool(width)
        self.drop = KeyedDropout(dropout, salt=1)
        self.width = width
        self.stride = 2 * 2 ** len(stages)
        self.token_span = self._receptive_field() / fs

    def _receptive_field(self) -> int:
        field, step = _STEM_KERNEL, 2
        for block in self.blocks:
            assert isinstance(block, _Block)
            field += (_KERNEL - 1) * step
            step *= block.stride
            field += (_KERNEL - 1) * step
        return field

    def forward(
        self, signal: Tensor, lead_mask: Tensor, time_mask: Tensor, keys: Tensor | None = None
    ) -> Encoded:
        """Encode ``signal (batch, 12, time)`` mV; masks mean present; ``keys (batch,)`` seed the dropout."""
        mask = None if bool(time_mask.all()) else time_mask
        x = conv_rows(as_rows(signal * self.scale_per_mv), self.stem.weight, self.stem.bias, 2)
        if torch.is_grad_enabled() or not bool(lead_mask.all()):
            x = x.add_(self.missing((~lead_mask).to(x.dtype))[:, :, None, None])
        if mask is not None:
            mask = mask[:, ::2]
            x = x * mask[:, None, None, :].to(x.dtype)
        for block in self.blocks:
            x, mask = block(x, mask)
        tokens = self.final_norm(x[:, :, 0].transpose(1, 2))
        present = torch.ones(tokens.shape[:2], dtype=torch.bool, device=x.device) if mask is None else mask
        if mask is not None:
            tokens = tokens * present[:, :, None].to(tokens.dtype)
        times = torch.arange(tokens.shape[1], device=x.device, dtype=torch.float32) * (self.stride / self.fs)
        pooled = self.drop(self.pool(tokens, present), keys)
        return Encoded(
            tokens=tokens, token_mask=present, token_times=times, token_span=self.token_span, pooled=pooled
        )
