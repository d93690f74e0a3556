"""What an encoder gives: the same shape of thing for a signal and for a text."""

from dataclasses import dataclass

from torch import Tensor

__all__ = ["Encoded", "LocalEncoded", "SignalViews", "TextViews"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoded:
    """Tokens and one pooled vector of each item of a batch.

    Attributes:
        tokens: ``(batch, n_tokens, width)``, zero where masked.
        token_mask: ``(batch, n_tokens)`` bool, True where a token is real.
        token_times: ``(n_tokens,)`` s, the centre of each token from the start; zeros for text.
        token_span: receptive field of a token in s; 0 for text.
        pooled: ``(batch, width)``.
    """

    tokens: Tensor
    token_mask: Tensor
    token_times: Tensor
    token_span: float
    pooled: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalEncoded:
    """Moments and beats of each recording, in the space where they meet statements.

    Attributes:
        tokens: ``(batch, n_tokens, dim)`` unit vectors, or None when the branch gives beats only.
        token_mask: ``(batch, n_tokens)`` bool.
        token_times: ``(n_tokens,)`` s, centre of each token.
        token_span: receptive field of a token in s.
        beats: ``(batch, n_beats, dim)`` unit vectors.
        beat_mask: ``(batch, n_beats)`` bool.
        beat_times: ``(batch, n_beats)`` s, the R-peak (or the grid where no beat was found).
        beat_span: seconds of signal that a beat sees.
        token_leads: ``(n_tokens,)`` int64, place of each token's lead in ``records.LEADS``; None where tokens mix all.
        pooled: ``(batch, dim)`` one vector of all beats, where the branch feeds the global embedding.
    """

    tokens: Tensor
    token_mask: Tensor
    token_times: Tensor
    token_span: float
    beats: Tensor
    beat_mask: Tensor
    beat_times: Tensor
    beat_span: float
    token_leads: Tensor | None = None
    pooled: Tensor | None = None

    def mean_beat(self) -> Tensor:
        """The mean of each recording's beats, ``(batch, dim)``."""
        weight = self.beat_mask[:, :, None].to(self.beats.dtype)
        return (self.beats * weight).sum(1) / weight.sum(1).clamp(min=1.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class SignalViews:
    """All that training can ask of a recording's side.

    Attributes:
        z: ``(batch, dim)`` unit vectors.
        second: ``(batch, dim)`` unit vectors under another dropout of the same pooled vector, or None.
        tokens: ``(batch, n_tokens, width)`` float32 of the signal encoder.
        token_mask: ``(batch, n_tokens)`` bool.
        local: moments and beats, or None.
    """

    z: Tensor
    second: Tensor | None
    tokens: Tensor
    token_mask: Tensor
    local: LocalEncoded | None


@dataclass(frozen=True, kw_only=True, eq=False)
class TextViews:
    """All that training can ask of a text's side.

    Attributes:
        z: ``(n, dim)`` unit vectors.
        local: ``(n, dim)`` unit vectors of the local space; ``z`` where the model has no local branch.
        tokens: ``(n, n_tokens, width)`` float32 of the text encoder.
        token_mask: ``(n, n_tokens)`` bool.
    """

    z: Tensor
    local: Tensor
    tokens: Tensor
    token_mask: Tensor
