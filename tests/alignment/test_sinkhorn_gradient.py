"""Derivatives of value and plan against finite differences in float64, for each way of finding them."""

import math

import pytest
import torch

from ecgclip.alignment.sinkhorn import sinkhorn, sinkhorn_divergence

RELAXED = [None, (0.4, None), (None, 0.4), (0.3, 0.9), (0.0, None)]


def leaves(batch=2, n=5, m=3, seed=0):
    g = torch.Generator().manual_seed(seed)
    cost = torch.rand(batch, n, m, generator=g, dtype=torch.float64)
    free_a = torch.randn(batch, n, generator=g, dtype=torch.float64)
    free_b = torch.randn(batch, m, generator=g, dtype=torch.float64)
    return [t.requires_grad_() for t in (cost, free_a, free_b)]


def solve(cost, free_a, free_b, **settings):
    a, b = free_a.softmax(1), free_b.softmax(1)  # a balanced problem keeps its masses equal
    return sinkhorn(cost, a, b, reg=0.1, tol=1e-13, max_iter=3000, **settings)


@pytest.mark.parametrize("reg_m", RELAXED)
@pytest.mark.parametrize("grad", ["envelope", "implicit", "unroll"])
def test_value_gradient(reg_m, grad):
    torch.autograd.gradcheck(lambda *t: solve(*t, reg_m=reg_m, grad=grad).value, leaves(), atol=1e-6)


@pytest.mark.parametrize("reg_m", RELAXED)
@pytest.mark.parametrize("grad", ["implicit", "unroll"])
@pytest.mark.parametrize("shape", [(5, 3), (2, 4)])
def test_plan_gradient(reg_m, grad, shape):
    arguments = leaves(1, *shape)
    torch.autograd.gradcheck(lambda *t: solve(*t, reg_m=reg_m, grad=grad).plan, arguments, atol=1e-6)


@pytest.mark.parametrize("reg_m", [0.4, (0.3, 0.9)])
def test_masses_that_are_not_one(reg_m):
    cost, free_a, free_b = leaves()

    def value(cost, free_a, free_b):
        return sinkhorn(
            cost, free_a.exp(), free_b.exp(), reg=0.1, reg_m=reg_m, tol=1e-13, max_iter=3000
        ).value

    torch.autograd.gradcheck(value, (cost, free_a, free_b), atol=1e-6)


def test_ways_agree_on_the_value_and_envelope_detaches_the_plan():
    gradients = []
    for grad in ("envelope", "implicit", "unroll"):
        arguments = leaves()
        result = solve(*arguments, grad=grad)
        assert result.plan.requires_grad == (grad != "envelope")
        gradients.append(torch.autograd.grad(result.value.sum(), arguments))
    for other in gradients[1:]:
        for mine, theirs in zip(gradients[0], other, strict=True):
            torch.testing.assert_close(mine, theirs, atol=1e-8, rtol=0)


@pytest.mark.parametrize("grad", ["envelope", "implicit", "unroll"])
@pytest.mark.parametrize("reg_m", [None, (0.4, None)])
def test_padding_gets_no_gradient_and_no_nan(grad, reg_m):
    cost, _, _ = leaves(2, 6, 4)
    cost = torch.where(torch.arange(4) < 3, cost.detach(), math.nan).requires_grad_()
    rows, columns = torch.arange(6)[None].expand(2, 6) < 5, torch.arange(4)[None].expand(2, 4) < 3
    result = sinkhorn(cost, reg=0.1, reg_m=reg_m, row_mask=rows, column_mask=columns, grad=grad, tol=1e-12)
    target = result.value.sum() + (0.0 if grad == "envelope" else (result.plan**2).sum())
    target.backward()
    assert cost.grad.isfinite().all()
    assert cost.grad[:, 5].abs().sum() == 0
    assert cost.grad[:, :, 3].abs().sum() == 0
    small = cost.detach()[:, :5, :3].clone().requires_grad_()
    again = sinkhorn(small, reg=0.1, reg_m=reg_m, grad=grad, tol=1e-12)
    (again.value.sum() + (0.0 if grad == "envelope" else (again.plan**2).sum())).backward()
    torch.testing.assert_close(cost.grad[:, :5, :3], small.grad, atol=1e-8, rtol=0)


@pytest.mark.parametrize("reg_m", [None, (0.4, None), 0.4])
def test_a_weight_of_zero_has_the_derivative_of_adding_mass(reg_m):
    """Moving a little mass onto an empty row changes the value at the rate that the gradient says."""
    cost, _, _ = (t.detach() for t in leaves(1, 4, 3))
    a = torch.tensor([[0.5, 0.5, 0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    b = torch.full((1, 3), 1 / 3, dtype=torch.float64)
    value = sinkhorn(cost, a, b, reg=0.1, reg_m=reg_m, tol=1e-13).value
    (slope,) = torch.autograd.grad(value.sum(), a)
    step = torch.tensor([[-1e-6, 0.0, 1e-6, 0.0]], dtype=torch.float64)
    moved = sinkhorn(cost, a.detach() + step, b, reg=0.1, reg_m=reg_m, tol=1e-13).value
    assert float((moved - value.detach()).sum()) == pytest.approx(float((slope * step).sum()), rel=1e-3)


def test_a_permutation_plan_has_a_finite_implicit_gradient():
    cost = 1 - torch.eye(6, dtype=torch.float64)
    cost.requires_grad_()
    plan = sinkhorn(cost, reg=0.01, grad="implicit", tol=1e-12).plan
    (plan**2).sum().backward()
    assert cost.grad.isfinite().all()
    assert cost.grad.abs().max() < 1e-6


def test_divergence_gradient():
    g = torch.Generator().manual_seed(3)
    x = torch.randn(1, 4, 2, generator=g, dtype=torch.float64, requires_grad=True)
    y = torch.randn(1, 5, 2, generator=g, dtype=torch.float64)

    def squared(p, q):
        return ((p[:, :, None] - q[:, None]) ** 2).sum(-1)

    def divergence(x):
        return sinkhorn_divergence(squared(x, y), squared(x, x), squared(y, y), reg=0.5, tol=1e-13)

    torch.autograd.gradcheck(divergence, (x,), atol=1e-6)
