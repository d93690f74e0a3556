"""The local alignment term: moments or beats of every recording against statements or whole reports."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ecgclip.alignment.batch import AlignmentBatch
from ecgclip.alignment.terms import multi_positive
from ecgclip.errors import UsageError, unknown_name
from ecgclip.models import LocalEncoded, LocalReadout

from .reports import ReportTexts
from .scoring import local_scores, report_scores

__all__ = ["MODES", "LocalAlignment"]

MODES = ("contrastive", "matched")


@dataclass(frozen=True)
class LocalAlignment:
    """Local scores, in contrast or on matched pairs.

    Which texts compete for a recording's tokens is the readout's ``text_measure``: the statements of one report,
    those of the batch, or the bank. ``contrastive`` tells pairs from other pairs, both ways: recordings against
    distinct statements, or with the measure ``report`` against distinct reports. ``matched`` looks at no other
    recording: with ``report`` it lowers the cost of each recording with its own report, and something else must hold
    the space apart; with the others each recording tells its own statements from the rest.

    Attributes:
        readout: scale, plan, score and measure; the same are read out in zero-shot.
        mode: ``contrastive`` or ``matched``.
        iterations: of transport, unrolled.
        chunk_mib: memory for what lies between tokens and scores.
    """

    readout: LocalReadout
    mode: str = "contrastive"
    iterations: int = 5
    chunk_mib: float = 256.0

    @property
    def name(self) -> str:
        """Name in the log."""
        return f"local_{self.readout.scale}_{self.readout.plan}"

    @property
    def needs(self) -> frozenset[str]:
        """What of a batch it looks at."""
        bank = ("local_bank",) if self.readout.text_measure == "bank" else ()
        return frozenset(("statements", "local", *bank))

    def __call__(self, batch: AlignmentBatch) -> Tensor:
        """Return the loss of ``batch``.

        Raises:
            UsageError: the model has no local branch, or an unknown mode or measure.
        """
        if self.mode not in MODES:
            raise unknown_name("mode of a local term", self.mode, MODES)
        if batch.local is None:
            raise UsageError("objective: a local term needs model.local in the recipe, and it is null there")
        if batch.local_statements.shape[0] == 0:
            return batch.local.beats.sum() * 0.0
        with torch.autocast(device_type=batch.signal.device.type, enabled=False):
            return self._loss(batch, batch.local)

    def _loss(self, batch: AlignmentBatch, local: LocalEncoded) -> Tensor:
        if self.readout.text_measure == "report":
            return self._reports(batch, local)
        if self.readout.text_measure not in ("batch", "bank"):
            raise unknown_name("text measure", self.readout.text_measure, ("report", "batch", "bank"))
        bank = self._bank(batch) if self.readout.text_measure == "bank" else None
        scores = local_scores(
            local,
            batch.local_statements,
            self.readout,
            bank=bank,
            aside=batch.derived,
            iterations=self.iterations,
            chunk_mib=self.chunk_mib,
        )
        logits, says = batch.local_scale * scores[batch.has_text], batch.says[batch.has_text]
        rows = multi_positive(logits, says)
        return rows if self.mode == "matched" else 0.5 * (rows + multi_positive(logits.T, says.T))

    def _bank(self, batch: AlignmentBatch) -> Tensor:
        if batch.local_bank is None:
            raise UsageError("objective: the text measure 'bank' needs the bank's findings in the batch")
        return batch.local_bank

    def _reports(self, batch: AlignmentBatch, local: LocalEncoded) -> Tensor:
        said = batch.says if batch.derived is None else batch.says & ~batch.derived
        reports, mine = ReportTexts.of(batch.local_statements, said)
        scores = report_scores(
            local,
            reports,
            self.readout,
            iterations=self.iterations,
            chunk_mib=self.chunk_mib,
            own=mine if self.mode == "matched" else None,
        )
        keep = batch.has_text & batch.says.any(1)
        if self.mode == "matched":
            weight = keep.to(scores.dtype)
            return ((1.0 - scores[:, 0]) * weight).sum() / weight.sum().clamp(min=1.0)
        said = torch.zeros_like(scores, dtype=torch.bool).scatter(1, mine[:, None], True)[keep]
        used = said.any(0)
        logits, said = batch.local_scale * scores[keep][:, used], said[:, used]
        return 0.5 * (multi_positive(logits, said) + multi_positive(logits.T, said.T))
