"""Cross-modal retrieval: does a recording find its report among all reports, and a report its recording."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ecgclip.errors import DataError

from .metrics import Floats

__all__ = ["DIRECTIONS", "retrieval_ranks", "retrieval_table"]

DIRECTIONS = ("ecg to text", "text to ecg")


def _ranks(queries: Floats, candidates: Floats, group: NDArray[np.intp], chunk: int) -> Floats:
    """Rank ``(n,)`` of the best candidate of the query's own group; ties with others count one half."""
    ranks = np.empty(len(queries))
    for start in range(0, len(queries), chunk):
        stop = start + chunk
        similarity = queries[start:stop] @ candidates.T
        hit = group[start:stop, None] == group[None, :]
        best = np.where(hit, similarity, -np.inf).max(axis=1, keepdims=True)
        others = ~hit
        above = ((similarity > best) & others).sum(axis=1)
        level = ((similarity == best) & others).sum(axis=1)
        ranks[start:stop] = 1 + above + level / 2
    return ranks


def retrieval_ranks(
    ecg: ArrayLike, text: ArrayLike, texts: Sequence[str], *, chunk: int = 1024
) -> tuple[dict[str, Floats], NDArray[np.intp]]:
    """Rank of each query's best hit, in both directions, and the positions of the records that have a text.

    Identical texts are hits of each other: a query's rank is that of the best candidate that carries its
    text. Every record with a text is a query and a candidate.

    Args:
        ecg: ``(n, dim)`` embeddings of the recordings, unit length for cosine similarity.
        text: ``(n, dim)`` embeddings of their texts.
        texts: the ``n`` texts, to tell which are identical.
        chunk: queries compared at once; memory grows with ``chunk x n``.

    Returns:
        Ranks ``(kept,)`` by direction (`DIRECTIONS`), 1 being best, and positions ``(kept,)``.

    Raises:
        DataError: shapes that do not fit, embeddings that are not finite, or no text at all.
    """
    signals, words = np.asarray(ecg, dtype=np.float64), np.asarray(text, dtype=np.float64)
    if signals.ndim != 2 or signals.shape != words.shape or len(signals) != len(texts):
        raise DataError(
            f"embeddings of shape {signals.shape} and {words.shape} with {len(texts)} texts: "
            "expected two (n, dim) arrays and n texts"
        )
    if not (np.isfinite(signals).all() and np.isfinite(words).all()):
        raise DataError(
            "embeddings hold values that are not finite: score these records again or leave them out"
        )
    keep = np.flatnonzero([bool(t.strip()) for t in texts])
    if not keep.size:
        raise DataError("none of the records has a text: retrieval needs reports")
    group = np.unique(np.array(texts, dtype=object)[keep].astype(str), return_inverse=True)[1]
    signals, words = signals[keep], words[keep]
    ranks = {
        "ecg to text": _ranks(signals, words, group, chunk),
        "text to ecg": _ranks(words, signals, group, chunk),
    }
    return ranks, keep


def retrieval_table(
    ecg: ArrayLike, text: ArrayLike, texts: Sequence[str], *, chunk: int = 1024
) -> pd.DataFrame:
    """Recall at 1, 5 and 10 and the median rank, in both directions; arguments as in `retrieval_ranks`.

    Returns:
        Rows ``ecg to text`` and ``text to ecg``; columns ``recall@1``, ``recall@5``, ``recall@10``,
        ``median_rank`` (1 is best), ``n``, ``distinct_texts``, ``left_out`` (records without a text).

    Raises:
        DataError: as `retrieval_ranks`.
    """
    found, keep = retrieval_ranks(ecg, text, texts, chunk=chunk)
    distinct = len({texts[k] for k in keep})
    rows = {}
    for name, ranks in found.items():
        row: dict[str, float] = {f"recall@{k}": float((ranks <= k).mean()) for k in (1, 5, 10)}
        row["median_rank"] = float(np.median(ranks))
        rows[name] = row | {"n": len(ranks), "distinct_texts": distinct, "left_out": len(texts) - len(keep)}
    table = pd.DataFrame.from_dict(rows, orient="index")
    counts = {"n": "int64", "distinct_texts": "int64", "left_out": "int64"}
    typed: pd.DataFrame = table.astype(counts)
    return typed
