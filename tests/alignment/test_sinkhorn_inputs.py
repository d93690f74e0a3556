"""What `sinkhorn` takes, what it refuses, masses that differ a little, and sides that a mask empties."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from ecgclip.alignment.sinkhorn import SinkhornWarning, sinkhorn, sinkhorn_divergence
from ecgclip.errors import DataError, UsageError

COST = np.random.default_rng(0).random((2, 3, 4))
WAYS = ["envelope", "implicit", "unroll"]


@pytest.mark.parametrize("give", [lambda c: c.tolist(), list, lambda c: [torch.as_tensor(x) for x in c]])
def test_nested_lists_are_batches(give):
    result = sinkhorn(give(COST), reg=0.1)
    assert result.plan.shape == (2, 3, 4)
    assert result.value.shape == (2,)
    torch.testing.assert_close(result.plan.double(), sinkhorn(COST, reg=0.1).plan, atol=1e-6, rtol=0)
    assert sinkhorn(give(COST)[0], reg=0.1).plan.shape == (3, 4)


@pytest.mark.parametrize(
    ("give", "dtype"),
    [
        (lambda c: c[::-1, ::-1].copy()[::-1, ::-1], torch.float64),
        (lambda c: c.astype(">f8"), torch.float64),
        (lambda c: c.astype(">f4"), torch.float32),
        (lambda c: np.asfortranarray(c), torch.float64),
        (pd.DataFrame, torch.float64),
        (lambda c: c.tolist(), torch.float32),
    ],
)
def test_arrays_of_every_kind(give, dtype):
    plain = sinkhorn(COST[0], reg=0.1, tol=1e-6)
    result = sinkhorn(give(COST[0]), reg=0.1, tol=1e-6)
    assert result.plan.dtype == dtype
    torch.testing.assert_close(result.plan.double(), plain.plan, atol=1e-5, rtol=0)
    weights, mask = np.array([0.5, 0.3, 0.2], dtype=">f8")[::-1], np.array([True, True, False])[::-1]
    turned = sinkhorn(COST[0], weights, None, reg=0.1, reg_m=1.0, row_mask=mask)
    same = sinkhorn(COST[0], [0.2, 0.3, 0.5], None, reg=0.1, reg_m=1.0, row_mask=[False, True, True])
    torch.testing.assert_close(turned.plan, same.plan, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"a": torch.full((4,), 0.25), "b": torch.full((3,), 1 / 3)}, r"weights a of shape \(4,\)"),
        ({"b": torch.full((3, 4), 0.25)}, r"weights b of shape \(3, 4\): expected \(2, 4\)"),
        ({"row_mask": torch.ones(3, 3, dtype=torch.bool)}, r"row_mask of shape \(3, 3\)"),
        ({"column_mask": torch.ones(3, dtype=torch.bool)}, r"column_mask of shape \(3,\)"),
        ({"potentials": (torch.zeros(2, 4), torch.zeros(2, 4))}, "potentials f of shape"),
        ({"potentials": (torch.zeros(2, 3), torch.zeros(5, 4))}, "potentials g of shape"),
        ({"potentials": torch.zeros(3)}, "potentials: expected the pair"),
        ({"cost": [[1.0, 2.0], [3.0]]}, "cost is not an array"),
        ({"cost": [["a", "b"]]}, "cost holds"),
        ({"cost": None}, "cost holds object"),
        ({"cost": COST * 1j}, "cost holds complex128"),
        ({"cost": torch.as_tensor(COST * 1j)}, "cost of torch.complex128"),
        ({"cost": torch.as_tensor(COST[0]).to_sparse()}, "dense"),
        ({"a": [[0.5], [0.5, 0.5]]}, "weights a is not an array"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(change, match):
    arguments = {"cost": COST, "a": None, "b": None, "reg": 0.1} | change
    cost, a, b = (arguments.pop(k) for k in ("cost", "a", "b"))
    with pytest.raises(UsageError, match=match) as caught:
        sinkhorn(cost, a, b, **arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("grad", WAYS)
@pytest.mark.parametrize("shape", [(3, 4), (4, 3)])
def test_both_weights_are_free_to_move(grad, shape):
    """The derivative is that of the function as called, off the simplex too."""
    g = torch.Generator().manual_seed(1)
    cost = torch.rand(1, *shape, generator=g, dtype=torch.float64)
    a, b = (torch.rand(1, k, generator=g, dtype=torch.float64) + 0.2 for k in shape)
    leaves = [t.requires_grad_() for t in (cost, a / a.sum(), b / b.sum())]

    def solved(*t):
        result = sinkhorn(*t, reg=0.2, tol=1e-13, max_iter=3000, grad=grad)
        return result.value if grad == "envelope" else (result.value, result.plan)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SinkhornWarning)  # finite differences move the mass
        torch.autograd.gradcheck(solved, leaves, atol=1e-6)


def test_ways_agree_off_the_simplex():
    found = []
    for grad in WAYS:
        a, b = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64), torch.full((4,), 0.25).double()
        leaves = [t.requires_grad_() for t in (torch.as_tensor(COST[0]).clone(), a, b)]
        value = sinkhorn(*leaves, reg=0.2, tol=1e-13, grad=grad).value
        found.append(torch.autograd.grad(value, leaves))
    for other in found[1:]:
        for mine, theirs in zip(found[0], other, strict=True):
            torch.testing.assert_close(mine, theirs, atol=1e-9, rtol=0)


@pytest.mark.parametrize("shape", [(3, 4), (4, 3)])
@pytest.mark.parametrize("grad", ["envelope", "unroll"])
def test_the_error_is_that_of_the_weights_as_given(shape, grad):
    cost = torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    a, b = (torch.full((k,), 1 / k, dtype=torch.float64) for k in shape)
    with pytest.warns(
        SinkhornWarning, match="1 of 1 problems hold weights a and b whose masses differ"
    ) as seen:
        result = sinkhorn(cost, a, 1.0009 * b, reg=0.1, grad=grad)
    assert len(seen) == 1
    assert not result.converged
    assert float(result.marginal_error) == pytest.approx(9e-4, rel=1e-2)
    assert float((result.plan.detach().sum(0) - 1.0009 * b).abs().sum()) == pytest.approx(9e-4, rel=1e-2)
    assert sinkhorn(cost, a, 1.0009 * b, reg=0.1, tol=1e-3).converged


@pytest.mark.parametrize("mass", [1e-3, 1.0, 1e3])
def test_rounding_of_the_mass_is_no_difference(mass):
    g = torch.Generator().manual_seed(0)
    cost = torch.rand(4, 700, 300, generator=g)
    a, b = (mass * torch.randn(4, k, generator=g).softmax(1) for k in (700, 300))
    a, b = a / a.sum(1, keepdim=True) * mass, b / b.sum(1, keepdim=True) * mass
    assert sinkhorn(cost, a, b, reg=0.5, tol=2e-6 * max(mass, 1.0)).converged.all()


@pytest.mark.parametrize("grad", WAYS)
@pytest.mark.parametrize("reg_m", [None, (0.5, None), 0.5])
@pytest.mark.parametrize("side", ["row_mask", "column_mask"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_side_that_a_mask_empties(grad, reg_m, side, dtype):
    leaves = [torch.as_tensor(COST), torch.full((2, 3), 1 / 3), torch.full((2, 4), 0.25)]
    leaves = [t.to(dtype, copy=True).requires_grad_() for t in leaves]
    mask = torch.ones(2, 3 if side == "row_mask" else 4, dtype=torch.bool)
    mask[0] = False
    result = sinkhorn(*leaves, reg=0.1, reg_m=reg_m, grad=grad, **{side: mask})
    (result.value.sum() + (result.plan**2).sum()).backward()
    assert result.converged.all()
    assert result.plan[0].abs().sum() == result.value[0] == result.marginal_error[0] == 0
    for leaf in leaves:
        assert leaf.grad[0].abs().sum() == 0
        assert leaf.grad.isfinite().all()
    assert all(p.isfinite().all() for p in result.potentials)
    alone = sinkhorn(*(t.detach()[1] for t in leaves), reg=0.1, reg_m=reg_m)
    torch.testing.assert_close(result.plan[1].detach(), alone.plan, atol=1e-5, rtol=0)


def test_all_sides_empty_and_a_mass_of_zero_that_no_mask_explains():
    nothing = torch.zeros(2, 3, dtype=torch.bool)
    result = sinkhorn(torch.rand(2, 3, 4), reg=0.1, row_mask=nothing)
    assert result.plan.abs().sum() == result.value.abs().sum() == 0
    with pytest.raises(DataError, match="differ in mass"):
        sinkhorn(COST, torch.zeros(2, 3), None, reg=0.1)
    with pytest.raises(DataError, match="weights b hold"):
        sinkhorn(COST, None, torch.full((2, 4), math.nan), reg=0.1, row_mask=nothing)


@pytest.mark.parametrize("reg_m", [None, 1.0])
def test_divergence_from_nothing_and_of_padding(reg_m):
    x = torch.rand(2, 3, 2, dtype=torch.float64)
    cost = torch.cdist(x, x).square()
    mask = torch.tensor([[True, True, False], [False, False, False]])
    a = torch.full((2, 3), 0.5, dtype=torch.float64)
    found = sinkhorn_divergence(
        cost, cost, cost, a, a, reg=0.5, reg_m=reg_m, row_mask=mask, column_mask=mask, tol=1e-11
    )
    torch.testing.assert_close(found, torch.zeros_like(found), atol=1e-9, rtol=0)
    one_side = sinkhorn_divergence(cost, cost, cost, reg=0.5, reg_m=reg_m, row_mask=mask)
    assert one_side[1] == 0
