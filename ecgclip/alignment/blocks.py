"""Evaluates a table in blocks whose memory has a bound, forward and backward."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

__all__ = ["in_blocks"]


def in_blocks(block: Callable[[slice, slice], Tensor], shape: tuple[int, int], room: int) -> Tensor:
    """Return ``block(all rows, all columns)``, computed in blocks of at most ``room`` cells.

    Where there are several blocks, each keeps only its result and is computed again on the way back.

    Args:
        block: gives the cells of a slice of rows and a slice of columns.
        shape: rows and columns of the table.
        room: cells that a block may hold; one at least is computed at a time.
    """
    rows, columns = shape
    if rows * columns <= room or not columns:
        return block(slice(0, rows), slice(0, columns))
    wide = max(1, min(columns, room))
    tall = max(1, room // wide)

    def kept(row: int, column: int) -> Tensor:
        part = slice(row, min(rows, row + tall)), slice(column, min(columns, column + wide))
        found: Tensor = checkpoint(block, *part, use_reentrant=False, preserve_rng_state=False)
        return found

    return torch.cat(
        [torch.cat([kept(row, k) for k in range(0, columns, wide)], dim=1) for row in range(0, rows, tall)]
    )
