"""The terms of an objective, against open_clip, against hand-made cases, and against their own promises."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ecgclip.alignment import (
    PLANS,
    AlignmentBatch,
    InfoNCE,
    LocalAlignment,
    Objective,
    StatementInfoNCE,
    WeightedTerm,
    local_scores,
    multi_positive,
)
from ecgclip.errors import UsageError
from ecgclip.models import LocalEncoded, LocalReadout

N, M, DIM = 6, 5, 16


def unit(*shape):
    return F.normalize(torch.randn(*shape), dim=-1)


@pytest.fixture
def make():
    """Build a batch: groups of equal texts, which recordings have one, what each says."""

    def build(groups=range(N), has_text=(True,) * N, says=None, beats=4, seed=0):
        torch.manual_seed(seed)
        groups = torch.tensor(list(groups))
        text = unit(N, DIM)[groups]
        said = torch.rand(N, M) < 0.4 if says is None else torch.as_tensor(says)
        said = said & torch.tensor(has_text)[:, None]
        return AlignmentBatch(
            signal=unit(N, DIM).requires_grad_(),
            text=text.requires_grad_(),
            text_group=groups[:, None] == groups[None, :],
            has_text=torch.tensor(has_text),
            statements=unit(M, DIM),
            local_statements=unit(M, DIM),
            says=said,
            local=LocalEncoded(
                tokens=unit(N, 10, DIM),
                token_mask=torch.ones(N, 10, dtype=torch.bool),
                token_times=torch.arange(10.0),
                token_span=0.37,
                beats=unit(N, beats, DIM).requires_grad_(),
                beat_mask=torch.ones(N, beats, dtype=torch.bool),
                beat_times=torch.zeros(N, beats),
                beat_span=1.0,
            ),
            scale=torch.tensor(10.0, requires_grad=True),
            local_scale=torch.tensor(10.0, requires_grad=True),
        )

    return build


def test_infonce_is_open_clips_loss_where_texts_differ(make):
    from open_clip.loss import ClipLoss

    batch = make()
    ours = InfoNCE()(batch)
    ours.backward()
    signal, text = batch.signal.detach().requires_grad_(), batch.text.detach().requires_grad_()
    scale = torch.tensor(10.0, requires_grad=True)
    theirs = ClipLoss()(signal, text, scale)
    theirs.backward()
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(batch.signal.grad, signal.grad)
    torch.testing.assert_close(batch.scale.grad, scale.grad)


def test_rows_with_several_positives_by_hand():
    logits = torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 3.0], [1.0, 1.0, 1.0]])
    positive = torch.tensor([[True, True, False], [False, False, True], [False, False, False]])
    lse = [math.log(math.exp(2) + math.e + 1), math.log(1 + math.e + math.exp(3))]
    by_hand = (0.5 * ((lse[0] - 2) + (lse[0] - 1)) + (lse[1] - 3)) / 2
    assert float(multi_positive(logits, positive)) == pytest.approx(by_hand, rel=1e-6)


def test_no_positive_anywhere_is_zero_with_a_gradient():
    logits = torch.randn(3, 4, requires_grad=True)
    loss = multi_positive(logits, torch.zeros(3, 4, dtype=torch.bool))
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert not logits.grad.any()


def test_identical_texts_are_never_negatives(make):
    batch = make(groups=[0, 0, 2, 3, 4, 5])
    signal = batch.signal.detach()
    with torch.no_grad():  # recordings 0 and 1 say the same: drawing them together must not cost anything
        apart = InfoNCE()(batch)
        signal[1] = signal[0]
        for row in (0, 1):
            signal[row] = batch.text[0]
    together = InfoNCE()(AlignmentBatch(**{**vars(batch), "signal": signal, "text": batch.text.detach()}))
    assert float(together.detach()) < float(apart.detach())
    logits = 10.0 * signal @ batch.text.detach().T
    by_hand = []
    for side in (logits, logits.T):
        rows = -F.log_softmax(side, dim=1)
        by_hand.append(((rows[0, :2].mean() + rows[1, :2].mean()) + rows.diagonal()[2:].sum()) / N)
    torch.testing.assert_close(together, (by_hand[0] + by_hand[1]) / 2)


def test_every_copy_of_a_text_gets_the_same_pull(make):
    batch = make(groups=[0, 0, 2, 3, 4, 5])
    InfoNCE()(batch).backward()
    torch.testing.assert_close(batch.text.grad[0], batch.text.grad[1])


def test_a_recording_without_a_report_takes_no_part(make):
    has = (True, True, False, True, True, True)
    batch = make(has_text=has)
    keep = torch.tensor(has)
    for term in (InfoNCE(), StatementInfoNCE(), LocalAlignment(LocalReadout())):
        batch.signal.grad = batch.local.beats.grad = None
        term(batch).backward()
        moved = batch.signal.grad if not isinstance(term, LocalAlignment) else batch.local.beats.grad
        assert not moved[~keep].any()
        assert moved[keep].any()


@pytest.mark.parametrize("term", [InfoNCE(), StatementInfoNCE(), LocalAlignment(LocalReadout())])
def test_a_batch_in_which_nobody_says_anything_is_zero_with_a_gradient(make, term):
    batch = make(has_text=(False,) * N)
    nothing = AlignmentBatch(
        **{
            **vars(batch),
            "statements": batch.statements[:0],
            "local_statements": batch.local_statements[:0],
            "says": batch.says[:, :0],
        }
    )
    for each in (batch, nothing):
        loss, _ = Objective([WeightedTerm(term, 1.0)])(each)
        loss.backward()
        assert float(loss.detach()) == 0.0


def test_statement_infonce_by_hand(make):
    says = np.zeros((N, M), dtype=bool)
    says[0, [0, 1]] = says[1, 1] = says[3, 4] = True
    batch = make(says=says)
    logits = 10.0 * batch.signal.detach() @ batch.statements.T
    rows = -F.log_softmax(logits, dim=1)
    columns = -F.log_softmax(logits, dim=0)
    one = ((rows[0, 0] + rows[0, 1]) / 2 + rows[1, 1] + rows[3, 4]) / 3
    two = (columns[0, 0] + (columns[0, 1] + columns[1, 1]) / 2 + columns[3, 4]) / 3
    torch.testing.assert_close(StatementInfoNCE()(batch).detach(), (one + two) / 2)


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("score", ["similarity", "mass"])
@pytest.mark.parametrize("scale", ["beat", "token"])
def test_a_local_score_does_not_hang_on_other_recordings(make, plan, score, scale):
    local = make().local
    texts = unit(M, DIM)
    readout = LocalReadout(scale=scale, plan=plan, score=score)
    joined = local_scores(local, texts, readout)
    assert joined.shape == (N, M)
    for row in range(N):
        own = LocalEncoded(
            **{
                **vars(local),
                "tokens": local.tokens[row : row + 1],
                "token_mask": local.token_mask[row : row + 1],
                "beats": local.beats[row : row + 1],
                "beat_mask": local.beat_mask[row : row + 1],
            }
        )
        torch.testing.assert_close(local_scores(own, texts, readout)[0], joined[row], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("plan", ["attention", "maxsim", "uniform", "logsumexp"])
def test_a_local_score_without_competition_does_not_hang_on_other_texts(make, plan):
    local, texts = make().local, unit(M, DIM)
    readout = LocalReadout(plan=plan)
    joined = local_scores(local, texts, readout)
    torch.testing.assert_close(local_scores(local, texts[2:3], readout)[:, 0], joined[:, 2])


def test_the_local_term_finds_the_pairs(make):
    torch.manual_seed(1)
    batch = make(says=np.eye(N, M, dtype=bool))
    beats = batch.local.beats.detach().clone()
    beats[torch.arange(M), 0] = batch.local_statements
    near = AlignmentBatch(**{**vars(batch), "local": LocalEncoded(**{**vars(batch.local), "beats": beats})})
    term = LocalAlignment(LocalReadout())
    assert float(term(near).detach()) < 0.5 * float(term(batch).detach())


def test_a_local_term_without_a_local_branch_is_refused(make):
    batch = AlignmentBatch(**{**vars(make()), "local": None})
    with pytest.raises(UsageError, match=r"model\.local"):
        LocalAlignment(LocalReadout())(batch)


def test_an_unknown_scale_is_refused(make):
    with pytest.raises(UsageError, match="beat"):
        local_scores(make().local, unit(M, DIM), LocalReadout(scale="beats"))


def test_an_objective_is_the_weighted_sum_of_its_terms_each_named(make):
    batch = make()
    sharp = LocalAlignment(LocalReadout(reg=0.01))
    parts = [
        WeightedTerm(InfoNCE(), 1.0),
        WeightedTerm(LocalAlignment(LocalReadout()), 0.5),
        WeightedTerm(sharp, 2.0),
    ]
    with torch.no_grad():
        total, values = Objective(parts)(batch)
        alone = sharp(batch)
    assert list(values) == ["infonce", "local_beat_attention", "local_beat_attention#2"]
    assert float(values["local_beat_attention#2"]) == pytest.approx(float(alone))
    expected = sum(part.weight * float(value) for part, value in zip(parts, values.values(), strict=True))
    assert float(total) == pytest.approx(expected, rel=1e-6)


def test_a_text_that_holds_for_another_recording_is_no_negative_of_it(make):
    batch = make()
    holds = torch.eye(N, dtype=torch.bool)
    holds[1, 0] = True  # the text of recording 0 is true of recording 1 as well
    batch = replace(batch, holds=holds)
    logits = batch.scale * batch.signal @ batch.text.T
    rows, columns = logits.log_softmax(1), logits.log_softmax(0)
    first = -(rows.diagonal().sum() - rows[1, 1] + 0.5 * (rows[1, 0] + rows[1, 1])) / N
    second = -(columns.diagonal().sum() - columns[0, 0] + 0.5 * (columns[0, 0] + columns[1, 0])) / N
    expected = 0.5 * (first + second)
    torch.testing.assert_close(InfoNCE(positives="entailed")(batch), expected)
    plain = InfoNCE()(batch)
    torch.testing.assert_close(plain, InfoNCE()(make()))
    assert not torch.isclose(plain, expected)


@pytest.mark.parametrize("positives", ["identical", "entailed"])
def test_kinds_are_texts_more_and_true_of_every_recording_that_they_hold_for(make, positives):
    batch = make()
    holds = torch.eye(N, dtype=torch.bool)
    holds[1, 0] = True  # the kind of recording 0 is that of recording 1 as well
    kinds = unit(N, DIM)
    term = InfoNCE(positives=positives)
    logits = batch.scale * torch.cat([batch.signal @ batch.text.T, batch.signal @ kinds.T], dim=1)
    true = torch.cat([batch.text_group, holds], dim=1).double()
    rows = -(true * logits.log_softmax(1)).sum(1) / true.sum(1)
    columns = -(true * logits.log_softmax(0)).sum(0) / true.sum(0)
    expected = 0.5 * (rows.mean() + columns.mean())
    found = term(replace(batch, kinds=kinds, kinds_hold=holds))
    torch.testing.assert_close(found, expected.to(found.dtype))
    assert not torch.isclose(found, term(batch))


def test_positives_are_named():
    with pytest.raises(UsageError, match="positives of InfoNCE"):
        InfoNCE(positives="entail")


@pytest.mark.parametrize("plan", ["transport", "softmax"])
def test_a_statement_that_only_follows_takes_no_mass_from_what_is_said(make, plan):
    batch = make(says=[[True] * M] * N)
    readout = LocalReadout(plan=plan, merge=1.0)
    aside = torch.tensor([False] * (M - 1) + [True])
    alone = local_scores(batch.local, batch.local_statements[:-1], readout)
    beside = local_scores(batch.local, batch.local_statements, readout, aside=aside)
    competing = local_scores(batch.local, batch.local_statements, readout)
    torch.testing.assert_close(beside[:, :-1], alone)
    assert not torch.allclose(competing[:, :-1], alone, atol=1e-5)
