"""The distinct reports of a batch as sets of its statements."""

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
        members: ``(n_reports, k)`` positions of each report's statements, padded with 0.
        present: ``(n_reports, k)`` bool, False for padding.
    """

    vectors: Tensor
    members: Tensor
    present: Tensor

    @classmethod
    def of(cls, vectors: Tensor, says: Tensor) -> tuple["ReportTexts", Tensor]:
        """Build from what each recording says.

        Args:
            vectors: ``(n_statements, dim)``.
            says: ``(batch, n_statements)`` bool.

        Returns:
            The reports, and the number ``(batch,)`` of each recording's.
        """
        rows, number = torch.unique(says, dim=0, return_inverse=True)
        longest = max(1, int(rows.sum(1).max()))
        order = torch.sort(rows.to(torch.int8), dim=1, descending=True, stable=True).indices[:, :longest]
        return cls(vectors, order, rows.gather(1, order)), number

    def competing(self, merge: float) -> Tensor:
        """Which statements ``(n_reports, k)`` compete: a near-duplicate in the same report does not."""
        return distinct_within(self.vectors, merge, self.members, self.present)

    def lay_out(self, similarity: Tensor, which: Tensor, *, each: bool) -> Tensor:
        """Similarities of recordings with the statements of some reports, one problem a pair.

        Args:
            similarity: ``(batch, n, n_statements)``.
            which: ``(r,)`` reports for every recording, or ``(batch,)`` one for each.
            each: whether ``which`` is one report for each recording.

        Returns:
            ``(batch * r, n, k)``, or ``(batch, n, k)``.
        """
        batch, n, _ = similarity.shape
        members = self.members[which]
        if each:
            return similarity.gather(2, members[:, None, :].expand(-1, n, -1))
        laid = similarity[:, :, members.flatten()].view(batch, n, *members.shape)
        return laid.transpose(1, 2).flatten(0, 1)

    def spread(self, values: Tensor, which: Tensor, batch: int, *, each: bool) -> Tensor:
        """Values ``(n_reports, k)`` of the reports, laid out as `lay_out` does: one row a problem."""
        return values[which] if each else values[which].repeat(batch, 1)
