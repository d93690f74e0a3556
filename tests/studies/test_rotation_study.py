"""Variants, phases and the decision: what is explored can be looked at, what is confirmed is confirmed once."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ecgclip.corpora import prepare, simulate
from ecgclip.errors import DataError, UsageError
from ecgclip.signals import Preprocessor
from ecgclip.studies.comparison import compare_family
from ecgclip.studies.rotation_kept import Rotation
from ecgclip.studies.rotation_phases import PHASES, claim_confirmation, phase_folds, read_decision
from ecgclip.studies.rotation_study import confirm, explore
from ecgclip.studies.rotation_variants import read_variants
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


@pytest.fixture(scope="session")
def ten_folds(tmp_path_factory):
    """Simulated recordings in ten folds, every fold with twenty of them."""
    corpus = simulate(n=60, seed=9)
    table = corpus.table.assign(fold=[k % 10 + 1 for k in range(60)], split="")
    folder = tmp_path_factory.mktemp("ten") / "store"
    return prepare(replace(corpus, table=table), Preprocessor(), folder, workers=1)


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


def test_exploring_grows_one_file(files, ten_folds):
    file, results = files / "variants.yaml", files / "results" / "explore.json"
    told = []
    one = read_variants(file, ["attention"])
    explore(one, ten_folds.path, out=files / "out", results=results, folds=[1], draws=20, report=told.append)
    assert any("cell 1 of 1 | fold 1 | attention" in line and "left" in line for line in told)
    both = read_variants(file)
    found = explore(both, ten_folds.path, out=files / "out", results=results, folds=[1], draws=20)
    assert found == json.loads(results.read_text())
    assert set(found["variants"]) == {"attention", "uniform"}
    assert list(found["variants"]["attention"]["folds"]) == ["1"]
    assert found["differences"]["controls"]["against"] == "uniform"
    assert found["variants"]["uniform"]["recipe"]["objective"][1]["plan"] == "uniform"
    with pytest.raises(UsageError, match="none of --phase explore"):
        explore(both, ten_folds.path, out=files / "out", results=results, folds=[9])


def test_confirming_happens_once(files, folded_store, monkeypatch):
    variants, decision = read_variants(files / "variants.yaml"), read_decision(files / "decision.yaml")
    monkeypatch.setitem(PHASES, "confirm", replace(PHASES["confirm"], folds=(1, 2)))
    results, out = files / "results" / "confirm.json", files / "out"
    part = confirm(variants, decision, folded_store.path, out=out, results=results, folds=[1], draws=50)
    assert part["complete"] is False
    assert "families" not in part
    found = confirm(variants, decision, folded_store.path, out=out, results=results, draws=50)
    assert found["complete"] is True
    assert found["decision"]["date"] == "2026-11-22"
    row = found["families"][0]["differences"][0]
    made = {n: Rotation.open(out / "confirm" / f"{n}.rotation.json") for n in ("attention", "uniform")}
    direct = compare_family(made["attention"], {"uniform": made["uniform"]}, "macro", draws=50)[0]
    assert (row["difference"], row["low"], row["p_holm"]) == (direct.difference, direct.low, direct.p_holm)
    other = decision.model_copy(update={"why": "after a look"})
    edited = {**variants, "uniform": read_variants(files / "variants.yaml", overrides={"seed": 3})["uniform"]}
    for name, chosen, which in (("decision", other, variants), ("recipe", decision, edited)):
        with pytest.raises(DataError, match=f"another {name}.* was confirmed before"):
            confirm(which, chosen, folded_store.path, out=files / "new", results=results, draws=50)
    assert not (files / "new").exists()


def test_a_claim_is_of_one_store(files, quick_recipe):
    decision = read_decision(files / "decision.yaml")
    recipes = {name: load_recipe(copy.deepcopy(quick_recipe)) for name in decision.variants}
    claim_confirmation(files / "kept.json", decision, recipes, "a")
    assert claim_confirmation(files / "kept.json", decision, recipes, "a")["store"] == "a"
    with pytest.raises(DataError, match="another store"):
        claim_confirmation(files / "kept.json", decision, recipes, "b")
