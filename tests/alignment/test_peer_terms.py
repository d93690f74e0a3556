"""The terms of the peers' objectives, against published code, against hand-made cases and their own promises."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ecgclip.alignment import AlignmentBatch, InfoNCE, Objective, SigmoidPairs, ViewInfoNCE, WeightedTerm
from ecgclip.alignment.sigmoid import statement_overlap
from ecgclip.errors import UsageError

N, M, DIM = 6, 5, 16


def unit(*shape):
    return F.normalize(torch.randn(*shape), dim=-1)


@pytest.fixture
def make():
    """Build a batch: groups of equal texts, which recordings have one, what each says."""

    def build(groups=range(N), has_text=(True,) * N, says=None, seed=0, **more):
        torch.manual_seed(seed)
        groups, has = torch.tensor(list(groups)), torch.tensor(has_text)
        said = torch.rand(N, M) < 0.4 if says is None else torch.as_tensor(says)
        return AlignmentBatch(
            signal=unit(N, DIM).requires_grad_(),
            text=unit(N, DIM)[groups].requires_grad_(),
            text_group=groups[:, None] == groups[None, :],
            has_text=has,
            statements=unit(M, DIM).requires_grad_(),
            local_statements=unit(M, DIM),
            says=said & has[:, None],
            local=None,
            scale=torch.tensor(10.0, requires_grad=True),
            local_scale=torch.tensor(10.0),
            second_view=unit(N, DIM).requires_grad_(),
            **more,
        )

    return build


def changed(batch, **fields):
    return AlignmentBatch(**{**vars(batch), **fields})


def test_a_held_temperature_takes_the_place_of_the_learned_scale(make):
    batch = make()
    loss = InfoNCE(temperature=0.1)(batch)
    torch.testing.assert_close(loss, InfoNCE()(batch))
    loss.backward()
    assert batch.scale.grad is None


def test_merls_loss_is_the_sum_of_both_directions(make):
    batch = make()
    objective = Objective(
        [WeightedTerm(InfoNCE(temperature=0.07), 2.0), WeightedTerm(ViewInfoNCE(temperature=0.07), 2.0)]
    )
    total, values = objective(batch)
    own = torch.arange(N)
    by_hand = 0.0
    for other in (batch.text, batch.second_view):
        logits = batch.signal @ other.T / 0.07
        by_hand += F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)
    torch.testing.assert_close(total, by_hand)
    assert list(values) == ["infonce", "views"]
    assert objective.needs == {"second_view"}


def test_sigmoid_is_open_clips_loss_where_texts_differ(make):
    from open_clip.loss import SigLipLoss

    batch, term = make(), SigmoidPairs()
    ours = term(batch)
    ours.backward()
    signal, text = batch.signal.detach().requires_grad_(), batch.text.detach().requires_grad_()
    theirs = SigLipLoss()(signal, text, torch.tensor(10.0), torch.tensor(-10.0))
    theirs.backward()
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(batch.signal.grad, signal.grad)
    assert term.bias.grad.abs() > 0
    assert term.log_scale.grad.abs() > 0


def test_overlap_by_hand():
    says = torch.tensor([[1, 1, 0, 0], [1, 1, 0, 0], [0, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 1]]).bool()
    found = statement_overlap(says)
    expected = [[1, 1, 1 / 4, 0, 0], [1, 1, 1 / 4, 0, 0], [1 / 4, 1 / 4, 1, 0, 1 / 3], [0] * 5]
    torch.testing.assert_close(found, torch.tensor([*expected, [0, 0, 1 / 3, 0, 1]]))


def test_graded_targets_are_the_overlap_and_copies_are_positives(make):
    says = np.eye(N, M, dtype=bool)
    says[1, 0] = True
    batch = make(says=says, groups=[0, 1, 2, 2, 4, 5])
    logits = 10.0 * batch.signal @ batch.text.T - 10.0
    target = torch.eye(N)
    target[0, 1] = target[1, 0] = 0.5
    target[2, 3] = target[3, 2] = 1.0
    by_hand = F.binary_cross_entropy_with_logits(logits, target, reduction="sum") / N
    torch.testing.assert_close(SigmoidPairs(targets="jaccard")(batch), by_hand)


def test_unknown_targets_are_refused():
    with pytest.raises(UsageError, match="jaccard"):
        SigmoidPairs(targets="jacard")


TERMS = {
    "infonce": lambda: InfoNCE(temperature=0.07),
    "sigmoid": SigmoidPairs,
    "views": ViewInfoNCE,
}


@pytest.mark.parametrize("name", TERMS)
def test_recordings_that_say_the_same_are_never_pushed_apart(make, name):
    """With one text in the whole batch nothing is pushed anywhere but, by the sigmoid, together."""
    batch = make(groups=[0] * N, says=np.ones((N, M), dtype=bool))
    same = batch.signal.detach()[:1].expand(N, DIM).clone().requires_grad_()
    batch = changed(batch, signal=same, second_view=same.detach(), text=same.detach())
    TERMS[name]()(batch).backward()
    along = (same.grad * same.detach()).sum(1)
    assert (along <= 1e-6).all()  # the loss falls, if at all, towards the shared text


@pytest.mark.parametrize("name", TERMS)
def test_a_batch_without_reports_is_finite_and_has_a_gradient(make, name):
    batch = make(has_text=(False,) * N)
    loss = TERMS[name]()(changed(batch, statements=batch.statements[:0], says=batch.says[:, :0]))
    loss.backward()
    assert torch.isfinite(loss)


@pytest.mark.parametrize("name", [name for name in TERMS if name != "views"])
def test_a_recording_without_a_report_takes_no_part(make, name):
    has = (True, True, False, True, True, True)
    batch, term = make(has_text=has), TERMS[name]()
    term(batch).backward()
    keep = torch.tensor(has)
    assert not batch.signal.grad[~keep].any()
    assert batch.signal.grad[keep].any()
