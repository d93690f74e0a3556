"""Which texts compete for a recording's tokens: distinct ones, near-duplicates standing as one."""

import torch
from torch import Tensor

__all__ = ["distinct", "distinct_within"]


def distinct(vectors: Tensor, merge: float) -> Tensor:
    """Which texts ``(n,)`` stand for themselves; the others are left to an earlier one that is nearly the same.

    A group of near-duplicates has one column, that of its first text, with the mass of one text. Its other members
    are read at the prices that the group leaves, so each gets what it would get alone, and none splits the mass.

    Args:
        vectors: ``(n, dim)`` unit vectors; no gradient flows.
        merge: cosine above which two texts are one.
    """
    return ~_near_earlier(vectors.detach() @ vectors.detach().T, merge).any(0)


def distinct_within(vectors: Tensor, merge: float, members: Tensor, present: Tensor) -> Tensor:
    """Which members ``(n_sets, k)`` of each set stand for themselves, each set by itself.

    Args:
        vectors: ``(n, dim)`` unit vectors; no gradient flows.
        merge: cosine above which two texts are one.
        members: ``(n_sets, k)`` positions in ``vectors``.
        present: ``(n_sets, k)`` bool, False for padding.
    """
    cosine = vectors.detach() @ vectors.detach().T
    near = _near_earlier(cosine[members[:, :, None], members[:, None, :]], merge)
    return present & ~(near & present[:, :, None]).any(1)


def _near_earlier(cosine: Tensor, merge: float) -> Tensor:
    """``[..., i, j]``: text j is nearly the same as the earlier text i."""
    return torch.triu(cosine > merge, diagonal=1)
