"""Tokens that know their lead: one shallow encoder of a single lead, shared by all twelve."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import as_rows, conv_rows

__all__ = ["LeadTokens"]

_LEADS = 12
_FRAMES_PER_TOKEN = 5
_FIELD = 7 + 4 * 2 + 2 * 4  # samples that one frame sees


class LeadTokens(nn.Module):
    """Moments of each lead by itself: 12 leads times tokens of five frames.

    Three convolutions as in the mixed branch, narrower, on one lead at a time; a learned vector tells the leads
    apart.

    Args:
        frame_s: seconds between frames, four samples.
        dim: width of the shared local space.
        width: channels.
    """

    def __init__(self, *, frame_s: float, dim: int, width: int = 48) -> None:
        super().__init__()
        self.conv_1 = nn.Conv1d(1, width // 2, 7, 2, 3)
        self.conv_2 = nn.Conv1d(width // 2, width, 5, 2, 2)
        self.conv_3 = nn.Conv1d(width, width, 3, 1, 1)
        self.lead = nn.Parameter(0.1 * torch.randn(_LEADS, width))
        self.to_token = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, dim))
        self.token_s = _FRAMES_PER_TOKEN * frame_s
        self.token_span = _FIELD * frame_s / 4 + self.token_s - frame_s
        self.frame_s = frame_s

    def times(self, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Centre in s and lead of each of ``12 * count`` tokens, lead by lead."""
        first = 0.5 * (_FRAMES_PER_TOKEN - 1) * self.frame_s
        moments = torch.arange(count, device=device, dtype=torch.float32) * self.token_s + first
        return moments.repeat(_LEADS), torch.arange(_LEADS, device=device).repeat_interleave(count)

    def forward(self, signal: Tensor, lead_mask: Tensor, time_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Encode each lead.

        Args:
            signal: ``(batch, 12, time)`` scaled, at the branch's rate.
            lead_mask: ``(batch, 12)`` bool; a missing lead has no token.
            time_mask: ``(batch, time)`` bool.

        Returns:
            ``(batch, 12 * n, dim)`` unit vectors and ``(batch, 12 * n)`` bool.
        """
        batch, _, _ = signal.shape
        x = F.relu_(self._conv(self.conv_1, as_rows(signal.flatten(0, 1)[:, None])))
        here = time_mask[:, None, None, None]
        x = self._masked(x, here[..., ::2])
        x = F.relu_(self._conv(self.conv_2, x))
        x = F.relu_(self._conv(self.conv_3, self._masked(x, here[..., ::4])))
        frames, present = x[:, :, 0], time_mask[:, ::4]
        count = frames.shape[2] // _FRAMES_PER_TOKEN
        cut = count * _FRAMES_PER_TOKEN
        whole = present[:, :cut].view(batch, count, _FRAMES_PER_TOKEN).all(2)
        mean = F.avg_pool1d(frames[:, :, :cut], _FRAMES_PER_TOKEN).transpose(1, 2)
        told = mean.reshape(batch, _LEADS, count, -1) + self.lead[:, None, :].to(mean.dtype)
        tokens = F.normalize(self.to_token(told).float(), dim=-1).flatten(1, 2)
        return tokens, (lead_mask[:, :, None] & whole[:, None, :]).flatten(1)

    def _conv(self, layer: nn.Conv1d, x: Tensor) -> Tensor:
        return conv_rows(x, layer.weight, layer.bias, layer.stride[0])

    def _masked(self, x: Tensor, here: Tensor) -> Tensor:
        """Zero at absent times; one mask a recording, twelve rows each."""
        rows = x.view(len(here), _LEADS, *x.shape[1:]) * here.to(x.dtype)
        return rows.flatten(0, 1).contiguous(memory_format=torch.channels_last)
