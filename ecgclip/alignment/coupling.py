"""How the moments or beats of a recording are shared out among texts: transport and its controls.

Legend: B recordings, N tokens, M texts.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ecgclip.errors import unknown_name

__all__ = ["PLANS", "Coupling", "couple"]

PLANS = ("transport", "attention", "maxsim", "logsumexp", "softmax", "uniform")


@dataclass(frozen=True, kw_only=True, eq=False)
class Coupling:
    """A plan and the score that it gives each text.

    Attributes:
        plan: ``(B, N, M)`` non-negative, zero at masked tokens; the dustbin is not among the texts.
        similarity: ``(B, M)`` mean similarity of the text's tokens under the plan.
        log_mass: ``(B, M)`` log of the text's mass over its prior.
    """

    plan: Tensor
    similarity: Tensor
    log_mass: Tensor


def couple(
    similarity: Tensor,
    mask: Tensor,
    *,
    plan: str,
    reg: float,
    reg_m: float | None = None,
    dustbin: float = 0.5,
    dustbin_cost: float = 1.0,
    iterations: int = 5,
) -> Coupling:
    """Couple tokens with texts.

    ``attention``: each text spreads its mass over the tokens by ``softmax(similarity / reg)``; it is the
    limit of transport that holds the texts' marginal and frees the tokens'. ``uniform`` and ``maxsim`` are
    its limits for large and small ``reg``. ``softmax``: each token spreads its mass over the texts and the
    dustbin; the limit that frees the texts' marginal. ``transport``: the tokens' marginal is held, the
    texts' is relaxed by ``reg_m`` times its KL divergence (Chizat et al. 2018, section 3). ``logsumexp``: mass
    without any competition.

    Args:
        similarity: ``(B, N, M)`` cosines; the cost is one minus them.
        mask: ``(B, N)`` bool, tokens that are present; a recording without one couples with nothing.
        plan: one of ``PLANS``.
        reg: entropic regularisation on that cost.
        reg_m: relaxation of the texts' marginal; None holds it.
        dustbin: mass of the text that stands for nothing.
        dustbin_cost: cost of sending a token there.
        iterations: unrolled scaling iterations of ``transport``.

    Raises:
        UsageError: an unknown plan.
    """
    if plan not in PLANS:
        raise unknown_name("plan", plan, PLANS)
    empty = ~mask.any(1, keepdim=True)
    found = _couple(similarity, mask | empty, plan, reg, reg_m, (dustbin, dustbin_cost), iterations)
    there = (~empty).to(similarity.dtype)
    return Coupling(
        plan=found.plan * there[:, :, None],
        similarity=found.similarity * there,
        log_mass=found.log_mass * there,
    )


def _couple(
    similarity: Tensor,
    mask: Tensor,
    plan: str,
    reg: float,
    reg_m: float | None,
    none: tuple[float, float],
    iterations: int,
) -> Coupling:
    """Couple where every recording has a token; ``none`` is the dustbin's mass and cost."""
    dustbin, dustbin_cost = none
    present = mask[:, :, None]
    count = mask.sum(1).clamp(min=1)
    log_a = torch.where(mask, -count.log()[:, None].to(similarity.dtype), similarity.new_tensor(-torch.inf))
    if plan in ("attention", "maxsim", "uniform", "logsumexp"):
        return _per_text(similarity, present, count, plan, reg)
    if plan == "softmax":
        return _per_token(similarity, log_a, reg, dustbin, dustbin_cost)
    return _transport(similarity, log_a, reg, reg_m, dustbin, dustbin_cost, iterations)


def _per_text(similarity: Tensor, present: Tensor, count: Tensor, plan: str, reg: float) -> Coupling:
    """Each text looks at the tokens for itself, with the same mass ``1 / M``."""
    texts = max(1, similarity.shape[2])
    scores = similarity.masked_fill(~present, -torch.inf)
    if plan == "uniform":
        share = (present / count[:, None, None]).to(similarity.dtype).expand_as(similarity)
    elif plan == "maxsim":
        share = torch.zeros_like(similarity).scatter(1, scores.argmax(1, keepdim=True), 1.0)
    else:
        share = (scores / reg).softmax(dim=1)
    mean = (share * similarity).sum(1)
    mass = (scores / reg).logsumexp(dim=1) - count[:, None].log()
    return Coupling(plan=share / texts, similarity=mean, log_mass=mass)


def _with_dustbin(similarity: Tensor, dustbin: float, dustbin_cost: float) -> tuple[Tensor, Tensor]:
    """Cost ``(B, N, M + 1)`` and log prior ``(M + 1,)``, the dustbin last."""
    texts = similarity.shape[2]
    cost = torch.cat([1.0 - similarity, torch.full_like(similarity[:, :, :1], dustbin_cost)], dim=2)
    prior = similarity.new_full((texts + 1,), (1.0 - dustbin) / max(1, texts))
    prior[-1] = max(dustbin, 1e-9)
    return cost, prior.log()


def _finish(log_plan: Tensor, similarity: Tensor, log_b: Tensor) -> Coupling:
    log_plan = log_plan[:, :, :-1]
    log_mass = log_plan.logsumexp(dim=1)
    plan = log_plan.exp()
    share = (log_plan - log_mass[:, None, :]).exp()
    return Coupling(plan=plan, similarity=(share * similarity).sum(1), log_mass=log_mass - log_b[:-1])


def _per_token(
    similarity: Tensor, log_a: Tensor, reg: float, dustbin: float, cost_of_none: float
) -> Coupling:
    cost, log_b = _with_dustbin(similarity, dustbin, cost_of_none)
    log_plan = log_a[:, :, None] + (log_b - cost / reg).log_softmax(dim=2)
    return _finish(log_plan, similarity, log_b)


def _transport(
    similarity: Tensor,
    log_a: Tensor,
    reg: float,
    reg_m: float | None,
    dustbin: float,
    cost_of_none: float,
    iterations: int,
) -> Coupling:
    """Scaling iterations in the log domain, unrolled; the last one restores the tokens' marginal."""
    cost, log_b = _with_dustbin(similarity, dustbin, cost_of_none)
    kernel = -cost / reg
    damp = 1.0 if reg_m is None else reg_m / (reg_m + reg)
    g = torch.zeros_like(kernel[:, 0, :])
    f = log_a - (kernel + log_b).logsumexp(dim=2)
    for _ in range(iterations):
        g = -damp * (kernel + f[:, :, None]).logsumexp(dim=1)
        f = log_a - (kernel + (g + log_b)[:, None, :]).logsumexp(dim=2)
    return _finish(kernel + f[:, :, None] + (g + log_b)[:, None, :], similarity, log_b)
