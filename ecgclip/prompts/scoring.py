"""Recordings against phrases: the global score, and the local one joined to it where the model has one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from ecgclip.alignment import COMPETITIVE, local_scores
from ecgclip.errors import UsageError
from ecgclip.models import WindowBatch, as_source, embed_windows, in_lanes, lanes_of, window_batches

if TYPE_CHECKING:
    from ecgclip.models import ECGTextModel, LocalEncoded, ModelConfig, Recordings

__all__ = ["WINDOWS", "PhraseScores", "joined", "reference_bank", "score_lists", "score_phrases"]

Floats = npt.NDArray[np.float32]
Vectors = tuple[Floats, Floats]

WINDOWS = ("max", "mean")


@dataclass(frozen=True, eq=False)
class PhraseScores:
    """Scores of every window with every phrase, one array a part of the model.

    Attributes:
        parts: the global cosine, then one score for each local readout; each ``(n_windows, n_phrases)``.
        owner: ``(n_windows,)`` position of each window's recording.
        count: recordings asked for.
        errors: why a recording could not be read, by position.
    """

    parts: tuple[Floats, ...]
    owner: npt.NDArray[np.int64]
    count: int
    errors: dict[int, str]

    def by_record(self, scores: Floats, window: str) -> Floats:
        """Bring scores of windows ``(n_windows, m)`` to recordings ``(count, m)`` by ``max`` or ``mean``.

        A recording without a window has NaN.

        Raises:
            UsageError: ``window`` is neither.
        """
        if window not in WINDOWS:
            raise UsageError(f"window must be 'max' or 'mean', got {window!r}")
        seen = np.bincount(self.owner, minlength=self.count)
        if window == "max":
            found = np.full((self.count, scores.shape[1]), -np.inf, dtype=np.float32)
            np.maximum.at(found, self.owner, scores)
        else:
            found = np.zeros((self.count, scores.shape[1]), dtype=np.float32)
            np.add.at(found, self.owner, scores)
            found /= np.maximum(seen, 1)[:, None]
        found[seen == 0] = np.nan
        return found


def joined(parts: tuple[Floats, ...], config: "ModelConfig") -> Floats:
    """Join the global and the local scores: each over its spread, by the weights saved with the model."""
    total = np.zeros_like(parts[0])
    for part, weight, spread in zip(parts, config.weights, config.spreads, strict=True):
        if weight:
            total += np.float32(weight / spread) * part
    return total


def score_phrases(
    model: "ECGTextModel",
    records: "Recordings",
    texts: list[str],
    *,
    batch_size: int = 64,
    on_error: str = "raise",
    all_parts: bool = False,
    vectors: Vectors | None = None,
) -> PhraseScores:
    """Score recordings against phrases, window by window.

    What else is asked changes no score: where texts compete for the local score, they are those of the model's
    reference bank (`reference_bank`), and each phrase is read at the prices that these leave.

    Args:
        model: the model.
        records: whatever stands for recordings.
        texts: the phrases.
        batch_size: windows computed at once.
        on_error: ``raise`` or ``mark``.
        all_parts: compute also the parts whose weight is zero.
        vectors: what ``model.text_vectors(texts)`` gives, where it is at hand; two ``(n_phrases, dim)``.
    """
    asked = [vectors if vectors is not None else model.text_vectors(texts)]
    return score_lists(model, records, asked, batch_size=batch_size, on_error=on_error, all_parts=all_parts)[
        0
    ]


def score_lists(
    model: "ECGTextModel",
    records: "Recordings",
    lists: Sequence[Vectors],
    *,
    batch_size: int = 64,
    on_error: str = "raise",
    all_parts: bool = False,
) -> list[PhraseScores]:
    """Score recordings against several lists of phrases: each window is embedded once, each list scored alone.

    Args:
        model: the model.
        records: whatever stands for recordings.
        lists: for each list, what ``model.text_vectors`` gives for its phrases; two ``(n_phrases, dim)``.
        batch_size: windows computed at once.
        on_error: ``raise`` or ``mark``.
        all_parts: compute also the parts whose weight is zero.
    """
    source = as_source(records, model.preprocessor)
    bank = reference_bank(model)
    errors: dict[int, str] = {}
    owner: list[npt.NDArray[np.int64]] = []
    weights = [1.0] * (1 + len(model.config.readouts)) if all_parts else list(model.config.weights)
    scored: list[list[list[Floats]]] = [[[] for _ in weights] for _ in lists]

    def score(part: WindowBatch) -> list[list[Floats]]:
        z, seen = embed_windows(model, part.batch)
        return [_window_scores(model, z, seen, vectors, bank, weights) for vectors in lists]

    batches = window_batches(source, batch_size=batch_size, on_error=on_error, errors=errors)
    for batch, found in in_lanes(score, batches, lanes_of(model)):
        owner.append(batch.owner)
        for parts, by_part in zip(scored, found, strict=True):
            for part, values in zip(parts, by_part, strict=True):
                part.append(values)
    owners = np.concatenate(owner) if owner else np.zeros(0, dtype=np.int64)
    return [
        PhraseScores(
            parts=tuple(_stacked(part, len(vectors[0])) for part in parts),
            owner=owners,
            count=len(source),
            errors=errors,
        )
        for vectors, parts in zip(lists, scored, strict=True)
    ]


def _window_scores(
    model: "ECGTextModel",
    z: Floats,
    seen: "LocalEncoded | None",
    vectors: Vectors,
    bank: torch.Tensor | None,
    weights: list[float],
) -> list[Floats]:
    """One batch of windows against one list of phrases: ``(n_windows, n_phrases)`` for each part of the model."""
    global_texts, local_texts = (torch.from_numpy(each) for each in vectors)
    # by torch: numpy's threads would wait for one another where batches run side by side
    found = [(torch.from_numpy(z) @ global_texts.T).numpy()]
    local = local_texts.to(model.device)
    for weight, readout in zip(weights[1:], model.config.readouts, strict=True):
        if weight and seen is not None:
            with torch.inference_mode():
                found.append(local_scores(seen, local, readout, bank=bank).cpu().numpy())
        else:
            found.append(np.zeros_like(found[0]))
    return found


def _stacked(batches: list[Floats], n_phrases: int) -> Floats:
    return np.concatenate(batches) if batches else np.zeros((0, n_phrases), dtype=np.float32)


def reference_bank(model: "ECGTextModel") -> torch.Tensor | None:
    """The findings that compete in the model's local scores: ``(n_bank, dim)`` unit vectors of the local space.

    Near-duplicates among them compete as one (``LocalReadout.merge``). None where nothing competes, or where the
    model knows no findings: then the phrases compete with one another.
    """
    if not any(readout.plan in COMPETITIVE for readout in model.config.readouts):
        return None
    texts = model.config.reference
    return torch.from_numpy(model.text_vectors(texts)[1]).to(model.device) if texts else None
