"""Which texts compete for a recording's tokens: distinct ones, near-duplicates standing as one."""

import torch
from torch import Tensor

__all__ = ["distinct", "distinct_within"]


def distinct(vectors: Tensor, merge: float, aside: Tensor | None = None) -> Tensor:
    """Which texts ``(n,)`` stand for themselves; the others are left to an earlier one that is nearly the same.

    A group of near-duplicates has one column, that of its first text, with the mass of one text. Its other members
    are read at the prices that the group leaves, so each gets what it would get alone, and none splits the mass.

    Args:
        vectors: ``(n, dim)`` unit vectors; no gradient flows.
        merge: cosine above which two texts are one.
        aside: ``(n,)`` bool, texts that never compete.
    """
    near = _near_earlier(vectors.detach() @ vectors.detach().T, merge)
    return ~near.any(0) if aside is None else ~((near & ~aside[:, None]).any(0) | aside)


def distinct_within(vectors: Tensor, merge: float, sets: Tensor) -> Tensor:
    """Which members ``(n_sets, n)`` of each set stand for themselves, each set by itself.

    Args:
        vectors: ``(n, dim)`` unit vectors; no gradient flows.
        merge: cosine above which two texts are one.
        sets: ``(n_sets, n)`` bool.
    """
    near = _near_earlier(vectors.detach() @ vectors.detach().T, merge)
    return sets & (sets.to(vectors.dtype) @ near.to(vectors.dtype) == 0)


def _near_earlier(cosine: Tensor, merge: float) -> Tensor:
    """``[..., i, j]``: text j is nearly the same as the earlier text i."""
    return torch.triu(cosine > merge, diagonal=1)
