"""The local alignment term: moments or beats of every recording against every statement of the batch."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ecgclip.errors import UsageError, unknown_name
from ecgclip.models import LocalEncoded, LocalReadout

from .batch import AlignmentBatch
from .coupling import couple
from .infonce import multi_positive

__all__ = ["LocalAlignment", "local_scores"]


def local_tokens(local: LocalEncoded, scale: str) -> tuple[Tensor, Tensor]:
    """Return the tokens ``(batch, n, dim)`` and mask ``(batch, n)`` of a scale, ``token`` or ``beat``."""
    if scale == "beat":
        return local.beats, local.beat_mask
    if scale == "token":
        return local.tokens, local.token_mask
    raise unknown_name("local scale", scale, ("token", "beat"))


def local_scores(local: LocalEncoded, texts: Tensor, readout: LocalReadout) -> Tensor:
    """Score every text against every recording: ``(batch, n_texts)``.

    Args:
        local: moments and beats.
        texts: ``(n_texts, dim)`` unit vectors of the local space.
        readout: the scale, the plan and the score.
    """
    tokens, mask = local_tokens(local, readout.scale)
    similarity = torch.einsum("bnd,md->bnm", tokens, texts)
    found = couple(
        similarity,
        mask,
        plan=readout.plan,
        reg=readout.reg,
        reg_m=readout.reg_m,
        dustbin=readout.dustbin,
        dustbin_cost=readout.dustbin_cost,
    )
    return found.log_mass * readout.reg if readout.score == "mass" else found.similarity


@dataclass(frozen=True)
class LocalAlignment:
    """Contrast of local scores: every recording with every distinct statement, several positives both ways.

    Attributes:
        readout: scale, plan and score; the same are read out in zero-shot.
    """

    readout: LocalReadout

    @property
    def name(self) -> str:
        """Name in the log."""
        return f"local_{self.readout.scale}_{self.readout.plan}"

    def __call__(self, batch: AlignmentBatch) -> Tensor:
        """Return the mean of the two directions for ``batch``.

        Raises:
            UsageError: the model has no local branch.
        """
        if batch.local is None:
            raise UsageError("objective: a local term needs model.local in the recipe, and it is null there")
        if batch.local_statements.shape[0] == 0:
            return batch.local.beats.sum() * 0.0
        scores = local_scores(batch.local, batch.local_statements, self.readout)[batch.has_text]
        logits = batch.local_scale * scores
        says = batch.says[batch.has_text]
        return 0.5 * (multi_positive(logits, says) + multi_positive(logits.T, says.T))
