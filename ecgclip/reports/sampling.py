"""Statement sampling: what a training step reads of a report."""

from collections.abc import Sequence
from typing import TypeVar, overload

import numpy as np

__all__ = ["sample_statements"]

Text = TypeVar("Text")


@overload
def sample_statements(statements: int, rng: np.random.Generator) -> list[int]: ...


@overload
def sample_statements(statements: Sequence[Text], rng: np.random.Generator) -> list[Text]: ...


def sample_statements(
    statements: "int | Sequence[Text]", rng: np.random.Generator
) -> "list[int] | list[Text]":
    """Draw a random non-empty subset in random order.

    The size is uniform from one to all of them; nothing is drawn from nothing.

    Args:
        statements: the statements, or how many there are (the answer is then their places).
        rng: seeded by the caller from (seed, epoch, record), so that the draw does not depend on the batch.
    """
    count = statements if isinstance(statements, int) else len(statements)
    if count == 0:
        return []
    size = int(rng.integers(1, count + 1))
    chosen = [int(place) for place in rng.permutation(count)[:size]]
    return chosen if isinstance(statements, int) else [statements[place] for place in chosen]
