"""Validation without labels: does a finding that reports name find the recordings whose reports name it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from ecgclip.alignment import distinct
from ecgclip.corpora import Store
from ecgclip.evaluation import auroc, retrieval_table
from ecgclip.models import ECGTextModel, LocalReadout, StorePart, embed_recordings, join_statements
from ecgclip.prompts import joined, score_phrases

__all__ = ["ValidationSet", "settle_readouts", "validate"]

_MINIMUM = 5  # reports that must name a finding, and that must not
MOST_RETRIEVED = 2000
"""Recordings among which reports are looked for; a larger validation part is sampled, once for all epochs."""
_SHARES = (0.0, 0.25, 0.5, 0.75)


@dataclass(frozen=True, eq=False)
class ValidationSet:
    """The validation part, ready to be asked.

    Attributes:
        part: the recordings.
        reports: the statements of each report, joined.
        findings: statements that enough reports name.
        says: ``(n, n_findings)`` bool.
    """

    part: StorePart
    reports: list[str]
    findings: list[str]
    says: npt.NDArray[np.bool_]

    @classmethod
    def of(
        cls, store: Store, rows: npt.NDArray[np.int64], lists: Sequence[tuple[str, ...]]
    ) -> "ValidationSet":
        """Build from the statements of the part's reports."""
        names = sorted({text for row in lists for text in row})
        place = {name: k for k, name in enumerate(names)}
        says = np.zeros((len(lists), len(names)), dtype=bool)
        for k, row in enumerate(lists):
            says[k, [place[text] for text in row]] = True
        positives = says.sum(0)
        keep = (positives >= _MINIMUM) & (positives <= len(lists) - _MINIMUM)
        findings = [name for name, kept in zip(names, keep, strict=True) if kept]
        return cls(StorePart(store, rows), [join_statements(row) for row in lists], findings, says[:, keep])


def validate(model: ECGTextModel, held: ValidationSet) -> dict[str, float]:
    """Figures of the validation part; none of them uses a label.

    ``findings`` is the mean AUROC with which a finding of the reports finds the recordings whose reports name
    it, by the joined score: the figure that chooses the checkpoint. The others are retrieval of whole reports.
    """
    z = embed_recordings(model, held.part, batch_size=128, on_error="raise").mean_global()
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    figures: dict[str, float] = {}
    named = _sample([k for k, text in enumerate(held.reports) if text])
    if len(named) > 1:
        texts = [held.reports[k] for k in named]
        table = retrieval_table(z[named], model.text_vectors(texts)[0], texts)
        for direction, row in table.iterrows():
            short = str(direction).replace(" ", "_")
            figures[f"{short}_recall_10"] = float(row["recall@10"])
            figures[f"{short}_median_rank"] = float(row["median_rank"])
    figures["findings"] = _findings_auroc(model, held)[0]
    return figures


def _sample(rows: list[int]) -> list[int]:
    """At most ``MOST_RETRIEVED`` of the rows, the same ones every time: retrieval is quadratic in their number."""
    if len(rows) <= MOST_RETRIEVED:
        return rows
    chosen = np.random.default_rng(0).choice(len(rows), MOST_RETRIEVED, replace=False)
    return [rows[k] for k in np.sort(chosen)]


def _findings_auroc(model: ECGTextModel, held: ValidationSet) -> tuple[float, float]:
    """Mean AUROC of the findings by the joined score, and the spread of that score over recordings."""
    if not held.findings:
        return 0.0, 1.0
    found = score_phrases(model, held.part, held.findings)
    scores = found.by_record(joined(found.parts, model.config), "max")
    return float(np.mean(auroc(scores, held.says))), float(scores.std(axis=0).mean())


def settle_readouts(
    model: ECGTextModel, held: ValidationSet, readouts: tuple[LocalReadout, ...]
) -> dict[float, float]:
    """Save with the model how its local scores join the global one, chosen on the reports of validation.

    The bank that its texts compete in is kept too: the commonest training findings that the model tells apart.
    The spreads are those of each score over the recordings; the weight of the local scores is the one of
    ``0, 1/4, 1/2, 3/4`` with the highest mean AUROC of the findings, no label being used.

    Returns:
        That mean AUROC for each weight tried.
    """
    if not held.findings:
        shares, spreads = _weights(0.0, len(readouts)), (0.1,) * (len(readouts) + 1)
        model.config = replace(model.config, readouts=readouts, weights=shares, spreads=spreads, center=0.0)
        return {}
    count = len(readouts)
    even = (1.0,) * (count + 1)
    model.config = replace(model.config, readouts=readouts, weights=even, spreads=even, bank=())
    model.config = replace(model.config, bank=_distinct_bank(model, readouts))
    found = score_phrases(model, held.part, held.findings, all_parts=True)
    parts = tuple(found.by_record(part, "max") for part in found.parts)
    spreads = tuple(float(max(1e-4, part.std(axis=0).mean())) for part in parts)
    tried: dict[float, float] = {}
    for share in _SHARES if readouts else (0.0,):
        config = replace(model.config, weights=_weights(share, count), spreads=spreads)
        tried[share] = float(np.mean(auroc(joined(parts, config), held.says)))
    best = max(tried, key=lambda share: (round(tried[share], 4), share))
    model.config = replace(model.config, weights=_weights(best, count), spreads=spreads)
    scores = joined(parts, model.config)
    scatter = float(max(1e-3, scores.std()))
    model.config = replace(model.config, center=float(scores.mean()), scatter=scatter)
    return tried


def _distinct_bank(model: ECGTextModel, readouts: tuple[LocalReadout, ...]) -> tuple[str, ...]:
    """The commonest training findings, near-duplicates left to the commoner one."""
    texts, merge = model.config.reference, max((readout.merge for readout in readouts), default=1.0)
    if not texts:
        return ()
    kept = distinct(torch.from_numpy(model.text_vectors(texts)[1]), merge).tolist()
    return tuple(text for text, keep in zip(texts, kept, strict=True) if keep)


def _weights(share: float, count: int) -> tuple[float, ...]:
    """Weight of the global score and of each of ``count`` local ones, which have ``share`` together."""
    return (1.0 - share, *[share / max(1, count)] * count)
