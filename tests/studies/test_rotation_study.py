"""Variants, phases and the decision: what is explored can be looked at, what is confirmed is confirmed once."""

import copy
import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import yaml

from ecgclip.errors import DataError, UsageError
from ecgclip.studies.ablation import confirm, explore, read_decision, read_variants
from ecgclip.studies.ablation.phases import PHASES, Phase, claim_confirmation, phase_folds
from ecgclip.studies.comparison import compare_family
from ecgclip.studies.rotation import Rotation, cell_job
from ecgclip.training.recipe import load_recipe

ABLATION = Path(__file__).parents[2] / "benchmarks" / "ablation"

DECISION = {
    "date": "2026-11-22",
    "why": "it was best on the exploring folds",
    "families": [
        {"name": "controls", "formulation": "attention", "measure": "macro", "against": ["uniform"]}
    ],
}


@pytest.fixture
def files(quick_recipe, tmp_path):
    """A recipe, two variants of it and a decision, as files."""
    (tmp_path / "quick.yaml").write_text(yaml.safe_dump(quick_recipe))
    variants = {
        "controls": {
            "title": "the coupling",
            "against": "uniform",
            "recipe": "quick.yaml",
            "set": {"schedule.epochs": 1},
            "variants": {
                "attention": {"set": {"objective.1.plan": "attention"}, "note": "as it is"},
                "uniform": {"set": {"objective.1.plan": "uniform"}},
            },
        }
    }
    (tmp_path / "variants.yaml").write_text(yaml.safe_dump(variants))
    (tmp_path / "decision.yaml").write_text(yaml.safe_dump(DECISION))
    return tmp_path


@pytest.fixture
def out(rotations, files, monkeypatch):
    """A study's folder with the cells of both variants in both phases, whose folds are two of the small store's."""
    for name in ("explore", "confirm"):
        monkeypatch.setitem(PHASES, name, Phase(name, (1, 2), 0))
        shutil.copytree(rotations[0], files / "out" / name)
    return files / "out"


def test_the_phases_share_no_fold_and_no_seed():
    one, two = PHASES["explore"], PHASES["confirm"]
    assert sorted(one.folds + two.folds) == list(range(1, 11))
    assert one.seed != two.seed
    assert phase_folds(one, [2]) == (2,)
    with pytest.raises(UsageError, match="fold 6 is none of --phase explore"):
        phase_folds(one, [6])


@pytest.mark.parametrize(
    "name",
    sorted(
        name
        for group in yaml.safe_load((ABLATION / "variants.yaml").read_text()).values()
        for name in group["variants"]
    ),
)
def test_every_shipped_variant_has_a_recipe(name):
    variant = read_variants(ABLATION / "variants.yaml", [name])[name]
    assert variant.recipe.name == name
    assert variant.recipe.data.corpus.kind == "ptb-xl"


def test_shipped_variants_differ_in_their_objective_and_reports_alone():
    variants = read_variants(ABLATION / "variants.yaml")
    base = load_recipe(ABLATION.parents[1] / "recipes" / "ptbxl.yaml")
    for variant in variants.values():
        for part in ("data", "preprocessing", "augmentation", "optimizer", "schedule", "seed"):
            assert getattr(variant.recipe, part) == getattr(base, part), (variant.name, part)
        assert variant.recipe.model.signal == base.model.signal
        assert variant.against in variants


def test_variants_are_chosen_by_name_or_group(files):
    file = files / "variants.yaml"
    assert list(read_variants(file)) == ["attention", "uniform"]
    assert list(read_variants(file, ["uniform", "controls"])) == ["uniform", "attention"]
    found = read_variants(file, ["attention"], overrides={"schedule.epochs": 7})["attention"]
    assert (found.group, found.against, found.recipe.schedule.epochs) == ("controls", "uniform", 7)
    with pytest.raises(UsageError, match="did you mean uniform"):
        read_variants(file, ["uniforn"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"set": {"objective.1.plann": "uniform"}}, "plann"),
        ({"sets": {}}, "did you mean set"),
        ({"recipe": "absent.yaml"}, "absent.yaml"),
    ],
)
def test_a_wrong_variant_is_told(files, change, words):
    file = files / "variants.yaml"
    values = yaml.safe_load(file.read_text())
    values["controls"]["variants"]["attention"] = change
    file.write_text(yaml.safe_dump(values))
    with pytest.raises(UsageError, match=words) as caught:
        read_variants(file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"date": "soon"}, "date"),
        ({"families": []}, "families"),
        ({"families": [{**DECISION["families"][0], "measure": "makro"}]}, "did you mean macro"),
        ({"families": [{**DECISION["families"][0], "against": ["attention"]}]}, "with itself"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_wrong_decision_is_told(files, change, words):
    file = files / "decision.yaml"
    file.write_text(yaml.safe_dump({**DECISION, **change}))
    with pytest.raises(UsageError, match=words):
        read_decision(file)
    file.unlink()
    with pytest.raises(UsageError, match="is absent: write down"):
        read_decision(file)


def test_exploring_grows_one_file(files, out, folded_store):
    file, results = files / "variants.yaml", files / "results" / "explore.json"
    unfinished = read_variants(file, ["attention"])["attention"].recipe
    job = cell_job(unfinished, folded_store, fold=1, seed=0, out=out / "explore")
    (job.folder / "cell.json").unlink()
    told = []
    one = read_variants(file, ["attention"])
    explore(one, folded_store.path, out=out, results=results, folds=[1], draws=20, report=told.append)
    assert any("cell 1 of 1 | fold 1 | attention" in line and "0 s left" in line for line in told)
    found = explore(read_variants(file), folded_store.path, out=out, results=results, draws=20)
    assert found == json.loads(results.read_text())
    assert set(found["variants"]) == {"attention", "uniform"}
    assert list(found["variants"]["attention"]["folds"]) == ["1", "2"]
    assert found["variants"]["uniform"]["recipe"]["objective"][1]["plan"] == "uniform"
    assert found["differences"]["controls"]["against"] == "uniform"
    row = found["differences"]["controls"]["measures"]["macro"][0]
    means = [found["variants"][name]["mean"]["macro"] for name in ("attention", "uniform")]
    assert row["difference"] == pytest.approx(means[0] - means[1], abs=1e-12)
    assert (
        explore(one, folded_store.path, out=out, results=results, draws=20)["differences"]
        == found["differences"]
    )
    with pytest.raises(UsageError, match="none of --phase explore"):
        explore(read_variants(file), folded_store.path, out=out, results=results, folds=[9])


def test_confirming_happens_once(files, out, folded_store):
    variants, decision = read_variants(files / "variants.yaml"), read_decision(files / "decision.yaml")
    results = files / "results" / "confirm.json"
    found = confirm(variants, decision, folded_store.path, out=out, results=results, draws=50)
    assert found["complete"] is True
    assert found["decision"]["date"] == "2026-11-22"
    row = found["families"][0]["differences"][0]
    made = {n: Rotation.open(out / "confirm" / f"{n}.rotation.json") for n in ("attention", "uniform")}
    direct = compare_family(made["attention"], {"uniform": made["uniform"]}, "macro", draws=50)[0]
    assert (row["difference"], row["low"], row["p_holm"]) == (direct.difference, direct.low, direct.p_holm)
    beside = found["families"][0]["other_measures"]
    assert "macro" not in beside
    other = compare_family(made["attention"], {"uniform": made["uniform"]}, "probe-10", draws=50)[0]
    assert beside["probe-10"][0]["difference"] == other.difference
    assert beside["probe-10"][0]["p_holm"] is None
    assert confirm(variants, decision, folded_store.path, out=out, results=results, draws=50) == found
    other = decision.model_copy(update={"why": "after a look"})
    edited = {**variants, "uniform": read_variants(files / "variants.yaml", overrides={"seed": 3})["uniform"]}
    for name, chosen, which in (("decision", other, variants), ("recipe", decision, edited)):
        with pytest.raises(DataError, match=f"another {name}.* was confirmed before"):
            confirm(which, chosen, folded_store.path, out=files / "new", results=results, draws=50)
    assert not (files / "new").exists()


def test_nothing_is_compared_before_all_folds_are_there(files, out, folded_store, monkeypatch):
    monkeypatch.setitem(PHASES, "confirm", Phase("confirm", (1, 2, 3), 0))
    variants, decision = read_variants(files / "variants.yaml"), read_decision(files / "decision.yaml")
    results = files / "results" / "confirm.json"
    part = confirm(variants, decision, folded_store.path, out=out, results=results, folds=[1, 2], draws=50)
    assert part["complete"] is False
    assert "families" not in part


def test_families_are_compared_before_what_is_only_reported(files, out, folded_store):
    variants = read_variants(files / "variants.yaml")
    variants["later"] = dataclasses.replace(variants["uniform"], name="later")
    decision = read_decision(files / "decision.yaml").model_copy(update={"reported": ("later",)})
    results = files / "results" / "confirm.json"
    states = []

    def look(line):
        states.append(json.loads(results.read_text()) if results.is_file() else None)

    found = confirm(variants, decision, folded_store.path, out=out, results=results, draws=50, report=look)
    assert states[0] is None
    assert states[-1]["families"] == found["families"]
    assert states[-1]["reported"] == []
    assert [row["name"] for row in found["reported"]] == ["later"]


def test_a_claim_is_of_one_store(files, quick_recipe):
    decision = read_decision(files / "decision.yaml")
    recipes = {name: load_recipe(copy.deepcopy(quick_recipe)) for name in decision.variants}
    claim_confirmation(files / "kept.json", decision, recipes, "a")
    assert claim_confirmation(files / "kept.json", decision, recipes, "a")["store"] == "a"
    with pytest.raises(DataError, match="another store"):
        claim_confirmation(files / "kept.json", decision, recipes, "b")
