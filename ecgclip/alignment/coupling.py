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

from dataclasses import dataclass

import torch
from torch import Tensor

from ecgclip.errors import unknown_name

from .sinkhorn_scaling import KERNEL_RANGE, kernel_sweeps, log_weights, potential, sweeps

__all__ = ["COMPETITIVE", "PLANS", "Coupling", "couple"]

PLANS = ("transport", "attention", "maxsim", "logsumexp", "softmax", "uniform")
COMPETITIVE = ("transport", "softmax")  # plans in which a text's share hangs on the other texts


@dataclass(frozen=True, kw_only=True, eq=False)
class Coupling:
    """A plan and the scores that it gives each text.

    Attributes:
        plan: ``(B, N, M)`` non-negative, zero at masked tokens; the dustbin is not among the texts.
        similarity: ``(B, M)`` mean similarity of the text's tokens under the plan.
        log_mass: ``(B, M)`` log of the text's mass over its prior; zero where the texts' marginal is held.
        potential: ``(B, M)`` minus the text's dual potential, in units of the cost: the soft minimum of cost less
            price over the tokens, turned round; zero where the texts' marginal is forgotten.
    """

    plan: Tensor
    similarity: Tensor
    log_mass: Tensor
    potential: Tensor


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
            against = similarity if reference is None else reference.to(similarity.dtype)
            powers = (_power(reg_m_signal, reg), _power(reg_m, reg) if plan == "transport" else 0.0)
            measure = _Measure.of(against, competing, reg, (dustbin, dustbin_cost))
            log_a = _log_uniform(present, similarity)
            count = iterations if plan == "transport" else 0
            prices = _prices(measure, log_a, powers, count, KERNEL_RANGE * reg >= max(2.0, dustbin_cost))
            found = _read(similarity, log_a + prices, reg, powers[1], measure.share)
        else:
            found = _per_text(similarity, present, plan, reg)
    return Coupling(
        plan=found.plan * there[:, :, None],
        similarity=found.similarity * there,
        log_mass=found.log_mass * there,
        potential=found.potential * there,
    )


def _power(reg_m: float | None, reg: float) -> float:
    """Exponent of a side's update: 1 holds its marginal, 0 forgets it."""
    return 1.0 if reg_m is None else reg_m / (reg_m + reg)


def _log_uniform(mask: Tensor, like: Tensor) -> Tensor:
    """Log of equal weights on the tokens present, finite elsewhere."""
    return log_weights(mask.to(like.dtype) / mask.sum(1, keepdim=True))


@dataclass(frozen=True, eq=False)
class _Measure:
    """The texts that compete and the dustbin, which is last: cost over reg, log weights, one text's weight."""

    scaled: Tensor
    log_b: Tensor
    share: Tensor

    @classmethod
    def of(
        cls, similarity: Tensor, competing: Tensor | None, reg: float, none: tuple[float, float]
    ) -> "_Measure":
        dustbin, dustbin_cost = none
        batch, _, texts = similarity.shape
        if competing is None:
            competing = torch.ones(texts, dtype=torch.bool, device=similarity.device)
        weights = competing.to(similarity.dtype).expand(batch, texts)
        share = max(1.0 - dustbin, 1e-9) / weights.sum(1, keepdim=True).clamp(min=1.0)
        rest = torch.full_like(share, max(dustbin, 1e-9))
        cost = torch.cat([1.0 - similarity, torch.full_like(similarity[:, :, :1], dustbin_cost)], dim=2)
        return cls(cost / reg, log_weights(torch.cat([weights * share, rest], dim=1)), share)


def _prices(
    measure: _Measure, log_a: Tensor, powers: tuple[float, float], iterations: int, by_kernel: bool
) -> Tensor:
    """The tokens' potential ``(B, N)`` in units of reg."""
    if powers[0] == 0.0:
        return torch.zeros_like(log_a)
    start = potential(measure.log_b, -measure.scaled, powers[0], 2)
    if iterations == 0:
        return start
    solve = kernel_sweeps if by_kernel else sweeps
    return solve(measure.scaled, (log_a, measure.log_b), powers, start, iterations)[0]


def _read(similarity: Tensor, log_price: Tensor, reg: float, beta: float, share: Tensor) -> Coupling:
    """Columns of texts at given prices; their own potential is the optimum in closed form."""
    exponent = log_price[:, :, None] + (similarity - 1.0) / reg
    column = exponent.softmax(dim=1)
    total = exponent.logsumexp(dim=1)
    log_mass = (1.0 - beta) * total
    return Coupling(
        plan=column * (share * log_mass.exp())[:, None, :],
        similarity=(column * similarity).sum(1),
        log_mass=log_mass,
        potential=beta * reg * total,
    )


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
    return Coupling(plan=share / texts, similarity=mean, log_mass=mass, potential=reg * (mass - 1.0 / reg))
