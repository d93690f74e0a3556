"""Arrays of the caller as dense real tensors, and their shapes against those that a batch of problems expects."""

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ecgclip.errors import UsageError

__all__ = ["fit", "real_tensor"]


def real_tensor(given: Tensor | ArrayLike, name: str) -> Tensor:
    """A tensor of real numbers: a tensor as it is, anything else in float32, in float64 where it says float64.

    Numbers in plain lists say nothing of their precision and become float32, as with ``torch.tensor``.
    """
    if isinstance(given, Tensor):
        if given.is_complex() or given.layout != torch.strided:
            raise UsageError(
                f"{name} of {given.dtype}, {given.layout}: expected real numbers in a dense tensor"
            )
        return given
    try:
        array = np.asarray(given)
    except (ValueError, TypeError, RuntimeError) as error:
        raise UsageError(
            f"{name} is not an array: expected rows of numbers, all of one length, or one tensor (stack a list of "
            f"tensors with torch.stack): {str(error).splitlines()[0].rstrip('.')}"
        ) from error
    if array.dtype.kind not in "biuf":
        raise UsageError(f"{name} holds {array.dtype}: expected real numbers")
    wide = array.dtype.kind == "f" and array.dtype.itemsize >= 8 and not _plain(given)
    # a copy in native byte order, with positive strides: what torch can hold
    return torch.from_numpy(np.array(array, dtype=np.float64 if wide else np.float32, order="C"))


def _plain(given: ArrayLike) -> bool:
    """Whether numbers come as Python's own in nested lists."""
    while isinstance(given, list | tuple) and given:
        given = given[0]
    return type(given) in (int, float, bool)


def fit(given: Tensor, batch: int, size: int, name: str) -> Tensor:
    """``(batch, size)`` of one value for each row or column, shared by the batch where it has no batch axis."""
    if given.shape not in ((size,), (1, size), (batch, size)):
        raise UsageError(f"{name} of shape {tuple(given.shape)}: expected ({batch}, {size}) or ({size},)")
    return given.expand(batch, size)
