"""How the moments or beats of a recording are shared out among texts: transport and its controls.

Every coupling is read in one way: text j lays its mass over the tokens i by

    share_ij = softmax_i (log a_i + F_i + S_ij / reg)

with a the tokens' weights, S the similarity and F the tokens' prices. Attention has no prices. In transport they are
the potential of the tokens in the optimum against the texts that compete and a dustbin (`sinkhorn`): a token that
explains one text well is dear for the others. Of a text among those that compete, this column is the column of the
optimum; any other text is read at the same prices, as if it were one more text of no mass, and changes nothing for
anybody else.

Legend: B recordings, N tokens, M texts, K texts that compete.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ecgclip.alignment.sinkhorn import Measures, kernel_of, token_weights
from ecgclip.errors import unknown_name

__all__ = ["COMPETITIVE", "PLANS", "Coupling", "Relaxation", "TextScores", "couple", "couple_sets"]

PLANS = ("transport", "attention", "maxsim", "logsumexp", "softmax", "uniform")
COMPETITIVE = ("transport", "softmax")  # plans in which a text's share hangs on the other texts


Lay = Callable[[], Tensor]


@dataclass(frozen=True, kw_only=True, eq=False)
class TextScores:
    """The scores that a plan gives each text.

    Attributes:
        similarity: ``(B, M)`` mean similarity of the text's tokens under the plan.
        log_mass: ``(B, M)`` log of the text's mass over its prior; zero where the texts' marginal is held.
        potential: ``(B, M)`` minus the text's dual potential, in units of the cost: the soft minimum of cost less
            price over the tokens, turned round; zero where the texts' marginal is forgotten.
    """

    similarity: Tensor
    log_mass: Tensor
    potential: Tensor

    def where(self, there: Tensor) -> "TextScores":
        """The same, zero where ``there (B, 1)`` is."""
        return TextScores(
            similarity=self.similarity * there,
            log_mass=self.log_mass * there,
            potential=self.potential * there,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Coupling(TextScores):
    """A plan with its scores.

    Attributes:
        lay: computes ``plan``.
    """

    lay: Lay

    @property
    def plan(self) -> Tensor:
        """``(B, N, M)`` non-negative, zero at masked tokens; the dustbin is not among the texts."""
        return self.lay()


def couple(
    similarity: Tensor,
    mask: Tensor,
    *,
    plan: str,
    reg: float,
    reg_m: float | None = None,
    reg_m_signal: float | None = None,
    dustbin: float = 0.5,
    dustbin_cost: float = 1.0,
    iterations: int = 5,
    competing: Tensor | None = None,
    reference: Tensor | None = None,
) -> Coupling:
    """Couple tokens with texts.

    ``attention``: each text spreads its mass over the tokens by ``softmax(similarity / reg)``; transport that holds
    the texts' marginal and forgets the tokens' (``reg_m`` None, ``reg_m_signal`` 0). ``uniform`` and ``maxsim`` are
    its limits for large and small ``reg``. ``softmax``: each token spreads its mass over the texts and the dustbin;
    transport that forgets the texts' marginal (``reg_m`` 0). ``transport``: each marginal is relaxed by its ``reg_m``
    times its KL divergence, or held (Chizat et al. 2018, section 3). ``logsumexp``: mass without any competition.

    Args:
        similarity: ``(B, N, M)`` cosines; the cost is one minus them.
        mask: ``(B, N)`` bool, tokens that are present; a recording without one couples with nothing.
        plan: one of ``PLANS``.
        reg: entropic regularisation on that cost.
        reg_m: relaxation of the texts' marginal; None holds it.
        reg_m_signal: relaxation of the tokens' marginal; None holds it.
        dustbin: mass of the text that stands for nothing.
        dustbin_cost: cost of sending a token there.
        iterations: unrolled scaling iterations of ``transport``.
        competing: ``(K,)`` or ``(B, K)`` bool, which texts compete, with equal masses; None for all. The others are
            read at the prices that those leave.
        reference: ``(B, N, K)`` cosines with the texts that compete, where those are not the texts asked for.

    Raises:
        UsageError: an unknown plan.
    """
    if plan not in PLANS:
        raise unknown_name("plan", plan, PLANS)
    if similarity.dtype != torch.float64:
        similarity = similarity.float()
    with torch.autocast(device_type=similarity.device.type, enabled=False):
        empty = ~mask.any(1, keepdim=True)
        there, present = (~empty).to(similarity.dtype), mask | empty
        if plan in COMPETITIVE:
            relaxed = Relaxation(reg, reg_m if plan == "transport" else 0.0, reg_m_signal)
            kernel = kernel_of(similarity, reg)
            against = kernel if reference is None else kernel_of(reference.to(similarity.dtype), reg)
            measures = _one_measure(against, competing, (dustbin, dustbin_cost / reg))
            count = iterations if plan == "transport" else 0
            weights = token_weights(against, _uniform(present, similarity), measures, relaxed.powers, count)
            found = _read(similarity, kernel, weights, relaxed, _share(competing, against, dustbin))
        else:
            found = _per_text(similarity, present, plan, reg)
    return Coupling(**vars(found.where(there)), lay=lambda: found.plan * there[:, :, None])


@dataclass(frozen=True)
class Relaxation:
    """Entropic regularisation and relaxation of the texts' and of the tokens' marginal."""

    reg: float
    reg_m: float | None
    reg_m_signal: float | None

    @property
    def powers(self) -> tuple[float, float]:
        """Exponents of the tokens' and the texts' update: 1 holds a marginal, 0 forgets it."""
        tokens, texts = (1.0 if r is None else r / (r + self.reg) for r in (self.reg_m_signal, self.reg_m))
        return tokens, texts


def couple_sets(
    similarity: Tensor,
    mask: Tensor,
    members: Tensor,
    competing: Tensor,
    *,
    relaxed: Relaxation,
    none: tuple[float, float],
    iterations: int,
) -> TextScores:
    """Transport of every recording against each of R sets of texts by itself, a dustbin in each.

    Args:
        similarity: ``(B, N, M)`` cosines.
        mask: ``(B, N)`` bool.
        members: ``(R, M)`` bool, the texts that are read in each set.
        competing: ``(R, M)`` bool, those of them that compete, with equal masses.
        relaxed: of both marginals.
        none: mass and cost of the dustbin.
        iterations: unrolled.

    Returns:
        Scores ``(B, T)`` of the T members of all sets, in the order of ``members.nonzero()``; no plan.
    """
    with torch.autocast(device_type=similarity.device.type, enabled=False):
        kernel = kernel_of(similarity, relaxed.reg)
        share = max(1.0 - none[0], 1e-9) / competing.sum(1, keepdim=True).clamp(min=1)
        slots = members.flatten().nonzero()[:, 0]
        shares = (competing * share).to(kernel.dtype)[None]
        measures = Measures(shares, max(none[0], 1e-9), none[1] / relaxed.reg, slots)
        there = mask.any(1, keepdim=True)
        a = _uniform(mask | ~there, similarity)
        weights = token_weights(kernel, a, measures, relaxed.powers, iterations)
        total = measures.pick(torch.bmm(weights, kernel))
        mean = measures.pick(torch.bmm(weights, kernel * similarity)) / total
        return _scores(total, mean, relaxed, similarity).where(there)


def _scores(total: Tensor, mean: Tensor, relaxed: Relaxation, like: Tensor) -> TextScores:
    """Scores of texts from the sum over tokens of kernel and price."""
    beta, log_total = relaxed.powers[1], total.log()
    return TextScores(
        similarity=mean.to(like.dtype),
        log_mass=(1.0 - beta) * log_total.to(like.dtype),
        potential=beta * relaxed.reg * log_total.to(like.dtype),
    )


def _uniform(mask: Tensor, like: Tensor) -> Tensor:
    """Equal weights on the tokens present."""
    return mask.to(like.dtype) / mask.sum(1, keepdim=True)


def _share(competing: Tensor | None, kernel: Tensor, dustbin: float) -> Tensor:
    """Mass of one text ``(B or 1, 1)``."""
    if competing is None:
        count = kernel.new_full((1, 1), max(1, kernel.shape[2]))
    else:
        count = competing.view(-1, kernel.shape[2]).sum(1, keepdim=True).clamp(min=1).to(kernel.dtype)
    return max(1.0 - dustbin, 1e-9) / count


def _one_measure(kernel: Tensor, competing: Tensor | None, none: tuple[float, float]) -> Measures:
    """The texts that compete, with equal masses, and the dustbin (its mass, its cost over reg)."""
    share = _share(competing, kernel, none[0])
    texts = kernel.shape[2]
    if competing is None:
        competing = torch.ones(1, texts, dtype=torch.bool, device=kernel.device)
    weights = competing.view(-1, texts).to(kernel.dtype) * share
    return Measures(weights[:, None], max(none[0], 1e-9), none[1])


def _read(
    similarity: Tensor, kernel: Tensor, weights: Tensor, relaxed: Relaxation, share: Tensor
) -> Coupling:
    """Columns of texts at given prices ``(B, 1, N)``; their own potential is the optimum in closed form."""
    total = torch.bmm(weights, kernel)[:, 0]
    mean = torch.bmm(weights, kernel * similarity)[:, 0] / total

    def lay() -> Tensor:
        mass = share * total.pow(1.0 - relaxed.powers[1])
        return (weights.transpose(1, 2) * kernel * (mass / total)[:, None, :]).to(similarity.dtype)

    return Coupling(**vars(_scores(total, mean, relaxed, similarity)), lay=lay)


def _per_text(similarity: Tensor, mask: Tensor, plan: str, reg: float) -> Coupling:
    """Each text looks at the tokens for itself, with the same mass ``1 / M``."""
    texts, count = max(1, similarity.shape[2]), mask.sum(1)
    scores = similarity.masked_fill(~mask[:, :, None], -torch.inf)
    if plan == "uniform":
        share = (mask / count[:, None])[:, :, None].to(similarity.dtype).expand_as(similarity)
    elif plan == "maxsim":
        share = torch.zeros_like(similarity).scatter(1, scores.argmax(1, keepdim=True), 1.0)
    else:
        share = (scores / reg).softmax(dim=1)
    mean = (share * similarity).sum(1)
    mass = (scores / reg).logsumexp(dim=1) - count[:, None].to(similarity.dtype).log()
    return Coupling(
        similarity=mean, log_mass=mass, potential=reg * (mass - 1.0 / reg), lay=lambda: share / texts
    )
