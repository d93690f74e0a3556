"""Patch transformer encoder of the 12-lead signal (Dosovitskiy et al. 2021, in one dimension)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgclip.errors import unknown_name

from .encoded import Encoded
from .layers import AttentionPool, KeyedDropout

__all__ = ["VIT_SIZES", "ViT1d"]

# width, depth, heads
VIT_SIZES: dict[str, tuple[int, int, int]] = {
    "tiny": (192, 6, 3),
    "small": (384, 8, 6),
    "base": (768, 12, 12),
}


class _Layer(nn.Module):
    """Pre-norm attention and feed-forward."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm_2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        batch, count, width = x.shape
        qkv = self.qkv(self.norm_1(x)).view(batch, count, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None, :])
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, count, width))
        out: Tensor = x + self.down(F.gelu(self.up(self.norm_2(x))))
        return out


def _positions(times: Tensor, width: int) -> Tensor:
    """Sines and cosines of the token's time in seconds, periods 0.1 s to 100 s (Vaswani et al. 2017, 3.5)."""
    half = width // 2
    periods = torch.logspace(-1, 2, half, device=times.device)
    angle = 2.0 * math.pi * times[:, None] / periods[None, :]
    return torch.cat([angle.sin(), angle.cos()], dim=1)


class ViT1d(nn.Module):
    """Patch transformer: ``(batch, 12, time)`` mV in, tokens and a pooled vector out, any length.

    Args:
        fs: sampling rate of the input in Hz.
        size: a key of ``VIT_SIZES``.
        patch_s: seconds of signal a patch.
        scale_per_mv: the fixed factor on the input.
        dropout: share of pooled features dropped in training, keyed by record.
    """

    def __init__(
        self,
        *,
        fs: float,
        size: str = "tiny",
        patch_s: float = 0.2,
        scale_per_mv: float = 4.0,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if size not in VIT_SIZES:
            raise unknown_name("size of vit", size, VIT_SIZES)
        width, depth, heads = VIT_SIZES[size]
        self.fs = fs
        self.scale_per_mv = scale_per_mv
        self.patch = max(1, round(patch_s * fs))
        self.embed = nn.Conv1d(12, width, self.patch, self.patch)
        self.missing = nn.Linear(12, width, bias=False)
        self.layers = nn.ModuleList([_Layer(width, heads) for _ in range(depth)])
        self.final_norm = nn.LayerNorm(width)
        self.pool = AttentionPool(width)
        self.drop = KeyedDropout(dropout, salt=1)
        self.width = width
        self.token_span = math.inf

    def forward(
        self, signal: Tensor, lead_mask: Tensor, time_mask: Tensor, keys: Tensor | None = None
    ) -> Encoded:
        """Encode ``signal (batch, 12, time)`` mV; masks mean present; ``keys (batch,)`` seed the dropout."""
        rest = -signal.shape[-1] % self.patch
        signal = F.pad(signal, (0, rest))
        mask = F.pad(time_mask, (0, rest)).view(len(signal), -1, self.patch).any(-1)
        mask = mask | ~mask.any(1, keepdim=True)
        x = self.embed(signal * self.scale_per_mv).transpose(1, 2)
        times = (torch.arange(x.shape[1], device=x.device, dtype=torch.float32) + 0.5) * (
            self.patch / self.fs
        )
        x = x + _positions(times, self.width).to(x.dtype) + self.missing((~lead_mask).to(x.dtype))[:, None]
        for layer in self.layers:
            x = layer(x, mask)
        tokens = self.final_norm(x) * mask[:, :, None].to(x.dtype)
        pooled = self.drop(self.pool(tokens, mask), keys)
        return Encoded(
            tokens=tokens, token_mask=mask, token_times=times, token_span=self.token_span, pooled=pooled
        )
