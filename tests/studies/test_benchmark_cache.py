"""Arrays come from the cache only where they follow from the very facts that are asked for."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import ecgclip
from ecgclip.studies.benchmark.cache import FIGURES, TWIN, Cache, code_hash

FACTS = {"model": "a", "store": "b", "view": {"leads": "I", "severity": 0.1}}


@pytest.fixture
def filled(tmp_path):
    cache = Cache(tmp_path / "cache")
    cache.arrays("scores", FACTS, lambda: {"x": np.arange(6.0).reshape(2, 3)})
    return cache


def never():
    raise AssertionError("it is in the cache")


def test_it_is_computed_once(filled):
    assert np.array_equal(filled.arrays("scores", FACTS, never)["x"], np.arange(6.0).reshape(2, 3))
    assert (filled.hits, filled.misses) == (1, 1)


@pytest.mark.parametrize(
    "other",
    [{**FACTS, "model": "c"}, {**FACTS, "store": "c"}, {**FACTS, "view": {"leads": "I", "severity": 0.2}}],
)
def test_other_facts_are_computed_anew(filled, other):
    assert filled.arrays("scores", other, lambda: {"x": np.ones(1)})["x"].tolist() == [1.0]


def test_a_file_of_other_data_under_the_right_name_is_not_used(filled):
    (file,) = filled.folder.glob("*.npz")
    other = Cache(filled.folder.parent / "other")
    other.arrays("scores", {**FACTS, "store": "c"}, lambda: {"x": np.zeros(2)})
    shutil.copy(next(iter(other.folder.glob("*.npz"))), file)
    assert filled.arrays("scores", FACTS, lambda: {"x": np.ones(1)})["x"].tolist() == [1.0]
    assert filled.arrays("scores", FACTS, never)["x"].tolist() == [1.0]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 rubbish", None])
def test_a_damaged_file_is_computed_anew(filled, damage):
    (file,) = filled.folder.glob("*.npz")
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2] if damage is None else damage)
    assert filled.arrays("scores", FACTS, lambda: {"x": np.ones(1)})["x"].tolist() == [1.0]


def test_a_killed_computation_leaves_nothing(tmp_path):
    cache = Cache(tmp_path / "cache")

    def killed():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.arrays("scores", FACTS, killed)
    assert not list(tmp_path.rglob("*.npz"))


def test_a_twin_follows_from_the_file_that_trains_it(tmp_path, monkeypatch):
    root = tmp_path / "ecgclip"
    shutil.copytree(Path(ecgclip.__file__).parent, root, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(ecgclip, "__file__", str(root / "__init__.py"))
    before = code_hash.__wrapped__(TWIN)
    file = root / "studies" / "supervised.py"
    file.write_text(file.read_text() + "# another line\n")
    assert code_hash.__wrapped__(TWIN) != before
    assert all((root / place).exists() for place in TWIN)


@pytest.mark.parametrize(
    ("room", "features_too"), [("models", True), ("evaluation", False), ("studies", False)]
)
def test_figures_follow_from_more_code_than_features(room, features_too, tmp_path, monkeypatch):
    root = tmp_path / "ecgclip"
    shutil.copytree(Path(ecgclip.__file__).parent, root, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(ecgclip, "__file__", str(root / "__init__.py"))
    before = code_hash.__wrapped__(), code_hash.__wrapped__(FIGURES)
    file = next(iter(sorted((root / room).rglob("*.py"))))
    file.write_text(file.read_text() + "# another line\n")
    after = code_hash.__wrapped__(), code_hash.__wrapped__(FIGURES)
    assert (before[0] != after[0]) == features_too
    assert before[1] != after[1]
