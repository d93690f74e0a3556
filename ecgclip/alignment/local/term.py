"""The local alignment term: moments or beats of every recording against statements or whole reports."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ecgclip.alignment.batch import AlignmentBatch
from ecgclip.alignment.blocks import in_blocks
from ecgclip.alignment.terms import multi_positive
from ecgclip.errors import UsageError, unknown_name
from ecgclip.models import LocalEncoded, LocalReadout

from .coupling import COMPETITIVE, Coupling, Relaxation, TextScores, couple, couple_sets
from .measure import distinct
from .reports import ReportTexts

__all__ = ["MODES", "READ_ITERATIONS", "LocalAlignment", "local_coupling", "local_scores"]

MODES = ("contrastive", "matched")
READ_ITERATIONS = 50  # without a gradient the prices are brought close to their optimum
_TENSORS = 8  # of the size of the similarities, held at once for the way back


def local_tokens(local: LocalEncoded, scale: str) -> tuple[Tensor, Tensor]:
    """Return the tokens ``(batch, n, dim)`` and mask ``(batch, n)`` of a scale, ``token`` or ``beat``.

    Padding beyond the last token of the longest recording is cut off.
    """
    if scale == "beat":
        tokens, mask = local.beats, local.beat_mask
    elif scale == "token":
        tokens, mask = local.tokens, local.token_mask
    else:
        raise unknown_name("local scale", scale, ("token", "beat"))
    present = mask.any(0).nonzero()
    longest = int(present[-1]) + 1 if len(present) else min(1, mask.shape[1])
    return tokens[:, :longest], mask[:, :longest]


def local_coupling(
    local: LocalEncoded,
    texts: Tensor,
    readout: LocalReadout,
    *,
    bank: Tensor | None = None,
    iterations: int = READ_ITERATIONS,
) -> Coupling:
    """Couple every recording's tokens with every text; the plan is over the tokens of `local_tokens`.

    Where texts compete and a bank is given, the bank sets the tokens' prices and each text is read at these: what
    else is asked changes nothing. Without one the texts compete with one another, near-duplicates as one.

    Args:
        local: moments and beats.
        texts: ``(n_texts, dim)`` unit vectors of the local space.
        readout: the scale, the plan and the score.
        bank: ``(n_bank, dim)`` unit vectors of the findings that compete.
        iterations: of transport.
    """
    tokens, mask = local_tokens(local, readout.scale)
    return _couple(tokens, mask, texts, readout, bank, iterations)


def _couple(
    tokens: Tensor,
    mask: Tensor,
    texts: Tensor,
    readout: LocalReadout,
    bank: Tensor | None,
    iterations: int,
    aside: Tensor | None = None,
) -> Coupling:
    measure = texts if bank is None else bank
    shared = bank is None or readout.plan not in COMPETITIVE
    return _couple_similarity(
        torch.einsum("bnd,md->bnm", tokens, texts),
        mask,
        readout,
        iterations,
        distinct(measure, readout.merge, aside if bank is None else None),
        None if shared else torch.einsum("bnd,md->bnm", tokens, measure),
    )


def _couple_similarity(
    similarity: Tensor,
    mask: Tensor,
    readout: LocalReadout,
    iterations: int,
    competing: Tensor | None,
    reference: Tensor | None = None,
) -> Coupling:
    return couple(
        similarity,
        mask,
        plan=readout.plan,
        reg=readout.reg,
        reg_m=readout.reg_m,
        reg_m_signal=readout.reg_m_signal,
        dustbin=readout.dustbin,
        dustbin_cost=readout.dustbin_cost,
        iterations=iterations,
        competing=competing,
        reference=reference,
    )


def read_score(found: TextScores, readout: LocalReadout) -> Tensor:
    """The score of each text that a readout asks for, in units of the similarity.

    Raises:
        UsageError: an unknown score.
    """
    if readout.score == "similarity":
        return found.similarity
    if readout.score == "mass":
        return found.log_mass * readout.reg
    if readout.score == "potential":
        return found.potential
    raise unknown_name("local score", readout.score, ("similarity", "mass", "potential"))


def local_scores(
    local: LocalEncoded,
    texts: Tensor,
    readout: LocalReadout,
    *,
    bank: Tensor | None = None,
    aside: Tensor | None = None,
    iterations: int = READ_ITERATIONS,
    chunk_mib: float = 256.0,
) -> Tensor:
    """Score every text against every recording: ``(batch, n_texts)``.

    Args:
        local: moments and beats.
        texts: ``(n_texts, dim)`` unit vectors of the local space.
        readout: the scale, the plan and the score.
        bank: ``(n_bank, dim)`` findings that compete, as in `local_coupling`.
        aside: ``(n_texts,)`` bool, texts that compete with nobody and are read at the others' prices.
        iterations: of transport.
        chunk_mib: memory for what lies between tokens and scores; recordings beyond it are taken in turn.
    """
    tokens, mask = local_tokens(local, readout.scale)
    widest = len(texts) + 1 + (0 if bank is None else len(bank))

    def block(rows: slice, columns: slice) -> Tensor:
        return read_score(_couple(tokens[rows], mask[rows], texts, readout, bank, iterations, aside), readout)

    recordings = _room(tokens, widest, chunk_mib)
    return in_blocks(block, (len(tokens), len(texts)), recordings * len(texts))


def _room(tokens: Tensor, columns: int, chunk_mib: float) -> int:
    """How many problems of so many columns fit, at least one."""
    size = tokens.element_size() * _TENSORS * tokens.shape[1] * columns
    return max(1, int(chunk_mib * 2**20 / max(1, size)))


def report_scores(
    local: LocalEncoded,
    reports: ReportTexts,
    readout: LocalReadout,
    *,
    iterations: int,
    chunk_mib: float,
    own: Tensor | None = None,
) -> Tensor:
    """Score every report against every recording, each report's statements competing with one another.

    The score of a report is the mean of its statements' scores: with ``similarity`` one minus the cost of what its
    texts receive, by unit of mass.

    Args:
        local: moments and beats.
        reports: distinct reports.
        readout: the scale, the plan and the score.
        iterations: of transport.
        chunk_mib: memory for what lies between tokens and scores; recordings and reports beyond it in turn.
        own: ``(batch,)`` the one report to score for each recording; None for all.

    Returns:
        ``(batch, n_reports)``, or ``(batch, 1)`` with ``own``.
    """
    tokens, mask = local_tokens(local, readout.scale)
    competing, texts = reports.competing(readout.merge), len(reports.vectors)

    def block(rows: slice, columns: slice) -> Tensor:
        similarity = torch.einsum("bnd,md->bnm", tokens[rows], reports.vectors)
        if own is not None:
            says, rivals = reports.says[own[rows]], competing[own[rows]]
            found = _couple_similarity(similarity, mask[rows], readout, iterations, rivals)
            return _mean(read_score(found, readout), says)
        says, rivals = reports.says[columns], competing[columns]
        if readout.plan not in COMPETITIVE:
            found = _couple_similarity(similarity, mask[rows], readout, iterations, None)
            return read_score(found, readout) @ _averages(says, similarity)
        each = couple_sets(
            similarity,
            mask[rows],
            says,
            rivals,
            relaxed=Relaxation(
                readout.reg, readout.reg_m if readout.plan == "transport" else 0.0, readout.reg_m_signal
            ),
            none=(readout.dustbin, readout.dustbin_cost),
            iterations=iterations if readout.plan == "transport" else 0,
        )
        which, text = says.nonzero(as_tuple=True)
        scores = read_score(each, readout) * _averages(says, similarity)[text, which]
        return scores.new_zeros(len(scores), len(says)).index_add(1, which, scores)

    if own is not None:
        return in_blocks(block, (len(tokens), 1), _room(tokens, texts, chunk_mib))
    # a pair of recording and report holds prices and potentials of every iteration, and its part of the kernel
    size = tokens.element_size() * ((2 * iterations + 4) * tokens.shape[1] + 6 * texts)
    return in_blocks(block, (len(tokens), len(reports.says)), int(chunk_mib * 2**20 / size))


def _averages(says: Tensor, like: Tensor) -> Tensor:
    """``(n_statements, n_reports)`` weights that take the mean over each report's statements."""
    weight = says.to(like.dtype)
    return (weight / weight.sum(1, keepdim=True).clamp(min=1.0)).T


def _mean(scores: Tensor, says: Tensor) -> Tensor:
    """Mean ``(batch, 1)`` of the scores of what each recording says."""
    weight = says.to(scores.dtype)
    return (scores * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp(min=1.0)


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
