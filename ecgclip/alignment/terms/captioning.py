"""Captioning: the report is told, piece by piece, from what the signal encoder saw."""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgclip.alignment.batch import AlignmentBatch
from ecgclip.alignment.blocks import in_blocks
from ecgclip.errors import UsageError

from .attention import Attention, FeedForward, TokenTerm

__all__ = ["Captioning"]

_ROWS = 128  # recordings decoded at once
_HEADS = 4


class _Layer(nn.Module):
    """A look back, a look at the recording, and a feed-forward, each after its norm."""

    def __init__(self, width: int, signal_width: int) -> None:
        super().__init__()
        self.norm_back, self.norm_seen = nn.LayerNorm(width), nn.LayerNorm(width)
        self.back = Attention(width, width, _HEADS)
        self.seen = Attention(width, signal_width, _HEADS)
        self.forward_part = FeedForward(width)

    def forward(self, x: Tensor, past: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        own = self.norm_back(x)
        x = x + self.back(own, own, past)
        x = x + self.seen(self.norm_seen(x), tokens, mask)
        out: Tensor = x + self.forward_part(x)
        return out


class Captioning(TokenTerm):
    """Cross-entropy of each piece of the report, given those before it and the recording (Yu et al. 2022, eq. 3).

    A causal decoder embeds the pieces itself and looks at the signal encoder's tokens; its output weights are its
    embeddings.

    Args:
        pieces: size of the vocabulary.
        signal_width: width of the signal encoder's tokens.
        width: of the decoder, a multiple of 4.
        layers: of the decoder.
        longest: pieces of the longest report.
    """

    name = "captioning"
    needs: ClassVar[frozenset[str]] = frozenset({"signal_tokens", "text_ids"})

    def __init__(
        self, *, pieces: int, signal_width: int, width: int = 256, layers: int = 2, longest: int = 96
    ) -> None:
        super().__init__()
        self.embed = nn.Embedding(pieces, width)
        self.place = nn.Parameter(torch.zeros(longest, width))
        nn.init.normal_(self.embed.weight, std=width**-0.5)
        nn.init.normal_(self.place, std=width**-0.5)
        self.layers = nn.ModuleList([_Layer(width, signal_width) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)

    def forward(self, batch: AlignmentBatch) -> Tensor:
        """Return the mean over all pieces of the batch's reports.

        Raises:
            UsageError: the batch lacks tokens or pieces.
        """
        if batch.signal_tokens is None or batch.signal_token_mask is None or batch.text_ids is None:
            raise UsageError("objective: the captioning term got no signal tokens or no word pieces")
        keep = batch.has_text
        tokens, mask, ids = batch.signal_tokens[keep], batch.signal_token_mask[keep], batch.text_ids[keep]
        if ids.shape[0] == 0 or ids.shape[1] < 2:
            return batch.signal_tokens.sum() * 0.0

        def told(rows: slice, _: slice) -> Tensor:
            return self._losses(tokens[rows], mask[rows], ids[rows])

        return in_blocks(told, (len(ids), 1), _ROWS).sum() / (ids[:, 1:] >= 0).sum().clamp(min=1)

    def _losses(self, tokens: Tensor, mask: Tensor, ids: Tensor) -> Tensor:
        """Sum over the pieces of each report: ``(batch, 1)``."""
        before, target = ids[:, :-1].clamp(min=0), ids[:, 1:]
        count = before.shape[1]
        x = self.embed(before) + self.place[:count]
        past = torch.ones(1, count, count, dtype=torch.bool, device=ids.device).tril()
        for layer in self.layers:
            x = layer(x, past, tokens, mask[:, None])
        there = target >= 0
        logits = F.linear(self.norm(x[there]), self.embed.weight).float()
        each = F.cross_entropy(logits, target[there], reduction="none")
        return torch.zeros_like(target, dtype=each.dtype).masked_scatter(there, each).sum(1, keepdim=True)
