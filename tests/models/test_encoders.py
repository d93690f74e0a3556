"""What is padded, missing or elsewhere in the batch does not change an embedding."""

import numpy as np
import pytest
import torch

from ecgclip.errors import UsageError
from ecgclip.models.layers import KeyedDropout, MaskedNorm, keyed_uniform
from ecgclip.models.local import LocalBranch, beat_timing
from ecgclip.signals import SignalBatch, collate

ENCODERS = {
    "resnet": {"kind": "resnet", "size": "tiny"},
    "vit": {"kind": "vit", "size": "tiny", "patch_s": 0.2},
}


@pytest.fixture(scope="module", params=sorted(ENCODERS))
def model(request, build):
    return build(signal=ENCODERS[request.param])


def embed(model, parts, length=None):
    with torch.inference_mode():
        return model.embed_signal(collate(parts, model.preprocessor.fs, length=length))


@pytest.mark.parametrize("n_times", [997, 750, 101])
def test_padding_changes_nothing(model, noise, n_times):
    beats = np.arange(0.4, n_times / 100, 0.8)
    alone, local = embed(model, [noise(n_times, beats)])
    padded, wide = embed(model, [noise(n_times, beats)], length=1500)
    torch.testing.assert_close(padded, alone, atol=2e-5, rtol=0)
    assert int(wide.token_mask.sum()) == int(local.token_mask.sum())
    torch.testing.assert_close(
        wide.tokens[wide.token_mask], local.tokens[local.token_mask], atol=2e-5, rtol=0
    )
    torch.testing.assert_close(wide.beats[wide.beat_mask], local.beats[local.beat_mask], atol=2e-5, rtol=0)


@pytest.mark.parametrize("n_times", [997, 750, 569, 570, 571])
def test_a_recording_without_beats_gets_the_same_moments_in_every_batch(model, noise, n_times):
    _, alone = embed(model, [noise(n_times)])
    _, among = embed(model, [noise(n_times), noise(1500, np.arange(0.2, 15, 0.3))])
    assert alone.beat_times[alone.beat_mask].tolist() == among.beat_times[0][among.beat_mask[0]].tolist()
    assert float(alone.beat_times[alone.beat_mask].max()) < n_times / 100
    torch.testing.assert_close(among.beats[0][among.beat_mask[0]], alone.beats[alone.beat_mask])


def test_others_in_the_batch_change_nothing(model, noise):
    parts = [noise(1000 - 130 * k, [1.0, 2.0, 3.0 + k], seed=k, missing=range(k)) for k in range(4)]
    joined, local = embed(model, parts)
    for row, part in enumerate(parts):
        z, own = embed(model, [part])
        torch.testing.assert_close(joined[row], z[0], atol=2e-5, rtol=0)
        torch.testing.assert_close(local.beats[row, :3], own.beats[0], atol=2e-5, rtol=0)


def test_what_lies_under_the_time_mask_before_the_start_is_not_seen(model, noise):
    part = collate([noise(1000, [5.0, 6.0])], 100.0)
    mask = part.time_mask.clone()
    mask[:, :200] = False
    shifted = SignalBatch(
        part.signal * mask[:, None], part.lead_mask, mask, part.beats, part.beat_mask, part.fs
    )
    with torch.inference_mode():
        encoded = model.signal_encoder(shifted.signal, shifted.lead_mask, mask)
        _, local = model.embed_signal(shifted)
    assert not encoded.tokens[~encoded.token_mask].any()
    assert bool((local.token_times[local.token_mask[0]] > 2.0).all())


def test_a_missing_lead_is_told_from_a_silent_one(model, noise):
    silent = noise(1000, [2.0, 3.0])
    silent.signal[4] = 0
    absent = noise(1000, [2.0, 3.0], missing=[4])
    assert np.array_equal(silent.signal, absent.signal)
    assert float((embed(model, [silent])[0] - embed(model, [absent])[0]).abs().max()) > 1e-4


@pytest.mark.parametrize("n_times", [1, 37, 100, 1003, 6000])
def test_any_length_is_taken(model, noise, n_times):
    z, local = embed(model, [noise(n_times)])
    assert torch.isfinite(z).all()
    assert torch.isfinite(local.beats).all()
    torch.testing.assert_close(z.norm(dim=-1), torch.ones(1))
    assert local.token_mask.shape[1] == local.tokens.shape[1] == len(local.token_times)


@pytest.mark.parametrize("rate", [100.0, 128.0, 150.0, 250.0, 360.0, 500.0])
def test_a_local_token_sees_what_it_says_and_no_more(rate):
    torch.manual_seed(0)
    branch = LocalBranch(fs=rate, dim=8, width=16).eval()
    assert branch.token_span <= 0.4
    n = int(10 * rate)
    signal = torch.randn(1, 12, n, requires_grad=True)
    leads, times = torch.ones(1, 12, dtype=torch.bool), torch.ones(1, n, dtype=torch.bool)
    none = torch.zeros(1, 0)
    encoded = branch(signal, leads, times, none, none.bool())
    k = encoded.tokens.shape[1] // 2
    encoded.tokens[0, k].square().mul(torch.arange(8.0)).sum().backward()
    seen = signal.grad.abs().sum((0, 1)).nonzero()[:, 0] / rate
    span = float(seen.max() - seen.min()) + 1 / rate
    assert span <= encoded.token_span + 1e-6
    assert span >= encoded.token_span - 2.5 / branch.rate
    centre = float(seen.max() + seen.min()) / 2
    assert abs(centre - float(encoded.token_times[k])) <= 0.03


def test_a_change_outside_the_span_leaves_a_token_as_it_is(build, noise):
    model = build()
    part = noise(1000, [3.0, 5.0])
    _, before = embed(model, [part])
    part.signal[:, 600:] += 1.0
    _, after = embed(model, [part])
    far = before.token_times + before.token_span / 2 < 6.0
    assert torch.equal(before.tokens[0, far], after.tokens[0, far])
    assert not torch.equal(before.tokens[0, ~far], after.tokens[0, ~far])
    assert torch.equal(before.beats, after.beats)  # both lie more than half a beat_span before 6 s


def test_a_beat_sees_its_span_and_its_neighbours_times_only(build, noise):
    model = build()
    signal = torch.from_numpy(noise(1000).signal)[None].requires_grad_()
    masks = torch.ones(1, 12, dtype=torch.bool), torch.ones(1, 1000, dtype=torch.bool)
    beats = torch.tensor([[3.0, 4.0, 5.0]])
    encoded = model.local(signal, *masks, beats, torch.ones(1, 3, dtype=torch.bool))
    encoded.beats[0, 1].square().mul(torch.arange(32.0)).sum().backward()
    seen = signal.grad.abs().sum((0, 1)).nonzero()[:, 0] / 100
    assert float(seen.max() - seen.min()) + 0.01 <= encoded.beat_span + 1e-6
    assert float(seen.min()) < 4.0 < float(seen.max())


def test_a_beat_does_not_know_that_the_next_one_is_early(build, noise):
    """Else it would be as good a sign of its premature neighbour as that one is, and findings would lie on it."""
    model = build()
    signal = torch.from_numpy(noise(1000).signal)[None]
    masks = torch.ones(1, 12, dtype=torch.bool), torch.ones(1, 1000, dtype=torch.bool)

    def beat_before(next_at, signal=signal):
        beats = torch.tensor([[1.0, 2.0, 3.0, next_at, 5.0, 6.0, 7.0]])
        with torch.inference_mode():
            return model.local(signal, *masks, beats, torch.ones(1, 7, dtype=torch.bool)).beats[0, 2]

    assert torch.equal(beat_before(3.6), beat_before(4.0))
    assert not torch.equal(beat_before(4.0), beat_before(4.4))  # a pause is the sign of the beat before it
    wide = signal.clone()
    wide[..., 342:400] += 1.0  # from the next R-peak on
    assert torch.equal(beat_before(3.42), beat_before(3.42, wide))
    assert not torch.equal(beat_before(4.0), beat_before(4.0, wide))


def test_a_rate_below_the_local_branchs_is_refused():
    with pytest.raises(UsageError, match="at least 100 Hz"):
        LocalBranch(fs=80.0, dim=8)


def test_beat_timing_is_in_seconds_and_against_the_median():
    times = torch.tensor([[1.0, 2.0, 2.6, 4.0, 0.0]])
    mask = torch.tensor([[True, True, True, True, False]])
    before, after, early, late, difference, has_before, has_after = beat_timing(times, mask)[0].T
    torch.testing.assert_close(before, torch.tensor([0, 1.0, 0.6, 1.4, 0]))
    torch.testing.assert_close(after, torch.tensor([1.0, 1.0, 1.4, 0, 0]))  # no less than the median
    torch.testing.assert_close(early, torch.tensor([0, 0, np.log(0.6), np.log(1.4), 0], dtype=torch.float32))
    torch.testing.assert_close(late, torch.tensor([0, 0, np.log(1.4), 0, 0], dtype=torch.float32))
    torch.testing.assert_close(difference, early - late)
    assert has_before.tolist() == [0, 1, 1, 1, 0]
    assert has_after.tolist() == [1, 1, 1, 0, 0]


def test_beat_timing_does_not_hang_on_padding_or_rate():
    times, mask = torch.tensor([[0.5, 1.2, 1.7]]), torch.ones(1, 3, dtype=torch.bool)
    wide = beat_timing(torch.nn.functional.pad(times, (0, 4)), torch.nn.functional.pad(mask, (0, 4)))
    torch.testing.assert_close(wide[:, :3], beat_timing(times, mask))
    one = beat_timing(times[:, :1], mask[:, :1])
    assert torch.isfinite(one).all()
    assert not one.any()
    slow = beat_timing(times * 2, mask)[..., 2:5]
    torch.testing.assert_close(slow, beat_timing(times, mask)[..., 2:5])


def test_dropout_belongs_to_the_record():
    drop = KeyedDropout(0.4, salt=1).train()
    keys = torch.tensor([11, -5, 2**62, 0])
    x = torch.ones(4, 500)
    joined = drop(x, keys)
    for row in range(4):
        assert torch.equal(drop(x[row : row + 1], keys[row : row + 1])[0], joined[row])
    assert torch.equal(drop(x, keys.flip(0)).flip(0), joined)
    assert 0.3 < float((joined == 0).float().mean()) < 0.5
    assert abs(float(joined.mean()) - 1.0) < 0.1
    assert not torch.equal(KeyedDropout(0.4, salt=2).train()(x, keys), joined)
    assert torch.equal(drop.eval()(x, keys), x)
    assert torch.equal(drop.train()(x, None), x)


def test_keyed_numbers_are_uniform_and_unlike_for_neighbouring_keys():
    drawn = keyed_uniform(torch.arange(200), 500)
    assert float(drawn.min()) >= 0
    assert float(drawn.max()) < 1
    assert abs(float(drawn.mean()) - 0.5) < 0.01
    assert abs(float(drawn.var()) - 1 / 12) < 0.002
    assert abs(float(np.corrcoef(drawn[:-1].ravel(), drawn[1:].ravel())[0, 1])) < 0.02
    shifted = keyed_uniform(torch.arange(200), 500, salt=1)
    assert abs(float(np.corrcoef(drawn.ravel(), shifted.ravel())[0, 1])) < 0.02


def test_masked_norm_is_the_norm_of_what_is_there():
    torch.manual_seed(0)
    norm = MaskedNorm(6)
    x = torch.randn(2, 6, 1, 40)
    mask = torch.arange(60) < torch.tensor([[40], [40]])
    wide = norm(torch.nn.functional.pad(x, (0, 20)), mask)[..., :40]
    torch.testing.assert_close(wide, norm(x, None), atol=1e-5, rtol=0)
    assert torch.isfinite(norm(torch.zeros(2, 6, 1, 40), torch.zeros(2, 40, dtype=torch.bool))).all()


def test_gradients_of_the_masked_norm_are_those_of_its_formula():
    torch.manual_seed(0)
    norm = MaskedNorm(3).double()
    mask = torch.arange(7) < torch.tensor([[7], [4]])
    x = (torch.randn(2, 3, 1, 7, dtype=torch.float64) * mask[:, None, None, :]).requires_grad_()
    weight, bias = torch.randn(2, 3, dtype=torch.float64).unbind()
    parts = (x, weight.requires_grad_(), bias.requires_grad_())

    def normed(x, weight, bias):
        return torch.func.functional_call(norm, {"weight": weight, "bias": bias}, (x, mask))

    assert torch.autograd.gradcheck(normed, parts)


def embedded(model, noise, beats, keys=None):
    with torch.inference_mode():
        return model.embed_signal(collate([noise(1000, beats=beats)], 100.0), keys)[0]


def test_the_whole_embedding_sees_beats_only_where_the_branch_feeds_it(build, noise):
    early, late = (1.0, 2.0, 3.0, 4.0), (1.0, 2.0, 2.5, 4.0)
    fed = build(local={"width": 32, "feeds_global": True})
    assert not torch.allclose(embedded(fed, noise, early), embedded(fed, noise, late), atol=1e-4)
    apart = build(local={"width": 32})
    torch.testing.assert_close(embedded(apart, noise, early), embedded(apart, noise, late))


def test_a_fed_embedding_is_the_same_whether_or_not_a_term_asks_for_beats(build, noise):
    fed = build(local={"width": 32, "feeds_global": True})
    batch = collate([noise(1000, beats=(1.0, 2.0, 2.5, 4.0))], 100.0)
    with torch.inference_mode():
        asked, unasked = (fed.signal_views(batch, local=local) for local in (True, False))
    torch.testing.assert_close(asked.z, unasked.z, atol=0, rtol=0)
    assert unasked.local is None
