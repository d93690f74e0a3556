"""Time `sinkhorn` forward and backward beside other solvers, at equal achieved marginal error.

    python benchmarks/sinkhorn/bench.py --out benchmarks/sinkhorn/results.json

README.md states the protocol.
"""

import argparse
import datetime
import json
import math
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

CELLS = [(batch, n, m) for batch in (64, 256) for n, m in ((32, 8), (64, 16), (125, 8), (125, 32))]
REGS = (0.1, 0.05)
PLANS = Callable[[], tuple[torch.Tensor, torch.Tensor]]


def problem(batch: int, n: int, m: int, device: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Cosine costs of clustered unit vectors, as between tokens and phrases, and random weights."""
    g = torch.Generator().manual_seed(batch + n + m)
    centres = torch.randn(batch, 6, 64, generator=g)

    def points(count: int) -> torch.Tensor:
        which = torch.randint(0, 6, (batch, count), generator=g)
        x = torch.gather(centres, 1, which[:, :, None].expand(-1, -1, 64))
        return torch.nn.functional.normalize(x + 0.7 * torch.randn(batch, count, 64, generator=g), dim=-1)

    cost = 1 - points(n) @ points(m).transpose(1, 2)
    a, b = torch.rand(batch, n, generator=g) + 0.2, torch.rand(batch, m, generator=g) + 0.2
    weights = (a / a.sum(1, keepdim=True), b / b.sum(1, keepdim=True))
    return cost.to(device), weights[0].to(device), weights[1].to(device)


def ours(cost, a, b, reg, tol):
    from ecgclip.alignment.sinkhorn import sinkhorn

    result = sinkhorn(cost, a, b, reg=reg, tol=tol)
    return result.plan, result.value


def pot_batch(cost, a, b, reg, tol):
    import ot

    result = ot.batch.solve_batch(cost, reg=reg, a=a, b=b, reg_type="kl", tol=tol, max_iter=5000)
    return result.plan, result.value


def pot_loop(cost, a, b, reg, tol):
    import ot

    values, plans = [], []
    for c, x, y in zip(cost, a, b, strict=True):
        value, log = ot.sinkhorn2(x, y, c, reg, stopThr=tol, numItermax=5000, log=True)
        values.append(value)
        plans.append(log["u"][:, None] * torch.exp(-c.detach() / reg) * log["v"][None, :])
    return torch.stack(plans), torch.stack(values)


def geomloss(cost, a, b, reg, iterations):
    from geomloss.ot import solve_batch

    result = solve_batch(cost, reg=reg, a=a, b=b, max_iter=int(iterations))
    return result.plan, result.value


SOLVERS = {
    "ecgclip": ours,
    "ot.batch.solve_batch": pot_batch,
    "loop over ot.sinkhorn2": pot_loop,
    "geomloss": geomloss,
}


def marginal_error(plan, a, b) -> float:
    """Largest L1 distance of a marginal of any problem."""
    plan = plan.detach()
    rows, columns = (plan.sum(2) - a).abs().sum(1), (plan.sum(1) - b).abs().sum(1)
    return float(torch.maximum(rows, columns).max())


def calibrate(name: str, cost, a, b, reg: float, target: float) -> tuple[float, float]:
    """The loosest setting with which a solver's error is at most ``target``, and that error."""
    if name == "ecgclip":
        return target, marginal_error(SOLVERS[name](cost, a, b, reg, target)[0], a, b)
    grid = [2**k for k in range(2, 10)] if name == "geomloss" else [target * 2.0**-k for k in range(-3, 9)]
    error = math.inf
    for setting in grid:
        error = marginal_error(SOLVERS[name](cost, a, b, reg, setting)[0], a, b)
        if error <= target:
            break
    if name == "geomloss" and error <= target:  # it takes a number of iterations: the smallest that does
        low, high = setting // 2, setting
        while high - low > max(1, high // 16):
            middle = (low + high) // 2
            reached = marginal_error(SOLVERS[name](cost, a, b, reg, middle)[0], a, b)
            low, high, error = (low, middle, reached) if reached <= target else (middle, high, error)
        setting = high
    return setting, error


def seconds(name: str, cost, a, b, reg: float, setting: float) -> float:
    """One forward and backward pass."""
    leaf = cost.clone().requires_grad_()
    synchronise(cost)
    start = time.perf_counter()
    _, value = SOLVERS[name](leaf, a, b, reg, setting)
    value.sum().backward()
    synchronise(cost)
    return time.perf_counter() - start


def synchronise(cost) -> None:
    if cost.is_cuda:
        torch.cuda.synchronize()


def available(names: list[str]) -> list[str]:
    found = []
    for name in names:
        try:
            __import__({"geomloss": "geomloss", "ecgclip": "ecgclip"}.get(name, "ot"))
            found.append(name)
        except ImportError:
            print(f"{name}: not installed, left out", file=sys.stderr)
    return found


def measure(cell: tuple[int, int, int], reg: float, options) -> dict[str, object]:
    """All solvers on one problem, taking turns."""
    cost, a, b = problem(*cell, options.device)
    names = available(options.solvers)
    settings = {name: calibrate(name, cost, a, b, reg, options.target) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    for repeat in range(options.repeats):
        for name in names:
            if name == "loop over ot.sinkhorn2" and repeat >= (3 if cell[0] <= 64 else 1):
                continue
            times[name].append(seconds(name, cost, a, b, reg, settings[name][0]))
    rows = {
        name: {
            "median_ms": 1e3 * statistics.median(times[name]),
            "marginal_error": settings[name][1],
            "setting": settings[name][0],
            "ratio": statistics.median(times[name]) / statistics.median(times["ecgclip"]),
        }
        for name in names
    }
    return {"batch": cell[0], "n": cell[1], "m": cell[2], "reg": reg, "solvers": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument(
        "--target", type=float, default=1e-5, help="marginal error (L1) that every solver must reach"
    )
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, nargs="*", help="batch sizes, instead of 64 and 256")
    parser.add_argument("--solvers", nargs="*", default=list(SOLVERS))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    cells = CELLS if not options.batch else [(size, n, m) for size in options.batch for _, n, m in CELLS[:4]]
    results = []
    for cell in cells:
        for reg in REGS:
            row = measure(cell, reg, options)
            results.append(row)
            figures = "  ".join(
                f"{name} {f['median_ms']:.1f} ms ({f['ratio']:.1f}x, {f['marginal_error']:.0e})"
                for name, f in row["solvers"].items()
            )
            print(f"B {cell[0]:4d} n {cell[1]:3d} m {cell[2]:2d} reg {reg:g}: {figures}", flush=True)
    summary = {
        name: statistics.median(r["solvers"][name]["ratio"] for r in results)
        for name in results[0]["solvers"]
    }
    print("median ratio to ecgclip:", {k: round(v, 2) for k, v in summary.items()})
    if options.out:
        import importlib.metadata as metadata

        versions = {}
        for package in ("torch", "pot", "geomloss"):
            try:
                versions[package] = metadata.version(package)
            except metadata.PackageNotFoundError:
                versions[package] = None
        device = torch.cuda.get_device_name() if options.device.startswith("cuda") else platform.processor()
        report = {
            "figure": "seconds of one forward and backward pass, as ratio to ecgclip",
            "median_ratio": summary,
            "rows": results,
            "target_marginal_error": options.target,
            "machine": {
                "device": device or platform.machine(),
                "cores": os.cpu_count(),
                "threads": options.threads,
            },
            "versions": {"python": platform.python_version(), **versions},
            "command": "python benchmarks/sinkhorn/bench.py " + " ".join(sys.argv[1:]),
            "date": datetime.date.today().isoformat(),
        }
        partial = options.out.with_suffix(".part")
        partial.write_text(json.dumps(report, indent=1) + "\n")
        os.replace(partial, options.out)


if __name__ == "__main__":
    main()
