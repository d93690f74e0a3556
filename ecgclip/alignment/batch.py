"""What an objective sees: one joined batch of both sides, whatever the number of processes."""

from dataclasses import dataclass

from torch import Tensor

from ecgclip.models import LocalEncoded

__all__ = ["NEEDS", "AlignmentBatch"]

# what a term can ask for beside the pairs themselves; a step computes and joins only what some term needs
NEEDS = ("statements", "local", "local_bank", "second_view", "signal_tokens", "text_tokens", "text_ids")


@dataclass(frozen=True, kw_only=True, eq=False)
class AlignmentBatch:
    """Embeddings of a batch of pairs, gathered over processes, in float32.

    The last seven are None where no term needs them; ``holds``, ``derived`` and the kinds where nobody worked them out.

    Attributes:
        signal: ``(batch, dim)`` unit vectors of the recordings.
        text: ``(batch, dim)`` unit vectors of each recording's sampled report.
        text_group: ``(batch, batch)`` bool, True where two recordings have the same text: never negatives.
        has_text: ``(batch,)`` bool; a recording without a report takes no part.
        statements: ``(n_statements, dim)`` unit vectors of the distinct statements of the batch; ``(0, dim)`` where
            no term needs ``statements``.
        local_statements: the same in the local space.
        says: ``(batch, n_statements)`` bool, which report says what, all of its statements counted.
        local: moments and beats of each recording; None without a local branch or where no term needs ``local``.
        scale: the learned, clamped factor on global similarities.
        local_scale: the learned, clamped factor on local similarities.
        holds: ``(batch, batch)`` bool, whether all that text j says stands in the report of recording i.
        derived: ``(n_statements,)`` bool, statements that follow from what a report says and stand in none.
        kinds: ``(batch, dim)`` unit vectors of the kinds of finding of each recording, its second text.
        kinds_hold: ``(batch, batch)`` bool, whether all kinds of text j stand in the report of recording i.
        local_bank: ``(n_findings, dim)`` unit vectors of a bank's findings in the local space.
        second_view: ``(batch, dim)`` unit vectors of the recordings under another dropout.
        signal_tokens: ``(batch, n_tokens, width)`` of the signal encoder.
        signal_token_mask: ``(batch, n_tokens)`` bool.
        text_tokens: ``(batch, n_pieces, text_width)`` of the text encoder for each recording's sampled report.
        text_token_mask: ``(batch, n_pieces)`` bool.
        text_ids: ``(batch, n_pieces)`` int64 word pieces of that report, its start and end marked; -1 beyond.
    """

    signal: Tensor
    text: Tensor
    text_group: Tensor
    has_text: Tensor
    statements: Tensor
    local_statements: Tensor
    says: Tensor
    local: LocalEncoded | None
    scale: Tensor
    local_scale: Tensor
    holds: Tensor | None = None
    derived: Tensor | None = None
    kinds: Tensor | None = None
    kinds_hold: Tensor | None = None
    local_bank: Tensor | None = None
    second_view: Tensor | None = None
    signal_tokens: Tensor | None = None
    signal_token_mask: Tensor | None = None
    text_tokens: Tensor | None = None
    text_token_mask: Tensor | None = None
    text_ids: Tensor | None = None
