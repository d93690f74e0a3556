"""A model folder holds data only, gives the same model back, and says what is wrong with it."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from ecgclip.errors import DataError
from ecgclip.models import ECGTextModel, LocalReadout, model_hash


@pytest.fixture(scope="module")
def saved(build, tmp_path_factory):
    model = build(readouts=(LocalReadout(),), weights=(0.5, 0.5), spreads=(0.1, 0.2))
    model.keep_texts(["atrial fibrillation", "Vorhofflimmern", "left bundle branch block"])
    return model, model.save_pretrained(tmp_path_factory.mktemp("saved") / "model")


@pytest.fixture
def copied(saved, tmp_path):
    return shutil.copytree(saved[1], tmp_path / "model")


def test_what_is_saved_comes_back(saved, noise):
    model, folder = saved
    again = ECGTextModel.from_pretrained(folder)
    assert model_hash(again) == model_hash(model)
    assert again.config == model.config
    assert again.preprocessor == model.preprocessor
    leads = ["I", "II", "V1", "V2", "V3", "V4", "V5", "V6"]
    record = (np.random.default_rng(0).standard_normal((8, 5000)), 500, leads)
    assert np.array_equal(again.encode_ecg(record), model.encode_ecg(record))
    texts = ["sinus rhythm", "atrial fibrillation"]
    assert np.array_equal(again.encode_text(texts), model.encode_text(texts))
    assert again.kept_texts.keys() == model.kept_texts.keys()


@pytest.mark.parametrize("text", ["huggingface", "huggingface unfrozen"])
def test_the_hash_of_a_model_outlives_its_folder(build, tower_folder, tmp_path, text):
    kind, _, unfrozen = text.partition(" ")
    model = build(text={"kind": kind, "name": str(tower_folder), "frozen": not unfrozen})
    model.save_pretrained(tmp_path)
    assert model_hash(ECGTextModel.from_pretrained(tmp_path)) == model_hash(model)


def test_a_folder_holds_weights_and_json_only(saved):
    names = sorted(path.name for path in saved[1].rglob("*"))
    assert names == ["model.json", "model.safetensors", "texts.safetensors", "tokenizer.json"]


def test_what_was_only_asked_is_not_written(build, tmp_path):
    model = build()
    model.encode_text(["a private report about somebody"])
    model.save_pretrained(tmp_path)
    assert not (tmp_path / "texts.safetensors").exists()
    assert "somebody" not in "".join(path.read_text("latin-1") for path in tmp_path.iterdir())


def test_kept_texts_need_no_text_encoder(saved, copied):
    from safetensors.torch import load_file, save_file

    weights = load_file(copied / "model.safetensors")
    spoilt = {k: torch.full_like(v, torch.nan) if k.startswith("text_") else v for k, v in weights.items()}
    save_file(spoilt, copied / "model.safetensors")
    model = ECGTextModel.from_pretrained(copied)
    assert np.array_equal(model.encode_text(["vorhofflimmern"]), saved[0].encode_text(["vorhofflimmern"]))
    assert np.isnan(model.encode_text(["sinus rhythm"])).all()


def test_texts_are_forgotten_when_training_begins(copied):
    model = ECGTextModel.from_pretrained(copied)
    model.eval()
    assert model.kept_texts
    model.train()
    assert not model.kept_texts


def test_saving_over_another_model_leaves_nothing_of_it(copied, build, tower_folder):
    model = build(text={"kind": "huggingface", "name": str(tower_folder)}, local=False)
    model.save_pretrained(copied)
    assert sorted(path.name for path in copied.iterdir()) == ["model.json", "model.safetensors"]
    ECGTextModel.from_pretrained(copied)


def spoil_json(change):
    def spoil(folder):
        record = json.loads((folder / "model.json").read_text())
        change(record)
        (folder / "model.json").write_text(json.dumps(record))

    return spoil


def cut(name):
    def spoil(folder):
        path = folder / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return spoil


FAULTS = {
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors"),
    "half the weights": (cut("model.safetensors"), "model.safetensors"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer"),
    "half a tokenizer": (cut("tokenizer.json"), "tokenizer.json"),
    "half a configuration": (cut("model.json"), "model.json"),
    "no kept texts": (lambda folder: (folder / "texts.safetensors").unlink(), "texts.safetensors"),
    "half the kept texts": (cut("texts.safetensors"), "texts.safetensors"),
    "fewer kept texts": (spoil_json(lambda r: r["kept_texts"].pop()), "texts.safetensors"),
    "another version": (spoil_json(lambda r: r.update(format=99)), "another version"),
    "another preprocessor": (spoil_json(lambda r: r["preprocessor"].update(version=99)), "version 99"),
    "an unknown key": (spoil_json(lambda r: r["config"].update(colour="red")), "colour"),
    "an unknown readout key": (
        spoil_json(lambda r: r["config"]["readouts"][0].update(colour="red")),
        "colour",
    ),
    "an unknown encoder": (spoil_json(lambda r: r["config"]["signal"].update(kind="resnett")), "resnet"),
    "an unknown size": (spoil_json(lambda r: r["config"]["signal"].update(size="tinny")), "tiny"),
    "another size": (spoil_json(lambda r: r["config"]["signal"].update(size="small")), "weights do not fit"),
    "another width": (spoil_json(lambda r: r["config"].update(dim=16)), "weights do not fit"),
    "no configuration": (spoil_json(lambda r: r.pop("config")), "config"),
    "a list": (lambda folder: (folder / "model.json").write_text("[]"), "format"),
    "an empty folder": (lambda folder: [path.unlink() for path in folder.iterdir()], "no model.json"),
}


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_damaged_folder_is_told_in_one_sentence(copied, fault):
    spoil, words = FAULTS[fault]
    spoil(copied)
    with pytest.raises(DataError, match=words) as caught:
        ECGTextModel.from_pretrained(copied)
    assert "\n" not in str(caught.value)
    assert str(copied) in str(caught.value)


def test_a_model_that_is_nowhere(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        ECGTextModel.from_pretrained(tmp_path / "absent")


def test_a_folder_cannot_name_code_to_run(copied, tmp_path):
    mark = tmp_path / "ran"
    (tmp_path / "evil_encoder.py").write_text(f"open({str(mark)!r}, 'w')\n")
    for kind, more in (
        ("evil_encoder:Net", {}),
        ("subprocess:run", {"args": ["touch", str(mark)]}),
        ("torch.hub:load", {"repo_or_dir": str(tmp_path), "model": "x", "source": "local"}),
    ):
        spoil_json(lambda r, kind=kind, more=more: r["config"].update(signal={"kind": kind, **more}))(copied)
        code = f"import ecgclip; ecgclip.ECGTextModel.from_pretrained({str(copied)!r})"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert done.returncode == 1
        assert "DataError" in done.stderr
        assert not mark.exists()
