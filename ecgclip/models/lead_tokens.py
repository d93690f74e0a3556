"""Tokens that know their lead: one shallow encoder of a single lead, shared by all twelve."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["LeadTokens"]

_LEADS = 12
_STEP_S = 0.2


class LeadTokens(nn.Module):
    """Moments of each lead by itself: 12 leads times a token every 0.2 s, each of a patch just under 0.4 s.

    A patch goes through two narrow layers, the same for every lead, and a learned vector tells the leads apart.
    Convolutions on one lead at a time would cost ten times as much and need the same patch.

    Args:
        rate: sampling rate in Hz.
        dim: width of the shared local space.
        width: hidden width.
    """

    def __init__(self, *, rate: float, dim: int, width: int = 96) -> None:
        super().__init__()
        self.step = int(_STEP_S * rate)
        self.patch = 2 * self.step - 1
        self.rate = rate
        self.token_span = self.patch / rate
        self.first = nn.Linear(self.patch, width)
        self.lead = nn.Parameter(0.1 * torch.randn(_LEADS, width))
        self.rest = nn.Sequential(nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, dim))

    def times(self, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Centre in s and lead of each of ``12 * count`` tokens, lead by lead."""
        moments = torch.arange(count, device=device, dtype=torch.float32) * self.step + 0.5 * (self.step - 1)
        return (moments / self.rate).repeat(_LEADS), torch.arange(_LEADS, device=device).repeat_interleave(
            count
        )

    def forward(self, signal: Tensor, lead_mask: Tensor, time_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Encode each lead.

        Args:
            signal: ``(batch, 12, time)`` scaled, at the branch's rate.
            lead_mask: ``(batch, 12)`` bool; a missing lead has no token.
            time_mask: ``(batch, time)`` bool.

        Returns:
            ``(batch, 12 * n, dim)`` unit vectors and ``(batch, 12 * n)`` bool.
        """
        batch, _, times = signal.shape
        count = times // self.step
        present = time_mask[:, : count * self.step].view(batch, count, self.step).all(2)
        before = self.step // 2
        padded = F.pad(signal * time_mask[:, None, :].to(signal.dtype), (before, self.step))
        patches = padded.unfold(2, self.patch, self.step)[:, :, :count]
        told = self.first(patches) + self.lead[:, None, :]
        tokens = F.normalize(self.rest(told).float(), dim=-1).flatten(1, 2)
        return tokens, (lead_mask[:, :, None] & present[:, None, :]).flatten(1)
