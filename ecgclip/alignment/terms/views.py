"""InfoNCE between two views of the same recordings."""

from typing import ClassVar

import torch
from torch import Tensor

from ecgclip.alignment.batch import AlignmentBatch
from ecgclip.errors import UsageError

from .infonce import multi_positive

__all__ = ["ViewInfoNCE"]


class ViewInfoNCE:
    """Both directions of InfoNCE between two dropout views of each recording: the UMA of MERL (Liu et al. 2024).

    A recording without a report takes part: no text is looked at but to tell which recordings say the same,
    and those are never negatives.

    Args:
        temperature: divides the cosines; held.
    """

    name = "views"
    needs: ClassVar[frozenset[str]] = frozenset({"second_view"})

    def __init__(self, *, temperature: float = 0.07) -> None:
        self.temperature = temperature

    def __call__(self, batch: AlignmentBatch) -> Tensor:
        """Return the mean of the two directions for ``batch``.

        Raises:
            UsageError: the batch has no second view.
        """
        if batch.second_view is None:
            raise UsageError("objective: the views term got no second view of the recordings")
        logits = batch.signal @ batch.second_view.T / self.temperature
        silent = ~batch.has_text
        same = batch.text_group & ~(silent[:, None] & silent[None, :])
        same = same | torch.eye(len(logits), dtype=torch.bool, device=logits.device)
        return 0.5 * (multi_positive(logits, same) + multi_positive(logits.T, same.T))
