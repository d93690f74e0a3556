"""Plan and value against POT in float64, closed forms, and what a batch may not change."""

import math
import warnings

import numpy as np
import ot
import pytest
import torch

from ecgclip.alignment.sinkhorn import SinkhornWarning, sinkhorn, sinkhorn_divergence
from ecgclip.errors import DataError, UsageError

RELAXED = [(0.5, 1.0), (math.inf, 0.3), (0.3, None), 0.05, 20.0]


def problems(batch, n, m, seed=0, dtype=torch.float64):
    rng = np.random.default_rng(seed)
    cost = rng.random((batch, n, m))
    a, b = rng.random((batch, n)) + 0.1, rng.random((batch, m)) + 0.1
    a, b = a / a.sum(1, keepdims=True), b / b.sum(1, keepdims=True)
    return tuple(torch.as_tensor(x, dtype=dtype) for x in (cost, a, b))


def kl(p, q):
    return float((p * np.log(np.where(p > 0, p, 1.0) / q) - p + q).sum())


def objective(plan, cost, a, b, reg, rho_a, rho_b):
    """The minimised function, written out."""
    value = (plan * cost).sum() + reg * kl(plan, np.outer(a, b))
    value += rho_a * kl(plan.sum(1), a) if np.isfinite(rho_a) else 0.0
    return value + (rho_b * kl(plan.sum(0), b) if np.isfinite(rho_b) else 0.0)


def pair(reg_m):
    return tuple(
        math.inf if r is None else r for r in (reg_m if isinstance(reg_m, tuple) else (reg_m, reg_m))
    )


@pytest.mark.parametrize(("n", "m"), [(1, 1), (6, 1), (1, 5), (7, 7), (32, 8), (13, 40)])
@pytest.mark.parametrize("reg", [1.0, 0.1, 0.02])
def test_balanced_equals_pot(n, m, reg):
    cost, a, b = problems(3, n, m)
    result = sinkhorn(cost, a, b, reg=reg, tol=1e-10)
    assert result.converged.all()
    assert (result.marginal_error <= 1e-10).all()
    for i in range(3):
        c, x, y = cost[i].numpy(), a[i].numpy(), b[i].numpy()
        plan = ot.bregman.sinkhorn_log(x, y, c, reg, numItermax=100_000, stopThr=1e-10)
        np.testing.assert_allclose(result.plan[i], plan, atol=1e-9)
        assert float(result.value[i]) == pytest.approx(
            objective(plan, c, x, y, reg, np.inf, np.inf), abs=1e-8
        )


@pytest.mark.parametrize("reg", [0.01, 0.005])
def test_small_reg_equals_pot(reg):
    cost, a, b = problems(2, 20, 10, seed=3)
    result = sinkhorn(cost, a, b, reg=reg, tol=1e-10)
    for i in range(2):
        c, x, y = cost[i].numpy(), a[i].numpy(), b[i].numpy()
        plan = ot.bregman.sinkhorn_log(x, y, c, reg, numItermax=200_000, stopThr=1e-10)
        np.testing.assert_allclose(result.plan[i], plan, atol=1e-7)
        assert float(result.value[i]) == pytest.approx(
            objective(plan, c, x, y, reg, np.inf, np.inf), abs=1e-7
        )


@pytest.mark.slow
@pytest.mark.parametrize(("n", "m"), [(32, 8), (125, 32), (64, 64)])
@pytest.mark.parametrize("reg", [0.1, 0.02, 0.005])
def test_grid_equals_pot(n, m, reg):
    cost, a, b = problems(4, n, m, seed=11)
    result = sinkhorn(cost, a, b, reg=reg, tol=1e-10)
    assert result.converged.all()
    for i in range(4):
        c, x, y = cost[i].numpy(), a[i].numpy(), b[i].numpy()
        plan = ot.bregman.sinkhorn_log(x, y, c, reg, numItermax=400_000, stopThr=1e-10)
        np.testing.assert_allclose(result.plan[i], plan, atol=1e-6)
        assert float(result.value[i]) == pytest.approx(
            objective(plan, c, x, y, reg, np.inf, np.inf), abs=1e-6
        )


@pytest.mark.parametrize("reg_m", RELAXED)
@pytest.mark.parametrize("reg", [1.0, 0.1, 0.02])
def test_relaxed_equals_pot(reg_m, reg):
    cost, a, b = problems(2, 12, 7, seed=1)
    result = sinkhorn(cost, a, b, reg=reg, reg_m=reg_m, tol=1e-12)
    rho = pair(reg_m)
    for i in range(2):
        c, x, y = cost[i].numpy(), a[i].numpy(), b[i].numpy()
        plan = ot.unbalanced.sinkhorn_unbalanced(
            x, y, c, reg, rho, reg_type="kl", numItermax=200_000, stopThr=1e-14
        )
        np.testing.assert_allclose(result.plan[i], plan, atol=1e-9)
        assert float(result.value[i]) == pytest.approx(objective(plan, c, x, y, reg, *rho), abs=1e-9)


def test_batch_equals_pot_batch():
    cost, a, b = problems(8, 20, 6)
    other = ot.batch.solve_batch(cost, reg=0.1, a=a, b=b, reg_type="kl", tol=1e-11, max_iter=10_000)
    result = sinkhorn(cost, a, b, reg=0.1, tol=1e-11)
    torch.testing.assert_close(result.plan, other.plan, atol=1e-9, rtol=0)
    torch.testing.assert_close(result.value, other.value, atol=1e-9, rtol=0)


@pytest.mark.parametrize("reg", [0.1, 0.05, 0.01])
@pytest.mark.parametrize("reg_m", [None, (0.5, None), 1.0])
def test_float32_stays_near_float64(reg, reg_m):
    cost, a, b = problems(6, 60, 20, seed=2)
    exact = sinkhorn(cost, a, b, reg=reg, reg_m=reg_m, tol=1e-11)
    result = sinkhorn(cost.float(), a.float(), b.float(), reg=reg, reg_m=reg_m)
    assert result.plan.dtype == torch.float32
    assert result.converged.all()
    assert (result.plan - exact.plan).abs().sum((1, 2)).max() < 1e-3
    assert (result.value - exact.value).abs().max() < 1e-4


def test_small_reg_takes_few_iterations():
    cost, a, b = problems(64, 32, 16, seed=5)
    assert sinkhorn(cost, a, b, reg=0.005, tol=1e-10).iterations.max() < 400


def test_permutation_cost_gives_the_permutation():
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0))
    cost = torch.ones(9, 9, dtype=torch.float64)
    cost[torch.arange(9), order] = 0.0
    result = sinkhorn(cost, reg=0.01, tol=1e-12)
    expected = torch.zeros(9, 9, dtype=torch.float64)
    expected[torch.arange(9), order] = 1 / 9
    torch.testing.assert_close(result.plan, expected, atol=1e-12, rtol=0)
    assert float(result.value) == pytest.approx(0.01 * math.log(9), abs=1e-12)


def test_diracs():
    """One point each side: P = a b / mass exactly when held; closed form when both are relaxed."""
    held = sinkhorn(np.array([[0.7]]), np.array([1.0]), np.array([1.0]), reg=0.3)
    assert float(held.value) == pytest.approx(0.7)
    cost, reg, rho = 0.7, 0.3, 0.5
    mass = math.exp(-cost / (reg + 2 * rho))
    soft = sinkhorn(np.array([[cost]]), np.array([1.0]), np.array([1.0]), reg=reg, reg_m=rho, tol=1e-12)
    assert float(soft.plan) == pytest.approx(mass, abs=1e-10)
    assert float(soft.value) == pytest.approx((reg + 2 * rho) * (1 - mass), abs=1e-10)


def test_gaussians():
    """Entropic cost of two Gaussians on a line (Janati et al. 2020, theorem 1), by quadrature on a grid."""
    grid = np.linspace(-6, 6, 400)
    a, b = np.exp(-((grid - 0.5) ** 2) / (2 * 0.6)), np.exp(-((grid + 0.3) ** 2) / (2 * 0.9))
    a, b = a / a.sum(), b / b.sum()
    reg, var_a, var_b = 0.5, 0.6, 0.9
    cost = (grid[:, None] - grid[None, :]) ** 2
    sigma4 = (reg / 2) ** 2  # their epsilon is 2 sigma^2 and the cost |x - y|^2
    d = math.sqrt(4 * var_a * var_b + sigma4)
    bures = (
        var_a
        + var_b
        - d
        + math.sqrt(sigma4) * (1 - math.log(2 * math.sqrt(sigma4)) + math.log(d + math.sqrt(sigma4)))
    )
    expected = 0.8**2 + bures
    assert float(sinkhorn(cost, a, b, reg=reg, tol=1e-10).value) == pytest.approx(expected, abs=1e-4)


def test_limits_of_the_semi_relaxed_plan():
    """A forgotten row marginal is softmax attention of each column; a single column held balanced is uniform."""
    cost, a, b = problems(2, 10, 4)
    free = sinkhorn(cost, a, b, reg=0.1, reg_m=(0.0, None), tol=1e-12)
    attention = b[:, None, :] * torch.softmax(a.log()[:, :, None] - cost / 0.1, 1)
    torch.testing.assert_close(free.plan, attention)
    tight = sinkhorn(cost, a, b, reg=0.1, reg_m=(1e7, None), tol=1e-9)
    torch.testing.assert_close(tight.plan, sinkhorn(cost, a, b, reg=0.1, tol=1e-12).plan, atol=1e-6, rtol=0)
    single = sinkhorn(cost[:, :, :1], None, None, reg=0.1)
    torch.testing.assert_close(single.plan, torch.full((2, 10, 1), 0.1, dtype=torch.float64))


@pytest.mark.parametrize("reg_m", [None, (0.4, None), 0.7])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_padding_changes_nothing(reg_m, dtype):
    cost, a, b = problems(1, 9, 5, dtype=dtype)
    tol = 1e-10 if dtype == torch.float64 else 1e-6
    alone = sinkhorn(cost, a, b, reg=0.05, reg_m=reg_m, tol=tol)
    wide = torch.full((1, 14, 8), math.nan, dtype=dtype)
    wide[:, :9, :5] = cost
    rows, columns = torch.arange(14)[None] < 9, torch.arange(8)[None] < 5
    pad_a, pad_b = (
        torch.nn.functional.pad(a, (0, 5), value=7.0),
        torch.nn.functional.pad(b, (0, 3), value=7.0),
    )
    masked = sinkhorn(wide, pad_a, pad_b, reg=0.05, reg_m=reg_m, tol=tol, row_mask=rows, column_mask=columns)
    near = {"atol": 100 * tol, "rtol": 0}
    torch.testing.assert_close(masked.plan[:, :9, :5], alone.plan, **near)
    torch.testing.assert_close(masked.value, alone.value, **near)
    assert masked.plan[:, 9:].abs().sum() == 0
    assert masked.plan[:, :, 5:].abs().sum() == 0
    zeros = sinkhorn(
        torch.nan_to_num(wide, nan=0.3), pad_a * rows, pad_b * columns, reg=0.05, reg_m=reg_m, tol=tol
    )
    torch.testing.assert_close(zeros.plan[:, :9, :5], alone.plan, **near)


def test_permuting_rows_and_columns_permutes_the_plan():
    cost, a, b = problems(2, 8, 6)
    rows, columns = torch.randperm(8), torch.randperm(6)
    plain = sinkhorn(cost, a, b, reg=0.05, tol=1e-12)
    mixed = sinkhorn(cost[:, rows][:, :, columns], a[:, rows], b[:, columns], reg=0.05, tol=1e-12)
    torch.testing.assert_close(mixed.plan, plain.plan[:, rows][:, :, columns], atol=1e-10, rtol=0)
    turned = sinkhorn(cost.transpose(1, 2), b, a, reg=0.05, reg_m=(None, 0.3), tol=1e-12)
    straight = sinkhorn(cost, a, b, reg=0.05, reg_m=(0.3, None), tol=1e-12)
    torch.testing.assert_close(turned.plan.transpose(1, 2), straight.plan, atol=1e-10, rtol=0)


@pytest.mark.parametrize("reg_m", [None, (0.5, None)])
def test_no_problem_depends_on_the_others(reg_m):
    easy, a, b = problems(3, 20, 8, dtype=torch.float32)
    hard = problems(1, 20, 8, seed=9, dtype=torch.float32)[0] * 40
    together = sinkhorn(torch.cat([easy, hard]), a[[0, 1, 2, 0]], b[[0, 1, 2, 0]], reg=0.05, reg_m=reg_m)
    assert together.iterations[:3].max() <= together.iterations[3]
    for i in range(3):
        alone = sinkhorn(easy[i], a[i], b[i], reg=0.05, reg_m=reg_m)
        assert int(alone.iterations) == int(together.iterations[i])
        torch.testing.assert_close(together.plan[i], alone.plan, atol=1e-8, rtol=1e-6)
        torch.testing.assert_close(together.value[i], alone.value, atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("reg_m", [None, (0.5, None), 0.5, (0.0, None)])
@pytest.mark.parametrize(
    "case", ["equal", "huge", "one huge", "shifted", "zero row", "single row", "negative"]
)
def test_odd_problems_stay_finite(case, reg_m, dtype):
    cost, a, b = problems(2, 6, 4, dtype=dtype)
    if case == "equal":
        cost = torch.ones_like(cost)
    elif case == "huge":
        cost = cost * 1e6
    elif case == "one huge":
        cost = cost.clone()
        cost[:, 2, 1] = 1e30
    elif case == "shifted":
        cost = cost + 1e4
    elif case == "zero row":
        a = torch.nn.functional.normalize(a * (torch.arange(6) != 3), p=1, dim=1)
        b = torch.nn.functional.normalize(b * (torch.arange(4) != 0), p=1, dim=1)
    elif case == "single row":
        cost, a = cost[:, :1], torch.ones_like(a[:, :1])
    else:
        cost = cost - 5
    leaves = [t.clone().requires_grad_() for t in (cost, a, b)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SinkhornWarning)
        result = sinkhorn(*leaves, reg=0.05, reg_m=reg_m, max_iter=200)
    result.value.sum().backward()
    assert result.value.isfinite().all()
    assert result.plan.isfinite().all()
    assert all(t.grad.isfinite().all() for t in leaves)
    if case == "huge":  # too many iterations: finite is all that can be asked
        return
    assert result.converged.all()
    if reg_m is None:
        assert (result.plan.sum(2) - a).abs().sum(1).max() < 2e-5
        assert (result.plan.sum(1) - b).abs().sum(1).max() < 2e-5


def test_an_empty_side_is_an_empty_plan():
    cost, a, b = problems(2, 5, 3)
    cost.requires_grad_()
    b = b * torch.tensor([[1.0], [0.0]])
    result = sinkhorn(cost, a, b, reg=0.1, reg_m=(0.5, None))
    result.value.sum().backward()
    assert result.plan[1].abs().sum() == 0
    assert result.value[1] == 0
    assert cost.grad.isfinite().all()
    torch.testing.assert_close(
        result.plan[0], sinkhorn(cost[0], a[0], b[0], reg=0.1, reg_m=(0.5, None)).plan.detach()
    )


def test_kinds_of_input():
    cost, a, b = problems(1, 5, 3)
    plain = sinkhorn(cost[0].numpy(), a[0].numpy(), b[0].numpy(), reg=0.1)
    assert plain.plan.shape == (5, 3)
    assert plain.plan.dtype == torch.float64
    assert plain.value.shape == plain.converged.shape == ()
    lists = sinkhorn([[0.0, 1.0], [1.0, 0.0]], [0.5, 0.5], [0.5, 0.5], reg=0.1)
    assert lists.plan.dtype == torch.float32
    shared = sinkhorn(cost.expand(4, 5, 3), a[0], b[0], reg=0.1)
    torch.testing.assert_close(shared.plan[3], plain.plan)
    assert sinkhorn(cost[:0], a[:0], b[:0], reg=0.1).plan.shape == (0, 5, 3)


def test_float32_whatever_the_autocast():
    cost, a, b = problems(2, 6, 4, dtype=torch.float32)
    plain = sinkhorn(cost, a, b, reg=0.05)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = sinkhorn(cost, a, b, reg=0.05)
        assert sinkhorn(cost.bfloat16(), a, b, reg=0.05).plan.dtype == torch.float32
    torch.testing.assert_close(inside.plan, plain.plan, atol=0, rtol=0)


@pytest.mark.parametrize("reg_m", [None, 0.5])
def test_warm_start_saves_iterations(reg_m):
    cost, a, b = problems(3, 30, 12)
    cold = sinkhorn(cost, a, b, reg=0.02, reg_m=reg_m, tol=1e-9)
    warm = sinkhorn(cost, a, b, reg=0.02, reg_m=reg_m, tol=1e-9, potentials=cold.potentials)
    assert (warm.iterations < cold.iterations).all()
    torch.testing.assert_close(warm.plan, cold.plan, atol=1e-8, rtol=0)


def test_one_warning_when_not_converged():
    cost, a, b = problems(4, 30, 12)
    with pytest.warns(SinkhornWarning, match="4 of 4 problems stopped after 3 iterations") as caught:
        result = sinkhorn(cost, a, b, reg=0.005, tol=1e-9, max_iter=3)
    assert len(caught) == 1
    assert not result.converged.any()
    assert (result.iterations == 3).all()
    assert (result.marginal_error > 1e-9).all()
    reached = (result.plan.sum(1) - b).abs().sum(1)
    torch.testing.assert_close(result.marginal_error, reached)


def test_divergence():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(8, 2)), rng.normal(size=(6, 2)) + 1
    a, b = np.full(8, 1 / 8), np.full(6, 1 / 6)
    costs = [((p[:, None] - q[None]) ** 2).sum(-1) for p, q in ((x, y), (x, x), (y, y))]
    values = []
    for cost, p, q in zip(costs, (a, a, b), (b, a, b), strict=True):
        plan = ot.bregman.sinkhorn_log(p, q, cost, 1.0, numItermax=100_000, stopThr=1e-11)
        values.append(objective(plan, cost, p, q, 1.0, np.inf, np.inf))
    apart = sinkhorn_divergence(*costs, a, b, reg=1.0, tol=1e-11)
    assert float(apart) == pytest.approx(values[0] - 0.5 * values[1] - 0.5 * values[2], abs=1e-8)
    same = sinkhorn_divergence(costs[1], costs[1], costs[1], a, a, reg=0.3, tol=1e-11)
    assert float(same) == pytest.approx(0, abs=1e-10)
    relaxed = sinkhorn_divergence(costs[1], costs[1], costs[1], 2 * a, 0.5 * a, reg=0.3, reg_m=1.0, tol=1e-11)
    assert float(relaxed) > 0


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"reg": 0.0}, UsageError, "reg"),
        ({"reg": math.nan}, UsageError, "reg"),
        ({"reg_m": -1.0}, UsageError, "reg_m"),
        ({"reg_m": (1.0, 1.0, 1.0)}, UsageError, "pair"),
        ({"grad": "envelop"}, UsageError, "envelope"),
        ({"max_iter": 0}, UsageError, "max_iter"),
        ({"cost": torch.zeros(2, 5)}, UsageError, "weights a of shape"),
        ({"cost": torch.zeros(5)}, UsageError, "cost of shape"),
        ({"cost": torch.full((1, 5, 3), math.nan)}, DataError, "not finite"),
        ({"a": torch.full((1, 5), -1.0)}, DataError, "weights a"),
        ({"b": torch.full((1, 3), math.nan)}, DataError, "weights b"),
        ({"b": torch.full((1, 3), 0.5)}, DataError, "differ in mass"),
        ({"row_mask": torch.ones(1, 4, dtype=torch.bool)}, UsageError, "mask of shape"),
    ],
)
def test_faulty_arguments_are_refused(change, error, match):
    cost, a, b = problems(1, 5, 3, dtype=torch.float32)
    arguments = {"cost": cost, "a": a, "b": b, "reg": 0.1} | change
    with pytest.raises(error, match=match):
        sinkhorn(arguments.pop("cost"), arguments.pop("a"), arguments.pop("b"), **arguments)
