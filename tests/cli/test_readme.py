"""What the README shows runs as it stands: every block of Python, every command of the newcomer's section."""

import re
import shlex
from pathlib import Path

import pytest

from ecgclip.cli import main
from ecgclip.cli.main import _parser

README = Path(__file__).parents[2] / "README.md"
_FENCE = re.compile(r"```(\w+)\n(.*?)```", re.S)


def _blocks(text: str) -> list[tuple[str, str]]:
    return [(match[1], match[2]) for match in _FENCE.finditer(text)]


def _section(title: str) -> str:
    text = README.read_text(encoding="utf-8")
    return text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def _commands(block: str) -> list[list[str]]:
    lines = (shlex.split(line, comments=True) for line in block.splitlines())
    return [words[1:] for words in lines if words and words[0] == "ecgclip"]


def _own_bank(block: str) -> bool:
    return "phrases:" in block


def test_ten_lines_run(newcomer):
    block = next(text for kind, text in _blocks(README.read_text(encoding="utf-8")) if kind == "python")
    assert len([line for line in block.splitlines() if line]) <= 10
    names: dict[str, object] = {}
    exec(compile(block, "README.md", "exec"), names)
    assert names["classifier"].predict_proba(names["records"]).shape == (5, 3)


def test_what_a_newcomer_tries_runs_in_order(newcomer, tmp_path, monkeypatch):
    for name in ("runs", "recipes"):
        (tmp_path / name).symlink_to(newcomer / name)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    ran = 0
    for kind, text in _blocks(_section("Zero-shot on your own recordings")):
        if kind == "yaml":
            assert _own_bank(text)
            Path("bank.yaml").write_text(text, encoding="utf-8")
        elif kind == "python":
            exec(compile(text, "README.md", "exec"), names)
            ran += 1
        else:
            for argv in _commands(text):
                assert main(argv) == 0, argv
                ran += 1
    assert ran >= 12
    assert set(names["labels"]) == set(names["mine"].classes_)
    assert Path("scores.csv").is_file()
    assert Path("emergency.csv").is_file()


def test_what_measures_and_explains_runs(newcomer, tmp_path, monkeypatch):
    for name in ("runs", "demo"):
        (tmp_path / name).symlink_to(newcomer / name)
    monkeypatch.chdir(tmp_path)
    said = [argv for _, text in _blocks(_section("Measure, compare, explain")) for argv in _commands(text)]
    assert {argv[0] for argv in said} == {"explain", "benchmark", "probe", "compare", "reports"}
    for argv in said:
        if "runs/quickstart" in argv:  # the others read PTB-XL or a second run
            assert main(argv) == 0, argv
        else:
            _parser().parse_args(argv)
    assert Path("sheet.png").is_file()
    assert list(Path("measured/evaluation").glob("*.json"))


def test_own_recordings_train(newcomer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = _blocks(_section("Pretrain"))
    recipe = next(text for kind, text in blocks if kind == "yaml")
    Path("mine.yaml").write_text(recipe, encoding="utf-8")
    argv = next(a for kind, text in blocks if kind == "sh" for a in _commands(text) if "mine.yaml" in a)
    assert main(["simulate", "--n", "100", "--out", "demo"]) == 0
    tiny = ["model.dim=16", "model.signal.kind=resnet", "model.signal.size=tiny", "data.workers=1"]
    tiny += ["schedule.batch_size=32", "schedule.epochs=1"]
    assert main([*argv, *(word for entry in tiny for word in ("--set", entry))]) == 0
    assert Path("runs/mine/model/model.safetensors").is_file()


@pytest.mark.parametrize("path", re.findall(r"\]\(([\w./-]+\.\w+)\)", README.read_text(encoding="utf-8")))
def test_linked_files_are_there(path):
    assert (README.parent / path).is_file()


def test_recipes_that_the_readme_names_are_there():
    named = set(re.findall(r"recipes/\w+\.yaml", README.read_text(encoding="utf-8")))
    there = {f"recipes/{path.name}" for path in (README.parent / "recipes").glob("*.yaml")}
    assert named == there


def test_generated_blocks_are_closed():
    text = README.read_text(encoding="utf-8")
    opened = re.findall(r"<!-- table:([\w-]+) -->", text)
    assert opened
    assert opened == re.findall(r"<!-- /table:([\w-]+) -->", text)
