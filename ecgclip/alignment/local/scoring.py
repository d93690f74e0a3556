"""Reading tokens against texts: the coupling, and the scores of statements and of whole reports, in bounded memory."""

import torch
from torch import Tensor

from ecgclip.alignment.blocks import in_blocks
from ecgclip.errors import unknown_name
from ecgclip.models import LocalEncoded, LocalReadout

from .coupling import COMPETITIVE, Coupling, Relaxation, TextScores, couple, couple_sets
from .measure import distinct
from .reports import ReportTexts

__all__ = ["READ_ITERATIONS", "local_coupling", "local_scores", "local_tokens", "read_score", "report_scores"]

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
