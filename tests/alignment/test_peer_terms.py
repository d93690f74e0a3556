"""The terms of the peers' objectives, against published code, against hand-made cases and their own promises."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ecgclip.alignment import (
    AlignmentBatch,
    Captioning,
    Clouds,
    InfoNCE,
    LearnedBeats,
    Matching,
    Objective,
    SigmoidPairs,
    SoftTargets,
    ViewInfoNCE,
    WeightedTerm,
)
from ecgclip.alignment.terms.matching import hard_pairs
from ecgclip.alignment.terms.sigmoid import statement_overlap
from ecgclip.errors import UsageError

N, M, DIM = 6, 5, 16
SIGNAL, TEXT, TOKENS, PIECES, VOCABULARY = 12, 20, 7, 5, 30


def unit(*shape):
    return F.normalize(torch.randn(*shape), dim=-1)


@pytest.fixture
def make():
    """Build a batch: groups of equal texts, which recordings have one, what each says."""

    def build(groups=range(N), has_text=(True,) * N, says=None, seed=0, **more):
        torch.manual_seed(seed)
        groups, has = torch.tensor(list(groups)), torch.tensor(has_text)
        said = torch.rand(N, M) < 0.4 if says is None else torch.as_tensor(says)
        lengths = torch.randint(2, PIECES + 1, (N,))
        read = torch.arange(PIECES) < lengths[:, None]
        ids = torch.randint(1, VOCABULARY, (N, PIECES))
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
            signal_tokens=torch.randn(N, TOKENS, SIGNAL).requires_grad_(),
            signal_token_mask=torch.arange(TOKENS) < torch.randint(2, TOKENS + 1, (N, 1)),
            text_tokens=torch.randn(N, PIECES, TEXT).requires_grad_(),
            text_token_mask=read,
            text_ids=torch.where(read, ids, -1),
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


def test_the_bias_starts_where_it_is_told(make):
    batch = make()
    logits = 10.0 * batch.signal @ batch.text.T - 4.8
    expected = F.binary_cross_entropy_with_logits(logits, torch.eye(N), reduction="sum") / N
    torch.testing.assert_close(SigmoidPairs(bias=-4.8)(batch), expected)


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
    "clouds": Clouds,
    "soft_targets": SoftTargets,
    "captioning": lambda: Captioning(pieces=VOCABULARY, signal_width=SIGNAL, width=8, longest=PIECES),
    "learned_beats": lambda: LearnedBeats(signal_width=SIGNAL, dim=DIM, queries=3),
    "matching": lambda: Matching(signal_width=SIGNAL, text_width=TEXT, width=8),
}
GIVEN = ("signal", "text", "statements", "second_view", "signal_tokens", "text_tokens")


def build(name, seed=3):
    torch.manual_seed(seed)
    return TERMS[name]()


def gradients(term, batch):
    """The loss and the gradient of all that is given and of the term's own parameters."""
    own = dict(term.named_parameters()) if isinstance(term, torch.nn.Module) else {}
    given = {name: getattr(batch, name) for name in GIVEN if getattr(batch, name).requires_grad} | own
    loss = term(batch)
    found = torch.autograd.grad(loss, list(given.values()), allow_unused=True)
    zeros = {name: torch.zeros_like(value) for name, value in given.items()}
    return loss.detach(), {
        name: zeros[name] if g is None else g for name, g in zip(given, found, strict=True)
    }


@pytest.mark.parametrize("name", ["infonce", "sigmoid", "views", "soft_targets"])
def test_recordings_that_say_the_same_are_never_pushed_apart(make, name):
    """With one text in the whole batch nothing is pushed anywhere but, by the sigmoid, together."""
    batch = make(groups=[0] * N, says=np.ones((N, M), dtype=bool))
    same = batch.signal.detach()[:1].expand(N, DIM).clone().requires_grad_()
    batch = changed(batch, signal=same, second_view=same.detach(), text=same.detach())
    TERMS[name]()(batch).backward()
    along = (same.grad * same.detach()).sum(1)
    assert (along <= 1e-6).all()  # the loss falls, if at all, towards the shared text


def test_learned_beats_never_push_reports_of_the_same_statements_apart(make):
    batch = make(says=np.ones((N, M), dtype=bool))
    tokens = batch.signal_tokens.detach()[:1].expand(N, TOKENS, SIGNAL).clone().requires_grad_()
    mask = batch.signal_token_mask[:1].expand(N, TOKENS)
    build("learned_beats")(changed(batch, signal_tokens=tokens, signal_token_mask=mask)).backward()
    torch.testing.assert_close(tokens.grad, torch.zeros_like(tokens), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", TERMS)
def test_what_a_term_does_not_say_that_it_needs_it_does_not_look_at(make, name):
    term, batch = build(name), make()
    fields = {
        "second_view": {"second_view": None},
        "signal_tokens": {"signal_tokens": None, "signal_token_mask": None},
        "text_tokens": {"text_tokens": None, "text_token_mask": None},
        "text_ids": {"text_ids": None},
    }
    if "statements" not in term.needs:
        batch = changed(batch, statements=batch.statements[:0])
    for need, nothing in fields.items():
        lacking = changed(batch, **nothing)
        if need in term.needs:
            with pytest.raises(UsageError, match="objective"):
                term(lacking)
        else:
            torch.testing.assert_close(term(lacking), term(batch))


@pytest.mark.parametrize("name", TERMS)
def test_a_batch_without_reports_is_finite_and_has_a_gradient(make, name):
    batch = make(has_text=(False,) * N)
    loss = build(name)(changed(batch, statements=batch.statements[:0], says=batch.says[:, :0]))
    loss.backward()
    assert torch.isfinite(loss)


@pytest.mark.parametrize("name", [name for name in TERMS if name != "views"])
def test_a_recording_without_a_report_takes_no_part(make, name):
    has = (True, True, False, True, True, True)
    batch, keep = make(has_text=has), torch.tensor(has)
    _, found = gradients(build(name), batch)
    sides = ["signal"] if not found["signal_tokens"].any() else ["signal_tokens"]
    for side in [*sides, *(["text"] if found["text"].any() else [])]:
        assert not found[side][~keep].any(), side
        assert found[side][keep].any(), side


@pytest.mark.parametrize("name", TERMS)
def test_the_order_of_the_batch_does_not_matter(make, name):
    term, batch = build(name), make(says=np.eye(N, M, dtype=bool) | (np.arange(M) == 2))
    order = torch.tensor([3, 1, 0, 5, 2, 4])
    rows = {
        k: v[order]
        for k, v in vars(batch).items()
        if isinstance(v, torch.Tensor) and len(v.shape) and len(v) == N
    }
    turned = changed(batch, **(rows | {"text_group": batch.text_group[order][:, order]}))
    torch.testing.assert_close(term(turned), term(batch), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["captioning", "learned_beats", "matching"])
def test_padding_does_not_matter(make, name):
    term, batch = build(name), make()
    wide = changed(
        batch,
        signal_tokens=F.pad(batch.signal_tokens, (0, 0, 0, 3), value=5.0),
        signal_token_mask=F.pad(batch.signal_token_mask, (0, 3)),
        text_tokens=F.pad(batch.text_tokens, (0, 0, 0, 2), value=5.0),
        text_token_mask=F.pad(batch.text_token_mask, (0, 2)),
        text_ids=F.pad(batch.text_ids, (0, 2), value=-1) if name != "captioning" else batch.text_ids,
    )
    torch.testing.assert_close(term(wide), term(batch), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "bound"), [("captioning", "_ROWS"), ("matching", "_ROWS"), ("learned_beats", "_SIMILARITIES")]
)
def test_a_bound_on_memory_changes_no_gradient(make, name, bound, monkeypatch):
    term, batch = build(name), make()
    loss, whole = gradients(term, batch)
    monkeypatch.setattr(f"ecgclip.alignment.terms.{name}.{bound}", 2 if bound == "_ROWS" else 7)
    again, parts = gradients(term, batch)
    torch.testing.assert_close(again, loss)
    for key in whole:
        torch.testing.assert_close(parts[key], whole[key], atol=1e-6, rtol=1e-4, msg=key)


@pytest.mark.parametrize("name", ["clouds", "soft_targets", "captioning", "learned_beats", "matching"])
def test_gradients_are_those_of_finite_differences(make, name):
    term, batch = build(name), make(says=np.eye(N, M, dtype=bool) | (np.arange(M) == 2))
    if name == "clouds":
        term.reg = 0.5
    _, found = gradients(term, batch)
    side = {"clouds": "signal", "soft_targets": "text"}.get(name, "signal_tokens")
    value = getattr(batch, side).detach()
    torch.manual_seed(5)
    step = 1e-2 * F.normalize(torch.randn_like(value).flatten(), dim=0).view_as(value)
    fixed = term.targets if name == "soft_targets" else None
    if fixed is not None:  # the targets are no function of the parameters
        held = fixed(batch.signal, batch.text, ~batch.text_group)
        term.targets = lambda *_: held
    with torch.no_grad():
        up, down = (term(changed(batch, **{side: value + sign * step})) for sign in (1, -1))
    assert float((up - down) / 2) == pytest.approx(float((found[side] * step).sum()), rel=0.02, abs=2e-5)


@torch.no_grad()
def test_a_caption_is_told_from_the_pieces_before_it_alone(make):
    term, batch = build("captioning"), make()
    ids = torch.arange(1, PIECES + 1).expand(N, PIECES)

    def cost(ids, first):
        return term(changed(batch, text_ids=F.pad(ids[:, :first], (0, PIECES - first), value=-1))) * (
            first - 1
        )

    each = [float(cost(ids, first)) for first in range(2, PIECES + 1)]
    assert all(shorter < longer for shorter, longer in itertools.pairwise(each))
    other = ids.clone()
    other[:, -1] = 29  # the last piece is only ever told, never looked back at
    assert float(cost(other, PIECES - 1)) == pytest.approx(each[-2])
    assert float(cost(other, PIECES)) > each[-2]


def test_an_untrained_caption_costs_as_much_as_a_guess_and_a_learned_one_nothing(make):
    term, batch = build("captioning"), make()
    start = float(term(batch).detach())
    assert start == pytest.approx(np.log(VOCABULARY), rel=0.3)
    optimizer = torch.optim.AdamW(term.parameters(), lr=2e-2)
    for _ in range(120):
        optimizer.zero_grad()
        loss = term(batch)
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.1 * start


def test_learned_beats_by_hand(make):
    term, batch = build("learned_beats"), make(says=np.eye(N, M, dtype=bool) | (np.arange(M) == 2))
    with torch.no_grad():
        beats = term.beats(batch.signal_tokens, batch.signal_token_mask)
        scores = torch.zeros(N, N)
        for i in range(N):
            for j in range(N):
                total = 0.0
                for s in batch.says[j].nonzero()[:, 0]:
                    statement = batch.statements[s]
                    seen = (4 * beats[i] @ statement).softmax(0) @ beats[i]
                    total += torch.exp(5 * F.cosine_similarity(seen, statement, dim=0))
                scores[i, j] = 10 * torch.log(total)
        same = statement_overlap(batch.says) == 1
        by_hand = 0.0
        for side in (scores, scores.T):
            rows = -F.log_softmax(side, dim=1)
            by_hand += (rows * same).sum(1).div(same.sum(1)).mean() / 2
        torch.testing.assert_close(term(batch), by_hand, atol=1e-4, rtol=1e-4)


def test_clouds_in_the_same_places_cost_nothing_whoever_pairs_with_whom(make):
    batch = make()
    turned = changed(batch, text=batch.signal.detach()[torch.randperm(N)])
    assert float(Clouds()(turned).detach()) == pytest.approx(0.0, abs=1e-3)
    assert float(Clouds()(batch).detach()) > 0.1


def test_soft_targets_are_a_plan_between_the_other_pairs(make):
    batch, term = make(groups=[0, 0, 2, 3, 4, 5]), SoftTargets(reg=0.15)
    other = ~batch.text_group
    rows, columns = term.targets(batch.signal, batch.text, other)
    for shares, dim in ((rows, 1), (columns, 0)):
        torch.testing.assert_close(shares.exp().sum(dim), torch.ones(N))
        assert not shares.exp()[~other].any()
    signal = batch.signal.detach().clone()
    signal[2] = F.normalize(signal[3] + 0.05 * signal[2], dim=0)
    text = batch.text.detach().clone()
    text[2] = F.normalize(text[3] + 0.05 * text[2], dim=0)
    assert term.targets(signal, text, other)[0].exp()[2].argmax() == 3


def test_hard_pairs_are_near_and_wrong(make):
    says = np.zeros((N, M), dtype=bool)
    says[0, [0, 1]] = says[1, 0] = says[2, 2] = says[3, 3] = says[4, 4] = says[5, 4] = True
    batch = make(says=says, groups=[0, 1, 2, 3, 4, 4], has_text=(True, True, True, False, True, True))
    text = batch.text.detach().clone()
    text[1] = text[2] = text[3] = batch.signal.detach()[0]  # true of 0; wrong; of nobody
    signal, report, together = hard_pairs(changed(batch, text=text))
    own = signal[together]
    assert own.tolist() == report[together].tolist() == [0, 1, 2, 4, 5]
    wrong = list(zip(signal[~together].tolist(), report[~together].tolist(), strict=True))
    assert (0, 2) in wrong
    for i, j in wrong:
        assert 3 not in (i, j)
        assert not batch.text_group[i, j]
        assert not (set(np.flatnonzero(says[j])) <= set(np.flatnonzero(says[i])))


def test_matching_learns_to_tell(make):
    term, batch = build("matching"), make(says=np.eye(N, M, dtype=bool), has_text=(True,) * M + (False,))
    optimizer = torch.optim.AdamW(term.parameters(), lr=1e-2)
    for _ in range(80):
        optimizer.zero_grad()
        loss = term(batch)
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.05
