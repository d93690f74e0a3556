"""What an objective sees: one joined batch of both sides, whatever the number of processes."""

from dataclasses import dataclass

from torch import Tensor

from ecgclip.models import LocalEncoded

__all__ = ["AlignmentBatch"]


@dataclass(frozen=True, kw_only=True, eq=False)
class AlignmentBatch:
    """Embeddings of a batch of pairs, gathered over processes, in float32.

    Attributes:
        signal: ``(batch, dim)`` unit vectors of the recordings.
        text: ``(batch, dim)`` unit vectors of each recording's sampled report.
        text_group: ``(batch, batch)`` bool, True where two recordings have the same text: never negatives.
        has_text: ``(batch,)`` bool; a recording without a report takes no part.
        statements: ``(n_statements, dim)`` unit vectors of the distinct statements of the batch.
        local_statements: ``(n_statements, dim)`` the same in the local space.
        says: ``(batch, n_statements)`` bool, which report says what.
        local: moments and beats of each recording, or None.
        scale: the learned, clamped factor on global similarities.
        local_scale: the learned, clamped factor on local similarities.
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
