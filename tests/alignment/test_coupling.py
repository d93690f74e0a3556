"""The couplings: their limits, their marginals, and that neither padding nor neighbours change them."""

import math

import pytest
import torch

from ecgclip.alignment import PLANS, couple
from ecgclip.alignment.local import COMPETITIVE
from ecgclip.alignment.local.coupling import Relaxation, couple_sets
from ecgclip.alignment.sinkhorn import sinkhorn
from ecgclip.errors import UsageError

BATCH, TOKENS, TEXTS = 3, 7, 4
SETTINGS = {"reg": 0.1, "reg_m": 0.2, "dustbin": 0.3, "dustbin_cost": 0.8}


@pytest.fixture
def similarity():
    torch.manual_seed(0)
    return torch.randn(BATCH, TOKENS, TEXTS, dtype=torch.float64) * 0.3


@pytest.fixture
def mask():
    found = torch.ones(BATCH, TOKENS, dtype=torch.bool)
    found[1, 5:] = False
    found[2, 0] = False
    return found


def parts(found):
    return found.plan, found.similarity, found.log_mass, found.potential


@pytest.mark.parametrize("plan", PLANS)
def test_a_plan_is_mass_on_present_tokens_only(similarity, mask, plan):
    found = couple(similarity, mask, plan=plan, **SETTINGS)
    assert found.plan.shape == similarity.shape
    assert bool((found.plan >= 0).all())
    assert not found.plan[~mask].any()
    total = found.plan.sum((1, 2))
    if plan in ("transport", "softmax"):
        assert bool((total < 1).all())  # the rest lies in the dustbin
        assert bool((total > 0).all())
    else:
        torch.testing.assert_close(found.plan.sum(1), torch.full((BATCH, TEXTS), 1 / TEXTS).double())


@pytest.mark.parametrize("plan", PLANS)
def test_padding_changes_nothing(similarity, mask, plan):
    alone = couple(similarity, mask, plan=plan, **SETTINGS)
    wide = torch.nn.functional.pad(similarity, (0, 0, 0, 5), value=9.0)
    padded = couple(wide, torch.nn.functional.pad(mask, (0, 5)), plan=plan, **SETTINGS)
    torch.testing.assert_close(padded.plan[:, :TOKENS], alone.plan)
    assert not padded.plan[:, TOKENS:].any()
    torch.testing.assert_close(parts(padded)[1:], parts(alone)[1:])


@pytest.mark.parametrize("plan", PLANS)
def test_what_a_masked_token_holds_changes_nothing(similarity, mask, plan):
    other = torch.where(mask[:, :, None], similarity, similarity + 0.7)
    torch.testing.assert_close(
        parts(couple(other, mask, plan=plan, **SETTINGS)),
        parts(couple(similarity, mask, plan=plan, **SETTINGS)),
    )


@pytest.mark.parametrize("plan", PLANS)
def test_each_recording_is_coupled_for_itself(similarity, mask, plan):
    joined = couple(similarity, mask, plan=plan, **SETTINGS)
    for row in range(BATCH):
        own = couple(similarity[row : row + 1], mask[row : row + 1], plan=plan, **SETTINGS)
        for whole, part in zip(parts(joined), parts(own), strict=True):
            torch.testing.assert_close(whole[row], part[0])


@pytest.mark.parametrize("plan", PLANS)
def test_reordering_tokens_or_texts_reorders_the_plan(similarity, mask, plan):
    tokens, texts = torch.randperm(TOKENS), torch.randperm(TEXTS)
    plain = couple(similarity, mask, plan=plan, **SETTINGS)
    turned = couple(similarity[:, tokens][:, :, texts], mask[:, tokens], plan=plan, **SETTINGS)
    torch.testing.assert_close(turned.plan, plain.plan[:, tokens][:, :, texts])
    torch.testing.assert_close(turned.similarity, plain.similarity[:, texts])
    torch.testing.assert_close(turned.log_mass, plain.log_mass[:, texts])
    torch.testing.assert_close(turned.potential, plain.potential[:, texts])


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("reg", [0.1, 0.005])
def test_gradients_are_finite_even_where_nothing_is_present(similarity, mask, plan, reg):
    mask = mask.clone()
    mask[0] = False
    similarity = similarity.float().requires_grad_()
    found = couple(similarity, mask, plan=plan, **(SETTINGS | {"reg": reg}))
    assert all(bool(torch.isfinite(part).all()) for part in parts(found))
    assert not found.plan[0].any()
    (found.similarity.sum() + found.log_mass.square().sum()).backward()
    assert bool(torch.isfinite(similarity.grad).all())
    assert not similarity.grad[~mask].any()


def test_attention_becomes_uniform_for_large_reg_and_maxsim_for_small(similarity, mask):
    uniform = couple(similarity, mask, plan="uniform", reg=1.0)
    largest = couple(similarity, mask, plan="maxsim", reg=1.0)
    torch.testing.assert_close(
        couple(similarity, mask, plan="attention", reg=1e7).plan, uniform.plan, atol=1e-7, rtol=0
    )
    sharp = couple(similarity, mask, plan="attention", reg=1e-5)
    torch.testing.assert_close(sharp.plan, largest.plan, atol=1e-6, rtol=0)
    torch.testing.assert_close(sharp.similarity, largest.similarity, atol=1e-6, rtol=0)
    seen = similarity.masked_fill(~mask[:, :, None], -math.inf)
    torch.testing.assert_close(largest.similarity, seen.amax(1))
    mean = torch.stack([row[there].mean(0) for row, there in zip(similarity, mask, strict=True)])
    torch.testing.assert_close(uniform.similarity, mean)


def test_attention_is_transport_that_holds_the_texts_and_frees_the_tokens(similarity, mask):
    a = mask / mask.sum(1, keepdim=True).double()
    b = torch.full((BATCH, TEXTS), 1 / TEXTS, dtype=torch.float64)
    held = sinkhorn(1 - similarity, a, b, reg=0.1, reg_m=(0.0, math.inf), tol=1e-12)
    torch.testing.assert_close(couple(similarity, mask, plan="attention", reg=0.1).plan, held.plan)


def test_softmax_is_transport_that_holds_the_tokens_and_frees_the_texts(similarity, mask):
    free = couple(similarity, mask, plan="transport", iterations=50, **(SETTINGS | {"reg_m": 1e-9}))
    soft = couple(similarity, mask, plan="softmax", **SETTINGS)
    torch.testing.assert_close(soft.plan, free.plan, atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize("reg_m", [None, 0.05, 0.5])
@pytest.mark.parametrize("reg_m_signal", [None, 0.0, 0.3])
def test_transport_is_the_optimum_that_its_relaxations_ask_for(similarity, mask, reg_m, reg_m_signal):
    """Semi-relaxed either way, relaxed on both sides, and balanced, all by settings."""
    settings = SETTINGS | {"reg_m": reg_m, "reg_m_signal": reg_m_signal}
    found = couple(similarity, mask, plan="transport", iterations=3000, **settings)
    cost = torch.cat([1 - similarity, torch.full_like(similarity[:, :, :1], settings["dustbin_cost"])], dim=2)
    a = mask / mask.sum(1, keepdim=True).double()
    b = torch.tensor([(1 - settings["dustbin"]) / TEXTS] * TEXTS + [settings["dustbin"]]).double()
    held = (math.inf if reg_m_signal is None else reg_m_signal, reg_m or math.inf)
    best = sinkhorn(cost, a, b.expand(BATCH, -1), reg=settings["reg"], reg_m=held, tol=1e-12)
    assert bool(best.converged.all())
    torch.testing.assert_close(found.plan, best.plan[:, :, :-1], atol=1e-7, rtol=1e-5)
    mass = best.plan[:, :, :-1].sum(1)
    torch.testing.assert_close(found.log_mass, (mass / b[:-1]).log(), atol=1e-6, rtol=1e-5)
    if reg_m is not None:  # held, its potentials leave a constant free
        torch.testing.assert_close(found.potential, -best.potentials[1][:, :-1], atol=1e-6, rtol=1e-5)


def test_a_marginal_that_is_dear_to_relax_is_held(similarity, mask):
    balanced = couple(similarity, mask, plan="transport", iterations=500, **(SETTINGS | {"reg_m": None}))
    for sides in ({"reg_m": 1e7}, {"reg_m": 1e7, "reg_m_signal": 1e7}):
        nearly = couple(similarity, mask, plan="transport", iterations=500, **(SETTINGS | sides))
        torch.testing.assert_close(nearly.plan, balanced.plan, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("texts", [1, TEXTS])
def test_transport_that_forgets_the_tokens_is_attention_exactly(similarity, mask, texts):
    similarity = similarity[:, :, :texts]
    free = couple(similarity, mask, plan="transport", reg=0.1, reg_m=None, reg_m_signal=0.0, dustbin=0.0)
    attention = couple(similarity, mask, plan="attention", reg=0.1)
    torch.testing.assert_close(free.similarity, attention.similarity, atol=1e-12, rtol=0)
    torch.testing.assert_close(free.potential, attention.potential, atol=1e-12, rtol=0)
    torch.testing.assert_close(free.plan, attention.plan, atol=1e-8, rtol=0)


@pytest.mark.parametrize("reg_m", [None, 0.05])
@pytest.mark.parametrize("reg_m_signal", [None, 0.0, 0.3])
@pytest.mark.parametrize("iterations", [0, 1, 4])
def test_the_way_back_is_the_derivative_of_the_way_there(similarity, mask, reg_m, reg_m_signal, iterations):
    settings = SETTINGS | {"reg_m": reg_m, "reg_m_signal": reg_m_signal, "iterations": iterations}
    asked = similarity[:, :, 1:3] + 0.1

    def scores(reference):
        found = couple(asked, mask, plan="transport", reference=reference, **settings)
        own = couple(reference, mask, plan="transport", **settings)
        return found.similarity, found.log_mass, found.potential, own.similarity, own.log_mass, own.plan

    assert torch.autograd.gradcheck(scores, (similarity.requires_grad_(),))


@pytest.mark.parametrize("reg_m", [None, 0.05])
def test_sets_of_texts_are_coupled_each_by_itself(similarity, mask, reg_m):
    torch.manual_seed(2)
    members = torch.tensor(
        [[True, True, False, False], [False, False, False, True], [True, True, True, True]]
    )
    competing = members & ~torch.tensor([[False, True, False, False]])
    relaxed = Relaxation(SETTINGS["reg"], reg_m, 0.4)
    none = (SETTINGS["dustbin"], SETTINGS["dustbin_cost"])

    def scores(given):
        found = couple_sets(given, mask, members, competing, relaxed=relaxed, none=none, iterations=4)
        return found.similarity, found.log_mass, found.potential

    assert torch.autograd.gradcheck(scores, (similarity.requires_grad_(),))
    settings = SETTINGS | {"reg_m": reg_m, "reg_m_signal": 0.4, "iterations": 4}
    by_hand = [
        parts(couple(similarity, mask, plan="transport", competing=rivals, **settings))[1:]
        for rivals in competing
    ]
    for k, values in enumerate(scores(similarity)):
        expected = torch.cat([own[k][:, said] for own, said in zip(by_hand, members, strict=True)], dim=1)
        torch.testing.assert_close(values, expected)


@pytest.mark.parametrize("reg", [0.05, 0.04, 0.01])
@pytest.mark.parametrize("dustbin", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("cost", [0.0, 2.0, 100.0])
def test_the_furthest_costs_give_finite_scores_and_gradients(reg, dustbin, cost):
    """Texts opposite to every token, beside one that is each token, in float32."""
    similarity = torch.tensor([-1.0, 1.0, 0.0, -1.0]).repeat(2, 5, 1).requires_grad_()
    mask = torch.ones(2, 5, dtype=torch.bool)
    for reg_m in (None, 0.05):
        found = couple(
            similarity, mask, plan="transport", reg=reg, reg_m=reg_m, dustbin=dustbin, dustbin_cost=cost
        )
        assert all(bool(torch.isfinite(part).all()) for part in parts(found))
        loss = found.similarity.sum() + found.log_mass.sum() + found.potential.sum()
        (grad,) = torch.autograd.grad(loss, similarity)
        assert bool(torch.isfinite(grad).all())


@pytest.mark.parametrize("plan", COMPETITIVE)
def test_a_text_of_the_reference_is_read_as_in_it(similarity, mask, plan):
    whole = couple(similarity, mask, plan=plan, **SETTINGS)
    for asked in ([2], [3, 0], [1, 1, 2]):
        found = couple(similarity[:, :, asked], mask, plan=plan, reference=similarity, **SETTINGS)
        for one, other in zip(parts(found)[1:], parts(whole)[1:], strict=True):
            torch.testing.assert_close(one, other[:, asked], atol=1e-12, rtol=0)
        torch.testing.assert_close(found.plan, whole.plan[:, :, asked], atol=1e-12, rtol=0)


@pytest.mark.parametrize("plan", COMPETITIVE)
def test_texts_that_do_not_compete_change_nothing_for_the_others(similarity, mask, plan):
    competing = torch.tensor([True, False, True, False])
    found = couple(similarity, mask, plan=plan, competing=competing, **SETTINGS)
    alone = couple(similarity[:, :, competing], mask, plan=plan, **SETTINGS)
    for one, other in zip(parts(found)[1:], parts(alone)[1:], strict=True):
        torch.testing.assert_close(one[:, competing], other)
    torch.testing.assert_close(found.plan[:, :, competing], alone.plan)


def test_two_phrases_that_mean_the_same_do_not_split_the_mass(similarity, mask):
    """Competing each for itself they would; as one, neither loses anything."""
    torch.manual_seed(1)
    single = couple(similarity, mask, plan="transport", **SETTINGS)
    twin = similarity[:, :, :1] + 0.001 * torch.randn_like(similarity[:, :, :1])
    doubled = torch.cat([similarity, twin], dim=2)
    competing = torch.tensor([True] * TEXTS + [False])
    merged = couple(doubled, mask, plan="transport", competing=competing, **SETTINGS)
    split = couple(doubled, mask, plan="transport", **SETTINGS)
    for one, other in zip(parts(merged)[1:], parts(single)[1:], strict=True):
        torch.testing.assert_close(one[:, :TEXTS], other)
        assert float((one[:, TEXTS] - other[:, 0]).abs().max()) < 0.02
    mass = [found.plan.sum(1)[:, 0] for found in (single, merged, split)]
    torch.testing.assert_close(mass[1], mass[0])
    assert bool((mass[2] < 0.9 * mass[0]).all())


@pytest.mark.parametrize("reg_m", [None, 0.05])
def test_five_iterations_of_transport_are_near_the_optimum_and_nearly_hold_the_tokens(
    similarity, mask, reg_m
):
    settings = SETTINGS | {"reg_m": reg_m, "dustbin": 1e-9, "dustbin_cost": 50.0}
    found = couple(similarity, mask, plan="transport", **settings)
    a = mask / mask.sum(1, keepdim=True).double()
    assert float((found.plan.sum(2) - a).abs().max()) < 0.01
    full = couple(similarity, mask, plan="transport", iterations=2000, **settings)
    torch.testing.assert_close(full.plan.sum(2), a, atol=1e-7, rtol=1e-6)
    assert float((found.similarity - full.similarity).abs().max()) < 0.1


def test_one_text_without_a_dustbin_takes_all(similarity, mask):
    found = couple(
        similarity[:, :, :1], mask, plan="transport", reg=0.1, reg_m=0.2, dustbin=0.0, dustbin_cost=1.0
    )
    torch.testing.assert_close(found.plan.sum((1, 2)), torch.ones(BATCH).double(), atol=1e-6, rtol=0)
    uniform = couple(similarity[:, :, :1], mask, plan="uniform", reg=1.0)
    torch.testing.assert_close(found.plan, uniform.plan, atol=1e-6, rtol=0)


def test_a_dearer_dustbin_takes_less(similarity, mask):
    masses = [
        float(couple(similarity, mask, plan="transport", **(SETTINGS | {"dustbin_cost": cost})).plan.sum())
        for cost in (0.2, 0.6, 1.0, 3.0)
    ]
    assert masses == sorted(masses)
    assert masses[0] < masses[-1]


def test_log_mass_falls_and_rises_with_what_the_text_is_like(similarity, mask):
    for plan in ("transport", "softmax", "logsumexp"):
        low = couple(similarity, mask, plan=plan, **SETTINGS).log_mass[:, 0]
        nearer = similarity.clone()
        nearer[:, :, 0] += 0.2
        assert bool((couple(nearer, mask, plan=plan, **SETTINGS).log_mass[:, 0] > low).all())


def test_an_unknown_plan_names_those_there_are(similarity, mask):
    with pytest.raises(UsageError, match="transport"):
        couple(similarity, mask, plan="transprot", reg=0.1)
