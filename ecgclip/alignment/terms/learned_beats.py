"""Local alignment of statements with beats that learned queries look for, not with the beats of the heart."""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgclip.alignment.batch import AlignmentBatch
from ecgclip.alignment.blocks import in_blocks
from ecgclip.errors import UsageError

from .attention import Attention, TokenTerm
from .infonce import multi_positive
from .sigmoid import statement_overlap

__all__ = ["LearnedBeats"]

_HEADS = 4
_SIMILARITIES = 4_000_000  # of beats with statements, held at once


class LearnedBeats(TokenTerm):
    """Every recording with the statements of every report, through learned queries (MELP, Wang et al. 2025).

    Each query pools the signal encoder's tokens to one "beat" ``b``. A statement ``s`` looks at the beats by
    ``softmax(4 cos(s, b))``, which gives ``c_s``; recording i and report j score
    ``10 log sum_{s in j} exp(5 cos(s, c_s))`` (the local loss of GLoRIA, Huang et al. 2021), and the scores are the
    logits of both directions. Reports of the same statements are never negatives.

    Args:
        signal_width: width of the signal encoder's tokens, a multiple of 4.
        dim: width of the shared space, where statements lie.
        queries: number of learned beats.
        attention: factor on the cosines of a statement with the beats.
        sharpness: factor on the cosine of a statement with what it looked at.
        scale: factor on the logarithm of a report.
    """

    name = "learned_beats"
    needs: ClassVar[frozenset[str]] = frozenset({"signal_tokens", "statements"})

    def __init__(
        self,
        *,
        signal_width: int,
        dim: int,
        queries: int = 10,
        attention: float = 4.0,
        sharpness: float = 5.0,
        scale: float = 10.0,
    ) -> None:
        super().__init__()
        self.attention, self.sharpness, self.scale = attention, sharpness, scale
        self.queries = nn.Parameter(torch.randn(queries, signal_width) * signal_width**-0.5)
        self.look = Attention(signal_width, signal_width, _HEADS)
        self.project = nn.Sequential(nn.LayerNorm(signal_width), nn.Linear(signal_width, dim))

    def beats(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Pool ``tokens (batch, n, signal_width)`` under ``mask (batch, n)`` to unit ``(batch, queries, dim)``."""
        queries = self.queries.expand(len(tokens), -1, -1)
        return F.normalize(self.project(self.look(queries, tokens, mask[:, None])).float(), dim=-1)

    def forward(self, batch: AlignmentBatch) -> Tensor:
        """Return the mean of the two directions for ``batch``.

        Raises:
            UsageError: the batch lacks the encoder's tokens.
        """
        if batch.signal_tokens is None or batch.signal_token_mask is None:
            raise UsageError("objective: the learned_beats term got no signal tokens")
        keep = batch.has_text
        if batch.statements.shape[0] == 0 or not bool(keep.any()):
            return batch.signal_tokens.sum() * 0.0
        beats = self.beats(batch.signal_tokens[keep], batch.signal_token_mask[keep])
        with torch.autocast(beats.device.type, enabled=False):
            return self._contrast(beats, batch, keep)

    def _contrast(self, beats: Tensor, batch: AlignmentBatch, keep: Tensor) -> Tensor:
        close = in_blocks(
            lambda rows, columns: self._closeness(beats[rows], batch.statements[columns]),
            (len(beats), len(batch.statements)),
            _SIMILARITIES // beats.shape[1],
        )
        says = batch.says[keep]
        logits = self.scale * ((self.sharpness * close).exp() @ says.T.float()).clamp(min=1e-12).log()
        same = statement_overlap(says) == 1.0
        return 0.5 * (multi_positive(logits, same) + multi_positive(logits.T, same.T))

    def _closeness(self, beats: Tensor, statements: Tensor) -> Tensor:
        """Cosine of each statement with what it looks at: ``(batch, n_statements)``."""
        cosine = torch.einsum("bqd,sd->bsq", beats, statements)
        share = (self.attention * cosine).softmax(dim=2)
        along = (share * cosine).sum(2)
        square = torch.einsum("bsq,bqk,bsk->bs", share, beats @ beats.transpose(1, 2), share)
        return along * square.clamp(min=1e-12).rsqrt()
