"""A run killed at any moment, in preparation or in training, ends with the weights of one never killed."""

import copy
import json
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ecgclip.training import pretrain
from ecgclip.training.run_folder import read_checkpoint

STEPS = 45
TRAIN = (
    "import json, sys\n"
    "from ecgclip.training import pretrain\n"
    "pretrain(json.load(open(sys.argv[1])), out=sys.argv[2])\n"
)


def start(recipe: Path, out: Path) -> subprocess.Popen:
    """Start a training in a process group of its own, so that a kill takes its workers along."""
    return subprocess.Popen(
        [sys.executable, "-c", TRAIN, str(recipe), str(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=out.parent,
    )


def killed(process: subprocess.Popen, after: float) -> bool:
    """Kill the process after some seconds; False where it had ended by then."""
    try:
        process.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return True
    assert process.returncode == 0
    return False


def last_step(run: Path) -> int:
    """The last step that a run told of."""
    file = run / "metrics.jsonl"
    whole = file.read_text().split("\n")[:-1] if file.exists() else []
    return max((json.loads(line)["step"] for line in whole), default=0)


def weights(run: Path) -> list[bytes]:
    return [(run / "model" / name).read_bytes() for name in ("model.safetensors", "model.json")]


@pytest.fixture
def setup(tiny_recipe, tmp_path):
    """Write a recipe of 45 steps, its store unprepared where ``prepared`` is False."""

    def make(*, prepared: bool, name: str) -> tuple[Path, Path]:
        recipe = copy.deepcopy(tiny_recipe)
        recipe["schedule"] |= {"epochs": 5, "batch_size": 16, "validate_every": 2, "micro_batch": 10}
        if not prepared:
            recipe["data"]["store"] = str(tmp_path / f"{name}-store")
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(recipe))
        return file, tmp_path / name

    return make


def finish(recipe: Path, run: Path) -> str:
    process = start(recipe, run)
    _, told = process.communicate(timeout=600)
    assert process.returncode == 0, told
    return told


def wait_for(what, process: subprocess.Popen) -> None:
    """Wait until ``what()`` holds, or the process has ended."""
    while not what():
        try:
            process.wait(timeout=0.02)
            return
        except subprocess.TimeoutExpired:
            continue


def test_two_kills_change_no_bit(setup):
    recipe, whole = setup(prepared=True, name="whole")
    pretrain(json.loads(recipe.read_text()), out=whole, report=lambda line: None)
    recipe, run = setup(prepared=True, name="killed")
    draw = random.Random(time.time_ns())
    for checkpoints in (1, 2):
        process = start(recipe, run)
        seen: set[int] = set()

        def more(seen=seen) -> bool:
            file = run / "checkpoints" / "last.pt"
            if file.exists():
                seen.add(file.stat().st_mtime_ns)
            return len(seen) > checkpoints  # noqa: B023 - called in this round only

        wait_for(more, process)
        assert killed(process, after=draw.uniform(0.0, 0.3))
        before = read_checkpoint(run)["step"]
        assert 0 < before < STEPS
        assert last_step(run) - before < STEPS * 0.05
    told = finish(recipe, run)
    assert re.search(rf"goes on at step {before} of {STEPS}", told)
    assert weights(run) == weights(whole)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in lines if "loss" in line]
    assert steps == sorted(set(steps))
    assert not list(run.rglob(".*"))


@pytest.mark.slow
def test_ten_kills_in_preparation_and_training_change_no_bit(setup):
    recipe, whole = setup(prepared=False, name="whole")
    began = time.monotonic()
    finish(recipe, whole)
    lasts = time.monotonic() - began
    draw = random.Random(time.time_ns())
    kills, round_ = 0, 0
    recipe, run = setup(prepared=False, name="killed-0")
    while kills < 10:
        if killed(start(recipe, run), after=draw.uniform(0.1, lasts)):
            kills += 1
            state = read_checkpoint(run) if run.exists() else None
            if state is not None:
                assert last_step(run) - state["step"] < max(2, STEPS * 0.05)
        else:  # it came through: prove it and go on with a fresh one
            assert weights(run) == weights(whole)
            round_ += 1
            recipe, run = setup(prepared=False, name=f"killed-{round_}")
    finish(recipe, run)
    assert weights(run) == weights(whole)
    assert not list(run.rglob(".*"))
