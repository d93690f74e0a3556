"""The local term: its text measures and modes, near-duplicates, and memory that has a bound."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ecgclip.alignment import AlignmentBatch, LocalAlignment, couple, local_scores
from ecgclip.alignment.blocks import in_blocks
from ecgclip.alignment.local import distinct, local_coupling
from ecgclip.alignment.local.measure import distinct_within
from ecgclip.alignment.local.reports import ReportTexts
from ecgclip.alignment.local.scoring import report_scores
from ecgclip.errors import UsageError
from ecgclip.models import LocalEncoded, LocalReadout

N, M, DIM, BEATS = 6, 5, 16, 7
TRANSPORT = LocalReadout(plan="transport", reg=0.1, reg_m=0.1)
SETTINGS = {"reg": 0.1, "reg_m": 0.1, "dustbin": 0.5, "dustbin_cost": 1.0}
SAYS = np.array(
    [[1, 1, 0, 0, 0], [0, 1, 0, 0, 0], [0, 1, 1, 1, 0], [1, 1, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]],
    dtype=bool,
)


def unit(*shape):
    return F.normalize(torch.randn(*shape), dim=-1)


def encoded(beats, mask):
    return LocalEncoded(
        tokens=beats,
        token_mask=mask,
        token_times=torch.arange(float(beats.shape[1])),
        token_span=0.37,
        beats=beats,
        beat_mask=mask,
        beat_times=torch.zeros(mask.shape),
        beat_span=1.0,
    )


def batch(says=SAYS, has_text=None, seed=0):
    torch.manual_seed(seed)
    mask = torch.arange(BEATS) < torch.tensor([7, 5, 6, 3, 7, 4])[:, None]
    said = torch.from_numpy(says)
    return AlignmentBatch(
        signal=unit(N, DIM),
        text=unit(N, DIM),
        text_group=torch.eye(N, dtype=torch.bool),
        has_text=said.any(1) if has_text is None else torch.tensor(has_text),
        statements=unit(M, DIM),
        local_statements=unit(M, DIM).requires_grad_(),
        says=said,
        local=encoded(unit(N, BEATS, DIM).requires_grad_(), mask),
        scale=torch.tensor(10.0),
        local_scale=torch.tensor(10.0),
        local_bank=unit(9, DIM),
    )


def gradients(loss, given):
    return torch.autograd.grad(loss, (given.local.beats, given.local_statements))


MEASURES = ("report", "batch", "bank")
MODES = ("contrastive", "matched")


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("score", ["similarity", "mass", "potential"])
def test_a_bound_on_memory_changes_nothing(measure, mode, score):
    given = batch()
    readout = replace(TRANSPORT, text_measure=measure, score=score)
    whole = LocalAlignment(readout, mode=mode)(given)
    expected = gradients(whole, given)
    for mib in (0.02, 1e-6):  # a few recordings at once; then one recording, or one of its reports
        parts = LocalAlignment(readout, mode=mode, chunk_mib=mib)(given)
        torch.testing.assert_close(parts, whole)
        for one, other in zip(gradients(parts, given), expected, strict=True):
            torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


def test_blocks_are_no_larger_than_there_is_room():
    seen = []

    def block(rows, columns):
        seen.append((rows.stop - rows.start) * (columns.stop - columns.start))
        return torch.arange(7.0)[rows, None] * 10 + torch.arange(5.0)[None, columns]

    whole = block(slice(0, 7), slice(0, 5))
    for room in (1, 3, 5, 12, 35, 100):
        seen.clear()
        assert torch.equal(in_blocks(block, (7, 5), room), whole)
        assert max(seen) <= room
    assert in_blocks(lambda rows, columns: torch.zeros(7, 0), (7, 0), 3).shape == (7, 0)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("mode", MODES)
def test_every_measure_and_mode_pulls_pairs_together(measure, mode):
    given = batch()
    beats, texts = (t.detach().clone().requires_grad_() for t in (given.local.beats, given.local_statements))
    term = LocalAlignment(replace(TRANSPORT, text_measure=measure), mode=mode)
    optimizer = torch.optim.SGD([beats, texts], lr=1.0)
    losses = []
    for _ in range(30):
        local = encoded(F.normalize(beats, dim=-1), given.local.beat_mask)
        now = AlignmentBatch(
            **{**vars(given), "local": local, "local_statements": F.normalize(texts, dim=-1)}
        )
        loss = term(now)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 0.2
    assert not beats.grad[~given.local.beat_mask].any()


def test_a_report_is_scored_by_its_own_statements_and_a_dustbin():
    given = batch()
    reports, mine = ReportTexts.of(given.local_statements, given.says)
    assert mine[0] == mine[3]  # they say the same
    assert len(reports.says) == 5
    logits = LocalAlignment(replace(TRANSPORT, text_measure="report"), iterations=5)
    scores = report_scores(given.local, reports, logits.readout, iterations=5, chunk_mib=256.0)
    for row in range(N):
        for other in range(N):
            texts = given.local_statements[given.says[other]]
            if not len(texts):
                continue
            similarity = given.local.beats[row : row + 1] @ texts.T
            by_hand = couple(
                similarity, given.local.beat_mask[row : row + 1], plan="transport", iterations=5, **SETTINGS
            ).similarity.mean()
            torch.testing.assert_close(scores[row, mine[other]], by_hand, atol=1e-5, rtol=1e-4)
    own = report_scores(given.local, reports, logits.readout, iterations=5, chunk_mib=256.0, own=mine)
    torch.testing.assert_close(own[:, 0], scores.gather(1, mine[:, None])[:, 0])


def test_reports_that_say_the_same_are_never_negatives():
    """Recordings 0 and 3 share a report: both are its positives, and it is one of four columns."""
    given = batch()
    term = LocalAlignment(replace(TRANSPORT, text_measure="report"))
    copies = batch(says=np.concatenate([SAYS[:5], SAYS[:1]]))
    assert len(ReportTexts.of(copies.local_statements, copies.says)[0].says) == 4
    scores = []
    for each in (given, copies):
        loss = term(each)
        assert bool(torch.isfinite(loss))
        scores.append(loss)
    for grad in gradients(scores[0], given):
        assert bool(torch.isfinite(grad).all())


def test_matched_pairs_look_at_no_other_recording():
    given = batch()
    for measure in MEASURES:
        term = LocalAlignment(replace(TRANSPORT, text_measure=measure), mode="matched")
        before = gradients(term(given), given)[0]
        beats = given.local.beats.detach().clone()
        beats[1] = unit(BEATS, DIM)
        beats.requires_grad_()
        moved = AlignmentBatch(**{**vars(given), "local": encoded(beats, given.local.beat_mask)})
        after = gradients(term(moved), moved)[0]
        rest = torch.arange(N) != 1
        torch.testing.assert_close(after[rest], before[rest])


def test_the_bank_sets_the_prices_and_the_statements_change_none():
    given = batch()
    readout = replace(TRANSPORT, text_measure="bank")
    with torch.no_grad():
        both = local_scores(given.local, given.local_statements, readout, bank=given.local_bank)
        alone = local_scores(given.local, given.local_statements[2:3], readout, bank=given.local_bank)
        inside = local_scores(given.local, given.local_bank, readout, bank=given.local_bank)
        known = local_scores(given.local, given.local_bank, readout)
    torch.testing.assert_close(both[:, 2:3], alone)
    torch.testing.assert_close(inside, known)


def test_a_phrase_near_one_of_the_bank_scores_nearly_the_same_and_takes_nothing_from_it():
    given = batch()
    near = F.normalize(given.local_bank[:1] + 0.01 * torch.randn(1, DIM), dim=-1)
    for score, room in (("similarity", 0.02), ("mass", 0.02), ("potential", 0.02)):
        readout = replace(TRANSPORT, score=score)
        with torch.no_grad():
            bank = local_scores(given.local, given.local_bank, readout, bank=given.local_bank)
            asked = torch.cat([given.local_bank, near])
            both = local_scores(given.local, asked, readout, bank=given.local_bank)
        assert float((both[:, -1] - bank[:, 0]).abs().max()) < room
        torch.testing.assert_close(both[:, :-1], bank)


def with_a_twin():
    given = batch()
    texts = given.local_statements.detach()
    twin = F.normalize(texts[:1] + 0.01 * torch.randn(1, DIM), dim=-1)
    return given, torch.cat([texts[:4], twin])


def test_phrases_that_mean_the_same_lose_nothing():
    given, texts = with_a_twin()
    with torch.no_grad():
        single = local_coupling(given.local, texts[:4], TRANSPORT)
        double = local_coupling(given.local, texts, TRANSPORT)
        apart = local_coupling(given.local, texts, replace(TRANSPORT, merge=1.0))
    torch.testing.assert_close(double.log_mass[:, :4], single.log_mass)
    torch.testing.assert_close(double.potential[:, :4], single.potential)
    torch.testing.assert_close(double.plan[:, :, :4], single.plan)
    assert float((double.log_mass[:, 4] - single.log_mass[:, 0]).abs().max()) < 0.1
    assert bool((apart.plan.sum(1)[:, 0] < 0.9 * single.plan.sum(1)[:, 0]).all())


@pytest.mark.parametrize("score", ["similarity", "mass", "potential"])
def test_a_report_that_says_a_thing_twice_scores_as_if_once(score):
    given, texts = with_a_twin()
    readout = replace(TRANSPORT, score=score)
    once = ReportTexts(texts, torch.tensor([[True, False, False, False, False]]))
    twice = ReportTexts(texts, torch.tensor([[True, False, False, False, True]]))
    one, both = (
        report_scores(given.local, each, readout, iterations=50, chunk_mib=64.0).detach()
        for each in (once, twice)
    )
    assert float((one - both).abs().max()) < 0.01


def test_the_first_of_a_group_stands_for_it_and_no_gradient_flows():
    vectors = unit(3, DIM)[[0, 1, 0, 2, 1]].requires_grad_()
    assert distinct(vectors, 0.9).tolist() == [True, True, False, True, False]
    assert distinct(vectors, 1.01).tolist() == [True] * 5
    sets = torch.tensor([[True, False, True, True, False], [False, True, True, False, False]])
    assert distinct_within(vectors, 0.9, sets).tolist() == [
        [True, False, False, True, False],
        [False, True, True, False, False],
    ]


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("mode", MODES)
def test_a_batch_in_which_nobody_says_anything_costs_nothing(measure, mode):
    given = batch(says=np.zeros_like(SAYS))
    loss = LocalAlignment(replace(TRANSPORT, text_measure=measure), mode=mode)(given)
    assert float(loss.detach()) == 0.0
    for grad in gradients(loss, given):
        assert not grad.any()


def test_recordings_with_reports_of_many_kinds_and_a_missing_bank_or_name_is_told():
    given = batch()
    with pytest.raises(UsageError, match="matched"):
        LocalAlignment(TRANSPORT, mode="mached")(given)
    with pytest.raises(UsageError, match="report"):
        LocalAlignment(replace(TRANSPORT, text_measure="reports"))(given)
    with pytest.raises(UsageError, match="potential"):
        LocalAlignment(replace(TRANSPORT, score="potental"))(given)
    with pytest.raises(UsageError, match="bank"):
        LocalAlignment(replace(TRANSPORT, text_measure="bank"))(
            AlignmentBatch(**{**vars(given), "local_bank": None})
        )


def test_padding_of_beats_changes_no_score():
    given = batch()
    wide = encoded(F.pad(given.local.beats, (0, 0, 0, 5)), F.pad(given.local.beat_mask, (0, 5)))
    for plan in ("transport", "attention", "softmax"):
        readout = replace(TRANSPORT, plan=plan)
        torch.testing.assert_close(
            local_scores(wide, given.local_statements, readout),
            local_scores(given.local, given.local_statements, readout),
        )
