"""InfoNCE on whole reports, and its form on single statements."""

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from ecgclip.alignment.batch import AlignmentBatch
from ecgclip.errors import unknown_name

POSITIVES = ("identical", "entailed")

__all__ = ["InfoNCE", "StatementInfoNCE", "multi_positive"]


def multi_positive(logits: Tensor, positive: Tensor) -> Tensor:
    """Cross-entropy of rows against the uniform distribution over their positives.

    ``-1/|P(i)| sum_{j in P(i)} log softmax(logits_i)_j`` (Khosla et al. 2020, equation 2, L_out), averaged
    over the rows that have a positive.

    Args:
        logits: ``(n, m)``.
        positive: ``(n, m)`` bool.
    """
    weight = positive.to(logits.dtype)
    count = weight.sum(1)
    rows = -(weight * F.log_softmax(logits, dim=1)).sum(1) / count.clamp(min=1.0)
    present = (count > 0).to(logits.dtype)
    return (rows * present).sum() / present.sum().clamp(min=1.0)


class InfoNCE:
    """Both directions of InfoNCE between recordings and reports (van den Oord et al. 2018; Radford et al. 2021).

    Identical texts share the target; they are never negatives of each other. With ``entailed`` positives a text is
    no negative of any recording whose report states all of it either: "sinus rhythm" is true of most of a batch, and
    calling it false of all but one is what plain InfoNCE does with sampled statements.

    Where the batch has kinds of finding, they are as many texts more, true of every recording whose report names a
    finding of each: the reports' texts keep the details, the kinds draw together what only the details set apart.

    Args:
        temperature: divides the cosines; None takes the model's learned scale.
        positives: ``identical`` or ``entailed``.

    Raises:
        UsageError: other positives.
    """

    name = "infonce"
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, *, temperature: float | None = None, positives: str = "identical") -> None:
        if positives not in POSITIVES:
            raise unknown_name("positives of InfoNCE", positives, POSITIVES)
        self.temperature, self.positives = temperature, positives

    def __call__(self, batch: AlignmentBatch) -> Tensor:
        """Return the mean of the two directions for ``batch``."""
        keep = batch.has_text
        scale = batch.scale if self.temperature is None else 1.0 / self.temperature
        logits = scale * batch.signal[keep] @ batch.text[keep].T
        true = batch.text_group
        if self.positives == "entailed" and batch.holds is not None:
            true = true | batch.holds
        true = true[keep][:, keep]
        if batch.kinds is not None and batch.kinds_hold is not None:
            logits = torch.cat([logits, scale * batch.signal[keep] @ batch.kinds[keep].T], dim=1)
            true = torch.cat([true, batch.kinds_hold[keep][:, keep]], dim=1)
        return 0.5 * (multi_positive(logits, true) + multi_positive(logits.T, true.T))


class StatementInfoNCE:
    """InfoNCE whose texts are the distinct statements of the batch: several positives a recording."""

    name = "statements"
    needs: ClassVar[frozenset[str]] = frozenset({"statements"})

    def __call__(self, batch: AlignmentBatch) -> Tensor:
        """Return the mean of the two directions for ``batch``."""
        if batch.statements.shape[0] == 0:
            return batch.signal.sum() * 0.0
        keep = batch.has_text
        logits = batch.scale * batch.signal[keep] @ batch.statements.T
        says = batch.says[keep]
        return 0.5 * (multi_positive(logits, says) + multi_positive(logits.T, says.T))
