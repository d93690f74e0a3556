"""The sigmoid loss on pairs, with hard targets or with the overlap of two reports' statements."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgclip.alignment.batch import AlignmentBatch
from ecgclip.errors import unknown_name

__all__ = ["TARGETS", "SigmoidPairs", "statement_overlap"]

TARGETS = ("same_text", "jaccard")


def statement_overlap(says: Tensor) -> Tensor:
    """Jaccard overlap of every two rows' statements, ``|A and B| / |A or B|``; 0 where both are empty.

    Args:
        says: ``(batch, n_statements)`` bool.

    Returns:
        ``(batch, batch)`` float32 in [0, 1].
    """
    said = says.float()
    both = said @ said.T
    count = said.sum(1)
    return both / (count[:, None] + count[None, :] - both).clamp(min=1.0)


class SigmoidPairs(nn.Module):
    """Every recording with every report as a yes-or-no question (Zhai et al. 2023, section 3.2).

    ``-1/n sum_ij [y_ij log s(l_ij) + (1 - y_ij) log s(-l_ij)]`` with ``l_ij = t x_i . y_j + b``, ``t`` and ``b``
    learned, from 10 and ``bias``. The published loss has ``y`` in {0, 1}.

    Args:
        targets: ``same_text``, y is one for a recording's own report and its copies; ``jaccard``, y is the
            overlap of the two whole reports' statements, one for copies.
        bias: where ``b`` starts. The published -10 is near the log-odds of one match among its batches of 32,768;
            far from those of the batch at hand, a short training spends its steps on ``b``, or lets all cosines rise
            to make up for it.
    """

    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, *, targets: str = "same_text", bias: float = -10.0) -> None:
        super().__init__()
        if targets not in TARGETS:
            raise unknown_name("targets of the sigmoid term", targets, TARGETS)
        self.targets = targets
        self.name = "sigmoid" if targets == "same_text" else f"sigmoid_{targets}"
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))
        self.bias = nn.Parameter(torch.tensor(float(bias)))

    def forward(self, batch: AlignmentBatch) -> Tensor:
        """Return the loss of ``batch``, a sum over reports and a mean over recordings."""
        keep = batch.has_text
        logits = self.log_scale.exp().clamp(max=100.0) * batch.signal[keep] @ batch.text[keep].T + self.bias
        target = batch.text_group[keep][:, keep].to(logits.dtype)
        if self.targets == "jaccard":
            target = torch.maximum(target, statement_overlap(batch.says[keep]))
        total = F.binary_cross_entropy_with_logits(logits, target, reduction="sum")
        return total / max(1, len(logits))
