"""What inference runs gives what the model gives, follows its weights, and leaves no trace in it."""

import copy
import io

import numpy as np
import pytest
import torch
from torch import nn

from ecgclip.models import ECGTextModel, embed_windows
from ecgclip.models.folder import model_hash
from ecgclip.models.frozen import frozen
from ecgclip.signals import collate

LOCALS = {
    "none": {},
    "beats": {"width": 32, "tokens": False},
    "tokens": {"width": 32},
    "fed": {"width": 32, "feeds_global": True},
    "learned": {"width": 32, "beats": "learned"},
    "leads": {"width": 32, "leads": "each"},
}


@pytest.fixture
def model(build):
    return build()


@pytest.fixture
def whole(noise):
    return collate([noise(1000, np.arange(0.4, 10, 0.7), seed=k) for k in range(3)], 100.0)


@pytest.fixture
def ragged(noise):
    """Short and whole recordings, missing leads, premature beats and none."""
    beats = ([0.3, 1.1, 1.3, 2.9], [], np.arange(0.02, 10, 0.31), [5.0])
    parts = [noise(1000 - 170 * k, beats[k], seed=k, missing=range(k)) for k in range(4)]
    return collate(parts, 100.0)


def seen(model, batch):
    """What the model itself says, with a way back as training has it."""
    with torch.enable_grad():
        z, local = model.embed_signal(batch)
    return z.detach(), local


@pytest.mark.parametrize(
    ("kind", "norm"), [("beats", "batch"), *((kind, "group") for kind in sorted(LOCALS))]
)
@pytest.mark.parametrize("name", ["whole", "ragged"])
def test_it_is_the_model_that_is_frozen(build, kind, norm, name, request):
    batch = request.getfixturevalue(name)
    model = build(signal={"kind": "resnet", "size": "tiny", "norm": norm}, local=LOCALS[kind])
    z, local = seen(model, batch)
    found, quick = embed_windows(model, batch)
    assert frozen(model, torch.float32) is not model
    np.testing.assert_allclose(found, z.numpy(), atol=5e-6)
    if local is not None:
        torch.testing.assert_close(quick.beats, local.beats.detach(), atol=5e-6, rtol=0)
        torch.testing.assert_close(quick.tokens, local.tokens.detach(), atol=5e-6, rtol=0)
    model.precision = "bfloat16"
    half, rough = embed_windows(model, batch)
    assert 0 < np.abs(half - found).max() < 0.03
    if rough is not None:
        assert (
            float((rough.beats[rough.beat_mask] - local.beats[local.beat_mask].detach()).abs().max()) < 0.05
        )


def test_it_is_made_once(model, whole):
    embed_windows(model, whole)
    twin = frozen(model, torch.float32)
    embed_windows(model, whole)
    assert frozen(model, torch.float32) is twin
    assert frozen(model, torch.bfloat16) is not twin
    assert twin.text_encoder is model.text_encoder


def _in_place(model):
    with torch.no_grad():
        model.signal_encoder.blocks[0].first.gain.mul_(1.5)


def _by_state(model):
    model.load_state_dict({name: value * 1.1 for name, value in model.state_dict().items()})


def _by_assignment(model):
    for _ in range(3):  # freed memory comes back at the same address
        state = {name: value * 1.1 for name, value in model.state_dict().items()}
        model.load_state_dict(state, assign=True)


def _by_data(model):
    model.signal_encoder.stem.weight.data = model.signal_encoder.stem.weight.data * 1.5


def _another_part(model):
    model.signal_head.straight = nn.Linear(model.signal_encoder.width, 32)


CHANGES = (_in_place, _by_state, _by_assignment, _by_data, _another_part)


@pytest.mark.parametrize("change", CHANGES)
def test_it_follows_the_weights(model, whole, change):
    before, _ = embed_windows(model, whole)
    change(model)
    after, _ = embed_windows(model, whole)
    assert np.abs(after - before).max() > 1e-4
    np.testing.assert_allclose(after, seen(model, whole)[0].numpy(), atol=5e-6)


def test_training_drops_it(model, whole):
    embed_windows(model, whole)
    twin = frozen(model, torch.float32)
    model.train()
    model.eval()
    assert frozen(model, torch.float32) is not twin


def test_a_model_in_training_is_embedded_as_in_eval_mode(model, whole):
    expected, _ = embed_windows(model, whole)
    model.train()
    found, _ = embed_windows(model, whole)
    assert model.training
    np.testing.assert_array_equal(found, expected)


def test_making_it_draws_no_random_number(model, whole):
    state = torch.get_rng_state()
    embed_windows(model, whole)
    assert torch.equal(torch.get_rng_state(), state)


def test_copies_pickles_and_casts_know_nothing_of_it(model, whole, tmp_path):
    names, digest = list(model.state_dict()), model_hash(model)
    size = len(_pickled(model))
    expected, _ = embed_windows(model, whole)
    assert list(model.state_dict()) == names
    assert model_hash(model) == digest
    assert len(_pickled(model)) == size
    copied = copy.deepcopy(model)
    _in_place(copied)
    assert np.abs(embed_windows(copied, whole)[0] - expected).max() > 1e-4
    np.testing.assert_array_equal(embed_windows(model, whole)[0], expected)
    again = torch.load(io.BytesIO(_pickled(model)), weights_only=False)
    np.testing.assert_array_equal(embed_windows(again, whole)[0], expected)
    np.testing.assert_array_equal(embed_windows(model.to("cpu"), whole)[0], expected)
    model.double().float()
    np.testing.assert_array_equal(embed_windows(model, whole)[0], expected)
    loaded = ECGTextModel.from_pretrained(model.save_pretrained(tmp_path / "model"))
    np.testing.assert_array_equal(embed_windows(loaded, whole)[0], expected)


def _pickled(model):
    stream = io.BytesIO()
    torch.save(model, stream)
    return stream.getvalue()


def test_the_files_of_a_model_do_not_depend_on_it(build, whole, tmp_path):
    folders = []
    for used in (False, True):
        model = build()
        if used:
            embed_windows(model, whole)
        folders.append(model.save_pretrained(tmp_path / str(used)))
    files = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]
    assert files[0] == files[1]


def test_a_hook_is_waited_for(model, whole):
    embed_windows(model, whole)
    called = []
    handle = model.signal_encoder.blocks[0].register_forward_hook(lambda *given: called.append(1))
    embed_windows(model, whole)
    assert called == [1]
    handle.remove()
    embed_windows(model, whole)
    assert called == [1]


def test_another_encoder_runs_as_it_is(build, whole):
    model = build(signal={"kind": "vit", "size": "tiny", "patch_s": 0.2})
    assert frozen(model, torch.float32) is model
    np.testing.assert_allclose(embed_windows(model, whole)[0], seen(model, whole)[0].numpy(), atol=5e-6)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_weight_that_is_no_number_is_never_hidden(model, whole, precision, sign):
    model.precision = precision
    with torch.no_grad():
        model.local.conv_1.bias[0] = torch.copysign(torch.tensor(float("nan")), torch.tensor(sign))
    assert bool(embed_windows(model, whole)[1].beats[whole.beat_mask].isnan().all())
