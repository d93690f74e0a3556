"""A folder as a newcomer has it after the quickstart: a recipe, a finished run, twenty-odd recordings."""

import json
import os
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def inside(folder: Path):
    """Work in a folder, and come back."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)


@pytest.fixture(scope="session")
def quickstart_folder(tiny_run, tmp_path_factory):
    """``recipes/quickstart.yaml`` (a tiny one), its finished run in ``runs/quickstart``; shared by tests."""
    from ecgclip.cli import main

    folder = tmp_path_factory.mktemp("newcomer")
    recipe = json.loads((tiny_run.path / "recipe.json").read_text(encoding="utf-8"))
    recipe["name"] = "quickstart"
    (folder / "recipes").mkdir()
    (folder / "recipes" / "quickstart.yaml").write_text(json.dumps(recipe), encoding="utf-8")
    with inside(folder):
        assert main(["pretrain", "recipes/quickstart.yaml"]) == 0
        assert main(["simulate", "--n", "24", "--seed", "3", "--out", "demo"]) == 0
    return folder


@pytest.fixture
def newcomer(quickstart_folder, monkeypatch):
    """The same folder, as the current one."""
    monkeypatch.chdir(quickstart_folder)
    return quickstart_folder


@pytest.fixture
def command(capsys):
    """Run the command line in this process: ``(status, standard output, standard error)``."""
    from ecgclip.cli import main

    def run(*argv: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            status = main([str(a) for a in argv])
        except SystemExit as stop:
            status = stop.code
        out, err = capsys.readouterr()
        return status, out, err

    return run
