"""What a wheel holds, what a recipe promises, and what the package says that it exports."""

import importlib
import json
import os
import pkgutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import ecgclip

ROOT = Path(__file__).parents[1]
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
_PARTS = ("Needs", "Command", "Expected")


def _rooms() -> list[str]:
    return [name for _, name, package in pkgutil.walk_packages(ecgclip.__path__, "ecgclip.") if package]


def test_exported_names_are_sorted_and_resolve():
    assert ecgclip.__all__ == sorted(ecgclip.__all__)
    assert dir(ecgclip) == ecgclip.__all__
    for name in ecgclip.__all__:
        assert getattr(ecgclip, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'pretrian'"):
        _ = ecgclip.pretrian


@pytest.mark.parametrize("room", _rooms())
def test_names_that_a_room_exports_resolve(room):
    module = importlib.import_module(room)
    for name in getattr(module, "__all__", ()):
        assert hasattr(module, name), f"{room}.__all__ names {name}"


def test_the_programming_surface_is_whole():
    surface = "ECGRecord ECGTextModel PromptBank ZeroShotClassifier evaluate explain pretrain read_record"
    assert {*surface.split(), "simulate", "sinkhorn"} <= set(ecgclip.__all__)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_load_and_have_a_header(path):
    from ecgclip.training.recipe import load_recipe

    recipe = load_recipe(path)
    assert recipe.name == path.stem
    header = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    for part in _PARTS:
        assert any(line.startswith(f"# {part} ") for line in header), f"{path.name}: no {part}"


def test_a_resolved_recipe_is_the_same_recipe():
    from ecgclip.training.recipe import load_recipe

    for path in RECIPES:
        recipe = load_recipe(path)
        assert load_recipe(recipe.to_dict()) == recipe


def test_the_packaged_quickstart_is_the_one_in_recipes():
    from ecgclip.cli.pretrain import quickstart

    assert Path(quickstart()).read_bytes() == (ROOT / "recipes" / "quickstart.yaml").read_bytes()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """A wheel of the working tree, built without a network."""
    pytest.importorskip("setuptools", minversion="64", reason="building a wheel here needs setuptools")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "ecgclip"):
        (source / name).symlink_to(ROOT / name)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    build += ["--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(source)]
    done = subprocess.run(build, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


def test_a_wheel_holds_every_data_file(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    data = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "ecgclip").rglob("*")
        if path.suffix in (".yaml", ".json", ".csv", ".css", ".js", ".typed")
    }
    assert len(data) >= 10
    assert data <= held
    assert not [name for name in held if name.startswith(("tests", "benchmarks", "recipes"))]
    assert [name for name in held if name.endswith("LICENSE")]


def test_an_installed_wheel_trains_without_a_clone(wheel, tmp_path):
    installed = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    code = (
        "import ecgclip, json\n"
        "from ecgclip.cli.pretrain import quickstart\n"
        "assert ecgclip.simulate(n=2).record(1).signal.shape == (12, 1000)\n"
        "from ecgclip.prompts import BANKS, PromptBank\n"
        "from ecgclip.reports import findings\n"
        "from ecgclip.training.recipe import load_recipe\n"
        "print(json.dumps([ecgclip.__file__, quickstart(), load_recipe(quickstart()).name,"
        " [len(PromptBank.load(name)) for name in BANKS], findings('Vorhofflimmern')[0].text]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert done.returncode == 0, done.stderr
    home, recipe, name, banks, text = json.loads(done.stdout)
    assert Path(home).is_relative_to(installed)
    assert Path(recipe).is_relative_to(installed)
    assert name == "quickstart"
    assert min(banks) >= 5
    assert text == "atrial fibrillation"


def test_make_lists_its_targets():
    make = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True)
    if make.returncode == 127:
        pytest.skip("no make here")
    for target in ["install", "pretrain", "test", "test-slow", "lint", "format", "benchmark", "clean"]:
        assert f"\n  {target} " in make.stdout
    for variable in ["PYTHON", "RECIPE", "DATA", "NPROC", "ARGS", "MODEL"]:
        assert f"\n  {variable} " in make.stdout


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ([], ".venv/bin/ecgclip pretrain recipes/quickstart.yaml"),
        (
            ["RECIPE=recipes/ptbxl.yaml", "DATA=ptb-xl", "ARGS=--seed 1"],
            ".venv/bin/ecgclip pretrain recipes/ptbxl.yaml --data ptb-xl --seed 1",
        ),
        (["NPROC=2"], "--num_processes 2"),
    ],
)
def test_make_pretrain_runs_what_it_says(variables, expected):
    make = subprocess.run(["make", "-n", "pretrain", *variables], cwd=ROOT, capture_output=True, text=True)
    assert make.returncode == 0, make.stderr
    assert expected in make.stdout
    assert ("accelerate launch" in make.stdout) == (variables == ["NPROC=2"])
