"""The small text encoder, and towers of the hub."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from ecgclip.errors import DataError
from ecgclip.models import ECGTextModel
from ecgclip.models.text import BagTextEncoder, PretrainedTextEncoder
from ecgclip.reports import train_wordpiece

TEXTS = ["atrial fibrillation", "sinus rhythm. left bundle branch block", "infarction"]


@pytest.fixture
def bag():
    torch.manual_seed(0)
    return BagTextEncoder(tokenizer=train_wordpiece(TEXTS, 200), width=16, max_tokens=8).eval()


def tower_gradients(model):
    return [p.grad for name, p in model.named_parameters() if "tower" in name]


def test_a_text_is_encoded_alike_alone_and_among_others(bag):
    joined = bag(TEXTS)
    for row, text in enumerate(TEXTS):
        torch.testing.assert_close(bag([text]).pooled[0], joined.pooled[row])
        n = int(joined.token_mask[row].sum())
        torch.testing.assert_close(bag([text]).tokens[0, :n], joined.tokens[row, :n])
    assert not joined.tokens[~joined.token_mask].any()


def test_the_bag_takes_no_text_an_empty_one_and_a_long_one(bag):
    assert bag([]).pooled.shape == (0, 16)
    assert torch.isfinite(bag(["", "sinus"]).pooled).all()
    assert bag(["sinus " * 500]).tokens.shape[1] == 8
    torch.testing.assert_close(bag(["SINUS Rhythm"]).pooled, bag(["sinus rhythm"]).pooled)


@pytest.fixture
def frozen(tower_folder):
    return PretrainedTextEncoder(name=str(tower_folder))


def test_a_frozen_tower_stays_as_it_is(build, tower_folder):
    model = build(text={"kind": "huggingface", "name": str(tower_folder)}).train()
    assert not model.text_encoder.tower.training
    model.embed_text(TEXTS)[0].sum().backward()
    assert tower_gradients(model)
    assert all(grad is None for grad in tower_gradients(model))
    assert model.text_head.straight.weight.grad is not None
    trainable = [name for name, p in model.named_parameters() if p.requires_grad]
    assert not [name for name in trainable if "tower" in name]


def test_features_of_a_frozen_tower_are_computed_once(frozen):
    seen = []
    frozen.tower.register_forward_hook(lambda module, args, kwargs, out: seen.append(1), with_kwargs=True)
    first = frozen(TEXTS).pooled
    again = frozen([TEXTS[2], TEXTS[0], TEXTS[2]]).pooled
    assert len(seen) == 1
    torch.testing.assert_close(again, first[[2, 0, 2]])


def test_features_first_met_in_inference_serve_training(build, tower_folder):
    model = build(text={"kind": "huggingface", "name": str(tower_folder)})
    model.encode_text(TEXTS)
    model.train().embed_text(TEXTS)[0].sum().backward()


def test_an_unfrozen_tower_trains_and_does_not_hang_on_the_batch(build, tower_folder):
    model = build(text={"kind": "huggingface", "name": str(tower_folder), "frozen": False}).train()
    joined = model.embed_text(TEXTS)[0]
    for row, text in enumerate(TEXTS):
        torch.testing.assert_close(model.embed_text([text])[0][0], joined[row], atol=1e-5, rtol=0)
    joined[:, 0].sum().backward()
    assert any(grad is not None and grad.abs().sum() > 0 for grad in tower_gradients(model))


def test_a_tower_that_is_nowhere_is_told_in_one_sentence(build, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    code = (
        "from ecgclip.models.text import PretrainedTextEncoder\n"
        "from ecgclip.errors import DataError\n"
        "for name in ('nobody/no-such-tower', '/no/such/folder'):\n"
        "    try: PretrainedTextEncoder(name=name)\n"
        "    except DataError as error: print(str(error).count('\\n'), error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.strip().split("\n")
    assert [line.split()[0] for line in lines] == ["0", "0"]
    assert "nobody/no-such-tower" in lines[0]
    assert "cache" in lines[0]
    assert "/no/such/folder" in lines[1]


def test_a_model_classifies_without_its_tower(build, tower_folder, tmp_path):
    import shutil

    tower = tmp_path / "tower"
    shutil.copytree(tower_folder, tower)
    model = build(text={"kind": "huggingface", "name": str(tower)})
    model.keep_texts(TEXTS)
    kept = model.encode_text(TEXTS)
    model.save_pretrained(tmp_path / "model")
    shutil.rmtree(tower)
    again = ECGTextModel.from_pretrained(tmp_path / "model")
    assert np.array_equal(again.encode_text(TEXTS), kept)
    with pytest.raises(DataError, match="could not be loaded"):
        again.encode_text(["a text that nobody kept"])


def test_a_frozen_tower_is_named_and_read_when_it_is_needed(build, tower_folder, tmp_path):
    model = build(text={"kind": "huggingface", "name": str(tower_folder)})
    model.save_pretrained(tmp_path / "model")
    again = ECGTextModel.from_pretrained(tmp_path / "model")
    assert again.text_encoder.tower is None
    np.testing.assert_allclose(again.encode_text(TEXTS), model.encode_text(TEXTS), atol=1e-6)
    assert not again.train().text_encoder.tower.training


def test_a_trained_tower_lies_in_the_model_folder(build, tower_folder, tmp_path):
    import shutil

    tower = tmp_path / "tower"
    shutil.copytree(tower_folder, tower)
    model = build(text={"kind": "huggingface", "name": str(tower), "frozen": False})
    with torch.no_grad():
        next(model.text_encoder.tower.parameters()).add_(0.1)
    model.save_pretrained(tmp_path / "model")
    shutil.rmtree(tower)
    again = ECGTextModel.from_pretrained(tmp_path / "model")
    np.testing.assert_allclose(again.encode_text(TEXTS), model.encode_text(TEXTS), atol=1e-6)
    again.save_pretrained(tmp_path / "copy")
    twice = ECGTextModel.from_pretrained(tmp_path / "copy")
    np.testing.assert_allclose(twice.encode_text(TEXTS), model.encode_text(TEXTS), atol=1e-6)
