"""A folder that is none of this run's is refused before anything is prepared."""

import json

import pytest

from ecgclip.errors import DataError
from ecgclip.training import pretrain


def test_a_foreign_folder_is_refused_before_the_corpus_is_prepared(tiny_recipe, tmp_path):
    out, store = tmp_path / "out", tmp_path / "store"
    out.mkdir()
    (out / "thesis.tex").write_text("mine", encoding="utf-8")
    changes = {"data.store": str(store)}
    with pytest.raises(DataError, match="is no run: choose another --out"):
        pretrain(tiny_recipe, out=out, overrides=changes)
    (out / "thesis.tex").unlink()
    (out / "run.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="damaged"):
        pretrain(tiny_recipe, out=out, overrides=changes)
    (out / "run.json").write_text(json.dumps({"recipe": {"seed": -1}, "fed": {}}), encoding="utf-8")
    with pytest.raises(DataError, match="other settings"):
        pretrain(tiny_recipe, out=out, overrides=changes)
    assert not store.exists()


def test_the_function_is_no_module_whatever_was_imported_before():
    import importlib
    import pkgutil

    import ecgclip
    from ecgclip import corpora, evaluation, prompts, training

    for room in (corpora, evaluation, prompts, training):
        for module in pkgutil.iter_modules(room.__path__):
            assert module.name not in room.__all__, f"{room.__name__}.{module.name} is a module and a name"
    importlib.import_module("ecgclip.training.pretraining")
    assert callable(training.pretrain)
    assert callable(ecgclip.pretrain)
