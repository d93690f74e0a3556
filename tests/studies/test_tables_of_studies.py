"""The studies' tables are made from their results files, to the digit."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ecgclip.studies.ablation import explore, read_variants
from ecgclip.studies.ablation.phases import PHASES, Phase

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def tables(study, *argv):
    script = BENCHMARKS / study / "tables.py"
    return subprocess.run(
        [sys.executable, str(script), *map(str, argv)], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("study", ["ablation", "objectives"])
def test_readme_tables_are_those_of_the_results(study):
    done = tables(study, "--check")
    assert done.returncode == 0, done.stderr


def test_readme_tables_of_protocols_are_those_of_the_results():
    argv = [sys.executable, str(BENCHMARKS / "protocols.py"), "--check"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_table_of_a_rotation_says_what_the_cells_say(
    rotations, folded_store, quick_recipe, tmp_path, monkeypatch
):
    monkeypatch.setitem(PHASES, "explore", Phase("explore", (1, 2), 0))
    _, found = rotations
    (tmp_path / "quick.yaml").write_text(json.dumps(quick_recipe))
    plans = {name: {"set": {"objective.1.plan": name}} for name in found}
    group = {"title": "plans", "against": "uniform", "recipe": "quick.yaml", "variants": plans}
    (tmp_path / "variants.yaml").write_text(json.dumps({"plans": group}))
    out = tmp_path / "out"
    shutil.copytree(rotations[0], out / "explore")
    variants = read_variants(tmp_path / "variants.yaml")
    results = tmp_path / "results" / "explore.json"
    explore(variants, folded_store.path, out=out, results=results, folds=[1, 2], draws=50)
    shutil.copy(BENCHMARKS / "ablation" / "README.md", tmp_path)
    assert tables("ablation", "--folder", tmp_path, "--check").returncode == 1
    assert tables("ablation", "--folder", tmp_path).returncode == 0
    assert tables("ablation", "--folder", tmp_path, "--check").returncode == 0
    text = (tmp_path / "README.md").read_text()
    for name, rotation in found.items():
        means = [rotation.cells[fold].record["mean"] for fold in (1, 2)]
        assert f"| `{name}` | 2 of 2 | {sum(means) / 2:.3f} |" in text
    assert "Difference from `uniform`" in text


@pytest.mark.slow
def test_objectives_are_run_once_and_tabled(folded_store, quick_recipe, tmp_path):
    (tmp_path / "quick.yaml").write_text(json.dumps(quick_recipe))
    group = {"title": "one", "recipe": "quick.yaml", "variants": {"quick": {"set": {"model.local": None}}}}
    group["set"] = {"objective": [{"kind": "infonce"}]}
    (tmp_path / "variants.yaml").write_text(json.dumps({"one": group}))
    argv = [sys.executable, BENCHMARKS / "objectives" / "run.py", "--data", folded_store.path, "--seeds", "4"]
    argv += ["--out", tmp_path / "out", "--file", tmp_path / "variants.yaml", "--variants", "quick"]
    argv += ["--results", tmp_path / "results", "--test-fold", "4"]
    for _ in range(2):
        done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert "trains" not in done.stderr
    run = json.loads((tmp_path / "results" / "quick-seed4.json").read_text())
    assert (run["seed"], run["recipe"]["seed"]) == (4, 4)
    assert run["recipe"]["data"]["train_folds"] == [1, 2]
    assert run["recipe"]["data"]["validation_folds"] == [3]
    assert set(run["probe"]) >= {"0.1", "1"}
    shutil.copy(BENCHMARKS / "objectives" / "README.md", tmp_path)
    assert tables("objectives", "--folder", tmp_path).returncode == 0
    assert f"| `quick` | 1 | {run['mean']:.3f} |" in (tmp_path / "README.md").read_text()
