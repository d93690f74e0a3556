"""A small corpus in four folds, and two variants rotated over two of them."""

import copy
from dataclasses import replace

import pytest


@pytest.fixture(scope="session")
def folded_store(tmp_path_factory):
    """Simulated recordings, prepared, in folds 1 to 4."""
    from ecgclip.corpora import prepare, simulate
    from ecgclip.signals import Preprocessor

    corpus = simulate(n=160, seed=5)
    table = corpus.table.assign(fold=[k % 4 + 1 for k in range(len(corpus))], split="")
    folder = tmp_path_factory.mktemp("folded") / "store"
    return prepare(replace(corpus, table=table), Preprocessor(), folder, workers=1)


@pytest.fixture(scope="session")
def quick_recipe():
    """One epoch of a tiny model."""
    return {
        "name": "quick",
        "data": {"corpus": {"kind": "manifest"}, "workers": 1},
        "reports": {"vocabulary": 512},
        "model": {
            "dim": 16,
            "signal": {"kind": "resnet", "size": "tiny"},
            "text": {"kind": "bag", "width": 16},
            "local": {"width": 16},
        },
        "objective": [{"kind": "infonce"}, {"kind": "local", "scale": "beat", "plan": "attention"}],
        "schedule": {"epochs": 1, "batch_size": 32, "validate_every": 1},
        "precision": "float32",
    }


@pytest.fixture(scope="session")
def rotations(folded_store, quick_recipe, tmp_path_factory):
    """Variants ``attention`` and ``uniform`` over folds 1 and 2; tests leave them as they are."""
    from ecgclip.studies.rotation import rotate_all
    from ecgclip.training.recipe import load_recipe

    variants = {
        plan: load_recipe(copy.deepcopy(quick_recipe), {"objective.1.plan": plan})
        for plan in ("attention", "uniform")
    }
    out = tmp_path_factory.mktemp("study")
    return out, rotate_all(variants, folded_store.path, out=out, folds=(1, 2))


@pytest.fixture(scope="session")
def report_run(tiny_store, tmp_path_factory):
    """A run folder with a results file of each protocol, and scores."""
    from page_files import everything, scores

    from ecgclip.studies.benchmark import write_results

    folder = tmp_path_factory.mktemp("run")
    for each in everything(tiny_store.corpus_hash):
        write_results(folder / "evaluation" / f"{each.protocol}.json", each)
    (folder / "scores").mkdir()
    scores(tiny_store).to_parquet(folder / "scores" / "z.parquet")
    return folder


@pytest.fixture(scope="session")
def page(report_run, tiny_store):
    """Its HTML report."""
    from ecgclip.studies.html_report import write_report

    return write_report(report_run, data=tiny_store)
