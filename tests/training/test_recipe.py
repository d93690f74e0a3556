"""A recipe is read as people mean it, and all its faults are told at once, with line and near matches."""

from pathlib import Path

import numpy as np
import pytest

from ecgclip.errors import UsageError
from ecgclip.training import Recipe, load_recipe
from ecgclip.training.yaml import read_yaml, yaml_value

RECIPES = sorted((Path(__file__).parents[2] / "recipes").rglob("*.yaml"))
OBJECTIVES = [path for path in RECIPES if path.parent.name == "objectives"]

GOOD = """\
name: mine
data:
  corpus:
    kind: simulated
    n: 200
objective:
  - kind: infonce
  - kind: local
    scale: beat
"""


@pytest.fixture
def write(tmp_path):
    def make(text):
        path = tmp_path / "recipe.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return make


def fault(source, overrides=None):
    with pytest.raises(UsageError) as caught:
        load_recipe(source, overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("path", RECIPES, ids=[path.stem for path in RECIPES])
def test_shipped_recipes_are_good_and_have_a_header(path):
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert path.read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("path", OBJECTIVES, ids=[path.stem for path in OBJECTIVES])
def test_objectives_differ_from_ours_in_the_objective_alone(path):
    ours = load_recipe(path.parents[1] / "ptbxl.yaml").to_dict()
    theirs = load_recipe(path).to_dict()
    assert {key for key in ours if ours[key] != theirs[key]} == {"name", "objective"}


def test_a_recipe_outlives_its_own_writing(write):
    recipe = load_recipe(write(GOOD))
    assert load_recipe(recipe.to_dict()) == recipe
    assert load_recipe(recipe) == recipe
    assert isinstance(recipe, Recipe)


def test_all_faults_are_told_at_once_with_line_and_near_matches(write):
    told = fault(
        write(
            "name: mine\n"
            "sede: 3\n"
            "data:\n"
            "  corpus:\n"
            "    kind: simulated\n"
            "    n: lots\n"
            "objective:\n"
            "  - kind: infonce\n"
            "  - kind: local\n"
            "    scale: beet\n"
            "    wieght: 2\n"
            "optimizer:\n"
            "  lr: fast\n"
            "schedule:\n"
            "  epochs: 2.5\n"
        )
    )
    faults = told.split("; ")
    assert len(faults) == 6
    for line, key, words in (
        (2, "sede", "did you mean seed"),
        (6, "data.corpus.n", "integer"),
        (10, "objective.1.scale", "'token' or 'beat'"),
        (11, "objective.1.wieght", "did you mean weight"),
        (13, "optimizer.lr", "number"),
        (15, "schedule.epochs", "integer"),
    ):
        assert any(f"line {line}: {key}:" in each and words in each for each in faults), (key, told)


def test_what_is_required_and_which_kinds_there_are(write):
    told = fault(write("name: mine\ndata:\n  corpus:\n    kind: simulatd\n"))
    assert "objective: is required and absent" in told
    assert "data.corpus" in told
    assert "'simulated'" in told
    assert "mimic-iv-ecg" in told


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("optimizer.lr", float("inf")),
        ("optimizer.lr", float("nan")),
        ("optimizer.lr", 0.0),
        ("optimizer.beta_1", 1.0),
        ("schedule.epochs", 0),
        ("schedule.epochs", True),
        ("schedule.epochs", "3"),
        ("schedule.batch_size", 1),
        ("schedule.checkpoints", 10),
        ("model.local.width", 0),
        ("name", "../elsewhere"),
        ("name", ""),
        ("reports.statement_sampling", "no"),
        ("data", None),
        ("augmentation.lead_drop", 1.5),
    ],
)
def test_values_out_of_range_or_of_another_type_are_refused(write, key, value):
    assert key.split(".")[0] in fault(write(GOOD), {key: value})


def test_numbers_and_words_are_read_as_people_mean_them(write):
    found = read_yaml(
        write(
            "a: 1e-4\nb: 1E3\nc: 010\nd: 12:30\ne: no\nf: off\ng: true\nh: 0007\ni: 2020-01-01\nj: .5\nk: 1_000\n"
            "l: ~\nm:\nn: '1'\no: -3\np: 0x10\nq: 1.\nr: [1e-3, yes]\n"
        )
    )
    assert found == {
        "a": 1e-4, "b": 1000.0, "c": "010", "d": "12:30", "e": "no", "f": "off", "g": True, "h": "0007",
        "i": "2020-01-01", "j": 0.5, "k": "1_000", "l": None, "m": None, "n": "1", "o": -3, "p": "0x10", "q": 1.0,
        "r": [1e-3, "yes"],
    }  # fmt: skip
    assert isinstance(found["b"], float)
    assert isinstance(found["o"], int)


def test_a_folder_of_digits_stays_a_word(write):
    recipe = load_recipe(write(GOOD + "start_from: 0012\n"))
    assert recipe.start_from == "0012"


def test_scientific_notation_reaches_the_recipe(write):
    assert load_recipe(write(GOOD + "optimizer:\n  lr: 1e-4\n")).optimizer.lr == 1e-4


def test_a_key_that_stands_twice_is_refused_with_its_line(write):
    told = fault(write(GOOD + "seed: 1\nseed: 2\n"))
    assert "line 11" in told
    assert "'seed'" in told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a\n- b\n", "mapping"),
        ("", "mapping"),
        ("name: [unclosed\n", "not YAML"),
        ("a: &x [1]\nb: *x\n", "alias"),
        ("a: &x [*x]\n", "alias"),
        ("a: !!python/object/apply:os.system ['true']\n", "a: unknown key"),
        ("a: 1\n---\nb: 2\n", "not YAML"),
        ("\tname: x\n", "not YAML"),
    ],
)
def test_what_is_no_recipe_is_told_in_one_line(write, text, words):
    assert words in fault(write(text))


def test_a_file_that_is_absent_or_no_text(tmp_path):
    assert "cannot be read" in fault(tmp_path / "absent.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in fault(tmp_path / "binary.yaml")
    assert "cannot be read" in fault(tmp_path)


def test_overrides_are_left_as_they_were_given(write):
    shared = [{"kind": "infonce"}, {"kind": "local", "plan": "transport"}]
    path = write(GOOD)
    changed = load_recipe(path, {"objective": shared, "objective.1.plan": "attention"})
    assert changed.to_dict()["objective"][1]["plan"] == "attention"
    assert load_recipe(path, {"objective": shared}).to_dict()["objective"][1]["plan"] == "transport"


def test_overrides_reach_every_depth_and_lists(write):
    recipe = load_recipe(
        write(GOOD),
        {
            "optimizer.lr": 1e-3,
            "objective.1.weight": 2.0,
            "model.text": {"kind": "huggingface", "name": "somewhere"},
            "model.text.frozen": False,
            "model.local": None,
            "seed": 7,
        },
    )
    assert recipe.optimizer.lr == 1e-3
    assert recipe.objective[1].weight == 2.0
    assert recipe.model.text.frozen is False
    assert recipe.model.local is None
    assert recipe.seed == 7


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("optimizer.rl", "optimizer.rl"),
        ("optimiser.lr", "did you mean optimizer"),
        ("objective.7.weight", "'7'"),
        ("objective.first.weight", "'first'"),
        ("seed.x", "seed"),
    ],
)
def test_an_override_that_fits_nowhere_is_refused(write, key, words):
    assert words in fault(write(GOOD), {key: 1.0})


def test_a_value_of_the_command_line_is_read_like_the_files():
    assert yaml_value("1e-4") == 1e-4
    assert yaml_value("no") == "no"
    assert yaml_value("[1, 2]") == [1, 2]
    assert yaml_value("{kind: bag}") == {"kind": "bag"}
    assert yaml_value("") is None
    with pytest.raises(UsageError, match="--set"):
        yaml_value("[1")


def test_a_value_that_no_recipe_can_hold_is_told():
    assert "recipe" in fault({"name": object()})


def test_numbers_of_numpy_are_numbers(write):
    found = load_recipe(write(GOOD), {"seed": np.int64(3), "optimizer.lr": np.float32(0.5)})
    assert (found.seed, found.optimizer.lr) == (3, 0.5)


@pytest.mark.parametrize("source", [None, 3, ["name"]])
def test_what_is_no_recipe_is_refused(source):
    with pytest.raises(UsageError, match="a mapping or a Recipe, got"):
        load_recipe(source)


def test_an_override_that_is_no_key_is_refused(write):
    with pytest.raises(UsageError, match="override 3"):
        load_recipe(write(GOOD), {3: 1})
