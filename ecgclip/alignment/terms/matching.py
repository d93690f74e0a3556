"""Matching: do this recording and this report belong together, told from their tokens."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgclip.alignment.batch import AlignmentBatch
from ecgclip.alignment.blocks import in_blocks
from ecgclip.errors import UsageError

from .attention import Attention, FeedForward, TokenTerm

__all__ = ["Matching", "hard_pairs"]

_ROWS = 192  # pairs fused at once
_HEADS = 4


def hard_pairs(batch: AlignmentBatch) -> tuple[Tensor, Tensor, Tensor]:
    """Each pair, its hardest wrong report and its hardest wrong recording.

    Hard is what lies nearest in the shared space. A report is wrong for a recording only if it names something
    that the recording's own does not: a part of what is said of it is true of it.

    Returns:
        Row of the recording, row of the report and whether they belong together, each ``(n_pairs,)``.
    """
    with torch.no_grad(), torch.autocast(batch.signal.device.type, enabled=False):
        near = batch.signal @ batch.text.T
        said = batch.says.float()
        told = said @ said.T >= said.sum(1)[None, :]
        pairs = batch.has_text[:, None] & batch.has_text[None, :]
        near = near.masked_fill(batch.text_group | told | ~pairs, -math.inf)
    own = batch.has_text.nonzero()[:, 0]
    texts, text = near.max(1)
    signals, signal = near.max(0)
    rows, columns = (texts > -math.inf).nonzero()[:, 0], (signals > -math.inf).nonzero()[:, 0]
    return (
        torch.cat([own, rows, signal[columns]]),
        torch.cat([own, text[rows], columns]),
        torch.cat([own >= 0, rows < 0, columns < 0]),
    )


class _Fusion(nn.Module):
    """Both sides look at each other and think about it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(2)])
        self.looks = nn.ModuleList([Attention(width, width, _HEADS) for _ in range(2)])
        self.thoughts = nn.ModuleList([FeedForward(width) for _ in range(2)])

    def forward(self, x: Tensor, y: Tensor, x_mask: Tensor, y_mask: Tensor) -> tuple[Tensor, Tensor]:
        a, b = self.norms[0](x), self.norms[1](y)
        x = x + self.looks[0](a, b, y_mask[:, None])
        y = y + self.looks[1](b, a, x_mask[:, None])
        return x + self.thoughts[0](x), y + self.thoughts[1](y)


class Matching(TokenTerm):
    """Cross-entropy of a fused pair belonging together or not (Li et al. 2021, ALBEF, equation 4; D-BETA's ETM).

    Args:
        signal_width: width of the signal encoder's tokens.
        text_width: width of the text encoder's tokens.
        width: of the fusion, a multiple of 4.
        layers: of the fusion.
    """

    name = "matching"
    needs: ClassVar[frozenset[str]] = frozenset({"signal_tokens", "text_tokens"})

    def __init__(self, *, signal_width: int, text_width: int, width: int = 128, layers: int = 2) -> None:
        super().__init__()
        self.from_signal = nn.Linear(signal_width, width)
        self.from_text = nn.Linear(text_width, width)
        self.layers = nn.ModuleList([_Fusion(width) for _ in range(layers)])
        self.head = nn.Sequential(nn.LayerNorm(2 * width), nn.Linear(2 * width, width), nn.GELU())
        self.out = nn.Linear(width, 1)

    def forward(self, batch: AlignmentBatch) -> Tensor:
        """Return the mean over each pair, its hardest wrong report and its hardest wrong recording.

        Raises:
            UsageError: the batch lacks tokens of a side.
        """
        x, x_mask, y, y_mask = (
            batch.signal_tokens,
            batch.signal_token_mask,
            batch.text_tokens,
            batch.text_token_mask,
        )
        if x is None or x_mask is None or y is None or y_mask is None:
            raise UsageError("objective: the matching term got no tokens of the recordings or of the reports")
        signal, text, together = hard_pairs(batch)
        if len(signal) == 0:
            return x.sum() * 0.0 + y.sum() * 0.0
        seen, read = self.from_signal(x), self.from_text(y)

        def fused(rows: slice, _: slice) -> Tensor:
            i, j = signal[rows], text[rows]
            return self._logits(seen[i], read[j], x_mask[i], y_mask[j])

        logits = in_blocks(fused, (len(signal), 1), _ROWS)[:, 0].float()
        return F.binary_cross_entropy_with_logits(logits, together.to(logits.dtype))

    def _logits(self, x: Tensor, y: Tensor, x_mask: Tensor, y_mask: Tensor) -> Tensor:
        for layer in self.layers:
            x, y = layer(x, y, x_mask, y_mask)
        logits: Tensor = self.out(self.head(torch.cat([_mean(x, x_mask), _mean(y, y_mask)], dim=1)))
        return logits


def _mean(tokens: Tensor, mask: Tensor) -> Tensor:
    weight = mask[:, :, None].to(tokens.dtype)
    return (tokens * weight).sum(1) / weight.sum(1).clamp(min=1.0)
