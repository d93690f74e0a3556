"""The distinct reports of a batch as sets of its statements, each a text measure of its own."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .measure import distinct_within

__all__ = ["ReportTexts"]


@dataclass(frozen=True, eq=False)
class ReportTexts:
    """Reports by their statements; recordings that say the same share one report.

    Attributes:
        vectors: ``(n_statements, dim)`` unit vectors of the statements.
        says: ``(n_reports, n_statements)`` bool.
    """

    vectors: Tensor
    says: Tensor

    @classmethod
    def of(cls, vectors: Tensor, says: Tensor) -> tuple["ReportTexts", Tensor]:
        """Build from what each recording says, ``(batch, n_statements)`` bool; the number of each one's report too."""
        rows, number = torch.unique(says, dim=0, return_inverse=True)
        return cls(vectors, rows), number

    def competing(self, merge: float) -> Tensor:
        """Which statements compete in each report; a near-duplicate of an earlier one there does not."""
        return distinct_within(self.vectors, merge, self.says)
