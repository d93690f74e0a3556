import dataclasses

import numpy as np
import pytest
import torch

from ecgclip.errors import UsageError
from ecgclip.signals import Augmentation, Prepared, SignalBatch, augmentation_keys, collate
from ecgclip.signals.dipole import DIPOLE_TO_LEADS, axis_jitter
from ecgclip.signals.keys import normals, uniforms

OFF = Augmentation(**{field.name: 0.0 for field in dataclasses.fields(Augmentation)})


def only(**strengths):
    return dataclasses.replace(OFF, **strengths)


def make_batch(n=16, n_times=1000, fs=100.0, seed=0):
    """Random recordings that obey Einthoven; some shorter, some with leads missing."""
    rng = np.random.default_rng(seed)
    items = []
    for row in range(n):
        length = n_times if row % 4 else n_times - n_times * (row % 16) // 100 - 50
        one, two = rng.normal(size=(2, length))
        limbs = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2]
        signal = np.vstack([*limbs, rng.normal(size=(6, length))]).astype(np.float32)
        mask = np.ones(12, dtype=bool)
        if row % 5 == 2:
            mask[[7, 9]] = False
            signal[~mask] = 0
        beats = np.arange(0.3, length / fs, 0.8, dtype=np.float32)
        items.append(Prepared(signal, mask, beats, length / fs))
    return collate(items, fs)


def keys_of(batch, epoch=0):
    return augmentation_keys(7, epoch, np.arange(len(batch)))


def test_all_off_changes_nothing():
    batch = make_batch()
    out = OFF(batch, keys_of(batch))
    assert torch.allclose(out.signal, batch.signal, atol=1e-6)
    for name in ("lead_mask", "time_mask", "beat_mask", "beats"):
        assert torch.equal(getattr(out, name), getattr(batch, name)), name


def test_a_record_is_disturbed_alike_in_any_batch():
    batch = make_batch(32)
    keys = keys_of(batch)
    whole = Augmentation()(batch, keys)
    order = torch.randperm(32, generator=torch.Generator().manual_seed(0))
    shuffled = Augmentation()(batch[order], keys[order.numpy()])
    for name in ("signal", "lead_mask", "time_mask", "beats", "beat_mask"):
        assert torch.equal(getattr(shuffled, name), getattr(whole, name)[order]), name
    for row in (0, 5, 31):
        alone = Augmentation()(batch[row : row + 1], keys[row : row + 1])
        assert torch.allclose(alone.signal[0], whole.signal[row], atol=1e-6)
        assert torch.equal(alone.time_mask[0], whole.time_mask[row])
        assert torch.equal(alone.lead_mask[0], whole.lead_mask[row])


@pytest.mark.parametrize("length", [1000, 3000])
def test_a_record_is_disturbed_alike_however_long_its_batch_is(length):
    rng = np.random.default_rng(0)
    item = Prepared(
        rng.normal(size=(12, 700)).astype(np.float32), np.ones(12, bool), np.ones(1, np.float32), 7.0
    )
    alone, among = (
        Augmentation()(collate([item], 100.0, length=n), augmentation_keys(7, 0, [3])) for n in (700, length)
    )
    assert torch.allclose(alone.signal, among.signal[:, :, :700], atol=1e-5)
    assert torch.equal(alone.time_mask, among.time_mask[:, :700])


def test_epochs_seeds_and_records_differ_and_repeat():
    batch = make_batch()
    first = Augmentation()(batch, keys_of(batch)).signal
    assert torch.equal(first, Augmentation()(batch, keys_of(batch)).signal)
    assert not torch.allclose(first, Augmentation()(batch, keys_of(batch, epoch=1)).signal, atol=1e-2)
    grid = [augmentation_keys(seed, epoch, np.arange(500)) for seed in range(5) for epoch in range(5)]
    assert len(np.unique(np.concatenate(grid))) == 12_500
    assert augmentation_keys(3, 4, [9, 2])[1] == augmentation_keys(3, 4, np.array([2]))[0]
    assert augmentation_keys(0, 0, []).shape == (0,)


def test_draws_are_uniform_normal_and_independent():
    keys = augmentation_keys(0, 0, np.arange(20_000))
    drawn = np.concatenate([uniforms(keys, 0, 3), uniforms(keys, 1, 3)], axis=1)
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert np.abs(drawn.mean(axis=0) - 0.5).max() < 0.01
    assert np.abs(np.corrcoef(drawn.T) - np.eye(6)).max() < 0.03
    assert np.abs(np.corrcoef(drawn[1:, 0], drawn[:-1, 0])[0, 1]) < 0.03
    assert normals(keys, 2, 2).std() == pytest.approx(1, abs=0.02)


def test_what_is_masked_is_zero_and_what_was_masked_stays_masked():
    batch = make_batch(64)
    out = Augmentation(lead_drop=0.5)(batch, keys_of(batch))
    assert not out.signal[~out.lead_mask].any()
    assert not out.signal.transpose(1, 2)[~out.time_mask].any()
    assert not (out.lead_mask & ~batch.lead_mask).any()
    assert not out.beats[~out.beat_mask].any()
    assert out.lead_mask.any(dim=1).all()
    assert torch.isfinite(out.signal).all()
    share = out.lead_mask.sum() / batch.lead_mask.sum()
    assert 0.4 < share < 0.6


def test_the_input_is_left_as_it_is():
    batch = make_batch()
    before = batch.signal.clone()
    Augmentation()(batch, keys_of(batch))
    assert torch.equal(batch.signal, before)


def test_a_shift_moves_signal_masks_and_beats_together():
    batch = make_batch(64)
    out = only(shift_s=1.0)(batch, keys_of(batch))
    shifts = []
    for row in range(len(batch)):
        present = out.time_mask[row].nonzero()[:, 0]
        length = int(batch.time_mask[row].sum())
        moves = [
            move
            for move in range(-100, 101)
            if torch.equal(
                out.signal[row][:, max(0, move) : min(length, length + move)],
                batch.signal[row][:, max(0, -move) : min(length, length - move)],
            )
        ]
        assert len(moves) == 1
        assert present.numel() == min(length, length + moves[0]) - max(0, moves[0])
        kept = out.beats[row][out.beat_mask[row]]
        expected = batch.beats[row][batch.beat_mask[row]] + moves[0] / 100
        expected = expected[(expected > -0.005) & (expected < min(length, length + moves[0]) / 100 - 0.005)]
        assert torch.allclose(kept, expected, atol=1e-4)
        shifts.append(moves[0])
    assert min(shifts) < -60
    assert max(shifts) > 60


@pytest.mark.parametrize(
    "augmentation",
    [
        only(axis_deg=15.0),
        only(wander_mv=0.2),
        only(muscle_mv=0.05),
        only(gain=0.4, lead_gain=0.2),
        only(mains_mv=0.05),
        Augmentation(lead_drop=0.0),
    ],
    ids=["axis", "wander", "muscle", "gain", "mains", "all"],
)
def test_limb_leads_still_add_up(augmentation):
    batch = make_batch(n_times=3000, fs=300.0)
    out = augmentation(batch, keys_of(batch))
    assert not torch.allclose(out.signal, batch.signal, atol=1e-3)
    one, two, three, right, left, foot = out.signal[:, :6].unbind(1)
    assert torch.allclose(three, two - one, atol=1e-4)
    assert torch.allclose(right, -(one + two) / 2, atol=1e-4)
    assert torch.allclose(left, one - two / 2, atol=1e-4)
    assert torch.allclose(foot, two - one / 2, atol=1e-4)


def test_gain_stays_within_its_bounds_and_fills_them():
    batch = make_batch(256, 200)
    out = only(gain=0.4)(batch, keys_of(batch))
    gains = (out.signal[:, 1] / batch.signal[:, 1]).nanmedian(dim=1).values.numpy()
    assert gains.min() >= 1 / 1.4 - 1e-4
    assert gains.max() <= 1.4 + 1e-4
    assert np.median(gains) == pytest.approx(1.0, abs=0.05)
    assert gains.max() - gains.min() > 0.6


def test_disturbances_have_the_stated_size_and_band():
    batch = SignalBatch.from_arrays(
        np.zeros((60, 12, 5000), np.float32),
        np.ones((60, 12), bool),
        np.full(60, 5000),
        np.zeros((60, 0), np.float32),
        np.zeros((60, 0), bool),
        500.0,
    )
    hertz = np.fft.rfftfreq(5000, 1 / 500.0)
    for augmentation, size, low, high in (
        (only(wander_mv=0.2), 0.2, 0.0, 0.8),
        (only(muscle_mv=0.05), 0.05, 4.5, 41.0),
        (only(mains_mv=0.02), 0.02, 49.5, 60.5),
    ):
        signal = augmentation(batch, keys_of(batch)).signal.numpy()
        level = signal.std(axis=2)
        assert 0.2 * size < level.mean() < 0.8 * size
        assert level.max() < 3 * size
        power = (np.abs(np.fft.rfft(signal[:, :2] * np.hanning(5000), axis=2)) ** 2).mean(axis=(0, 1))
        assert power[(hertz >= low) & (hertz <= high)].sum() > 0.98 * power.sum()
    coarse = dataclasses.replace(batch, fs=100.0)
    assert not only(mains_mv=0.02)(coarse, keys_of(batch)).signal.any()


def test_axis_jitter_turns_a_dipole_and_leaves_the_rest():
    rng = np.random.default_rng(0)
    angles = np.deg2rad(rng.normal(scale=15, size=(5, 3)))
    matrix = axis_jitter(angles, np.ones((5, 12), bool))
    vector = rng.normal(size=3)
    turned = np.linalg.pinv(DIPOLE_TO_LEADS) @ (matrix @ (DIPOLE_TO_LEADS @ vector)).T
    assert np.allclose(np.linalg.norm(turned, axis=0), np.linalg.norm(vector))
    orthogonal = np.eye(12) - DIPOLE_TO_LEADS @ np.linalg.pinv(DIPOLE_TO_LEADS)
    assert np.allclose(matrix @ orthogonal, orthogonal)
    assert np.allclose(axis_jitter(np.zeros((1, 3)), np.ones((1, 12), bool)), np.eye(12))


def test_one_effect_does_not_change_what_another_draws():
    batch = make_batch()
    keys = keys_of(batch)
    alone = only(shift_s=1.0)(batch, keys)
    together = Augmentation()(batch, keys)
    assert torch.equal(alone.time_mask, together.time_mask)
    assert torch.equal(alone.beats, together.beats)


def test_bad_strengths_and_keys_are_refused():
    with pytest.raises(UsageError, match="wander_mv is -1"):
        Augmentation(wander_mv=-1)
    with pytest.raises(UsageError, match="axis_deg is nan"):
        Augmentation(axis_deg=float("nan"))
    with pytest.raises(UsageError, match="lead_drop"):
        Augmentation(lead_drop=1.0)
    batch = make_batch(4)
    with pytest.raises(UsageError, match="4 recordings"):
        Augmentation()(batch, keys_of(batch)[:3])


@pytest.mark.gpu
def test_cuda_gives_what_the_cpu_gives():
    batch = make_batch(32)
    keys = keys_of(batch)
    here = Augmentation()(batch, keys)
    there = Augmentation()(batch.to("cuda"), keys).to("cpu")
    assert torch.allclose(here.signal, there.signal, atol=1e-4)
    for name in ("lead_mask", "time_mask", "beat_mask"):
        assert torch.equal(getattr(here, name), getattr(there, name)), name
