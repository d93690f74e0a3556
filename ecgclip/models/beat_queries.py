"""Learned queries that pool a recording's frames, in place of windows round its R-peaks."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["BeatQueries"]


class BeatQueries(nn.Module):
    """A fixed number of learned queries, each the attention-weighted mean of the frames (one head).

    Such queries stand for beats where no R-peak is used (Wang et al. 2025, MELP, section 3.3, learn ten). Frames know
    their place by sines and cosines of their time, so that queries can divide a recording among them.

    Args:
        width: channels of the frames.
        dim: width of the shared local space.
        count: queries.
    """

    def __init__(self, *, width: int, dim: int, count: int = 10) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(count, width) / math.sqrt(width))
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.place = nn.Linear(16, width)
        self.out = nn.Linear(width, dim)

    def forward(self, frames: Tensor, present: Tensor, frame_s: float) -> tuple[Tensor, Tensor]:
        """Pool the frames.

        Args:
            frames: ``(batch, n_frames, width)``.
            present: ``(batch, n_frames)`` bool; where none is, the pooled vector is that of nothing.
            frame_s: seconds between frames.

        Returns:
            ``(batch, count, dim)``, and the mean time in s that each query looked at, ``(batch, count)``.
        """
        seconds = torch.arange(frames.shape[1], device=frames.device, dtype=torch.float32) * frame_s
        turns = seconds[:, None] * (2.0 * math.pi / 10.0) * 2.0 ** torch.arange(8, device=frames.device)
        waves = torch.cat([turns.sin(), turns.cos()], dim=1).to(frames.dtype)
        keys = self.key(frames) + self.place(waves)
        scores = torch.einsum("qw,bnw->bqn", self.query.to(keys.dtype), keys).float()
        scores = scores.masked_fill(~present[:, None, :], -1e9)
        share = (scores / math.sqrt(frames.shape[2])).softmax(dim=2)
        pooled = torch.bmm(share.to(frames.dtype), self.value(frames) * present[:, :, None].to(frames.dtype))
        return self.out(F.gelu(pooled)), (share.detach() * seconds).sum(2)
