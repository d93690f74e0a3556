"""The local branch's other kinds: tokens of one lead each, and learned queries in place of R-peaks."""

import pytest
import torch

from ecgclip.errors import UsageError
from ecgclip.models.local import LocalBranch

FS, N = 100.0, 1000


def given(batch=2, seed=0):
    torch.manual_seed(seed)
    signal = torch.randn(batch, 12, N)
    leads, times = torch.ones(batch, 12, dtype=torch.bool), torch.ones(batch, N, dtype=torch.bool)
    beats = torch.tensor([[2.0, 3.0, 4.0]]).repeat(batch, 1)
    return signal, leads, times, beats, torch.ones(batch, 3, dtype=torch.bool)


def branch(**values):
    torch.manual_seed(1)
    return LocalBranch(fs=FS, dim=16, width=16, **values).eval()


def test_each_lead_has_tokens_that_know_it():
    found = branch(leads="each")(*given())
    count = found.tokens.shape[1] // 12
    assert found.tokens.shape == (2, 12 * count, 16)
    assert found.token_leads.tolist() == [lead for lead in range(12) for _ in range(count)]
    assert found.token_times.shape == found.token_leads.shape
    torch.testing.assert_close(found.token_times[:count], found.token_times[count : 2 * count])
    torch.testing.assert_close(found.tokens.norm(dim=-1), torch.ones(2, 12 * count))
    assert branch()(*given()).token_leads is None


@pytest.mark.parametrize("rate", [100.0, 128.0, 250.0, 500.0])
def test_a_token_of_a_lead_sees_that_lead_and_its_span_only(rate):
    model = LocalBranch(fs=rate, dim=8, width=16, leads="each").eval()
    n = int(10 * rate)
    signal = torch.randn(1, 12, n, requires_grad=True)
    masks = torch.ones(1, 12, dtype=torch.bool), torch.ones(1, n, dtype=torch.bool)
    none = torch.zeros(1, 0)
    found = model(signal, *masks, none, none.bool())
    assert found.token_span <= 0.4
    k = found.tokens.shape[1] // 12 * 4 + 20  # the fifth lead
    found.tokens[0, k].square().mul(torch.arange(8.0)).sum().backward()
    by_lead = signal.grad[0].abs().sum(1)
    assert by_lead.nonzero().flatten().tolist() == [4]
    seen = signal.grad.abs().sum((0, 1)).nonzero()[:, 0] / rate
    span = float(seen.max() - seen.min()) + 1 / rate
    assert found.token_span - 2.5 / model.rate <= span <= found.token_span + 1e-6
    assert abs(float(seen.max() + seen.min()) / 2 - float(found.token_times[k])) <= 0.03


def test_a_missing_lead_has_no_token_and_changes_no_other():
    model, (signal, leads, times, beats, mask) = branch(leads="each"), given()
    whole = model(signal, leads, times, beats, mask)
    leads = leads.clone()
    leads[0, 3] = False
    signal = torch.where(leads[:, :, None], signal, 0.0)
    found = model(signal, leads, times, beats, mask)
    third = found.token_leads == 3
    assert not found.token_mask[0, third].any()
    assert found.token_mask[0, ~third].all()
    torch.testing.assert_close(found.tokens[:, ~third], whole.tokens[:, ~third])


def test_absent_times_have_no_token_and_padding_changes_nothing():
    model, (signal, leads, times, beats, mask) = branch(leads="each", beats="learned"), given()
    short = model(signal[:, :, :600], leads, times[:, :600], beats, mask)
    times = times.clone()
    times[:, 600:] = False
    long = model(torch.where(times[:, None], signal, 0.0), leads, times, beats, mask)
    per_lead = [found.tokens.view(2, 12, -1, 16) for found in (short, long)]
    count = per_lead[0].shape[2]
    keep = long.token_mask.view(2, 12, -1)
    assert not keep[:, :, count:].any()
    torch.testing.assert_close(per_lead[1][:, :, : count - 1], per_lead[0][:, :, : count - 1])
    torch.testing.assert_close(long.beats, short.beats, atol=1e-4, rtol=1e-3)


def test_learned_queries_need_no_beat():
    model = branch(beats="learned", queries=6)
    signal, leads, times, beats, mask = given()
    found = model(signal, leads, times, beats, mask)
    without = model(signal, leads, times, beats[:, :0], mask[:, :0])
    assert found.beats.shape == (2, 6, 16)
    assert torch.equal(found.beats, without.beats)
    assert bool(found.beat_mask.all())
    assert bool(((found.beat_times >= 0) & (found.beat_times <= 10)).all())
    assert found.beat_span == 10.0
    found.beats.square().mul(torch.arange(16.0)).sum().backward()
    for name, value in model.queries.named_parameters():
        assert bool(torch.isfinite(value.grad).all()), name
    assert model.queries.query.grad.any()


def test_a_recording_of_nothing_has_no_learned_beat():
    model = branch(beats="learned")
    signal, leads, times, beats, mask = given()
    times[1] = False
    found = model(signal, leads, times, beats, mask)
    assert found.beat_mask.all(1).tolist() == [True, False]
    assert bool(torch.isfinite(found.beats).all())


def test_an_unknown_kind_names_those_there_are():
    with pytest.raises(UsageError, match="learned"):
        branch(beats="learnt")
    with pytest.raises(UsageError, match="each"):
        branch(leads="both")
