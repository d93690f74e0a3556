"""What a step sees hangs on its keys alone: not on the process, the batch, the worker or the restart."""

import itertools
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from torch import nn

from ecgclip.signals import augmentation_keys
from ecgclip.training.batches import Order, TrainingTexts, prefetch, signed, statement_lists
from ecgclip.training.loop import MovingAverage, learning_rate
from ecgclip.training.loop.processes import gather_rows, share

LISTS = [("a",), ("a", "b", "c", "d"), (), ("b", "e"), ("c", "a"), ("a", "c")]


def drawn(texts, positions, epoch=0):
    return texts.step(np.array(positions), augmentation_keys(0, epoch, np.array(positions)))


@pytest.mark.parametrize(("count", "batch_size"), [(100, 32), (96, 32), (33, 32), (5, 5)])
def test_no_record_is_used_twice_in_an_epoch(count, batch_size):
    order = Order(count, batch_size, seed=3)
    for epoch in range(3):
        first = epoch * order.steps_per_epoch
        steps = list(order.steps(first, first + order.steps_per_epoch))
        used = np.concatenate([positions for _, _, positions in steps])
        assert {each for _, each, _ in steps} == {epoch}
        assert len(used) == len(set(used.tolist())) == order.steps_per_epoch * batch_size


def test_the_order_is_the_same_from_whatever_step_it_starts():
    order = Order(100, 32, seed=3)
    whole = list(order.steps(0, 12))
    for start in (1, 2, 3, 7):
        for (a, b, c), (x, y, z) in zip(whole[start:], order.steps(start, 12), strict=True):
            assert (a, b, c.tolist()) == (x, y, z.tolist())


def test_epochs_and_seeds_differ_and_every_record_comes():
    order = Order(100, 32, seed=3)
    assert order.epoch(0).tolist() != order.epoch(1).tolist()
    assert order.epoch(0).tolist() != Order(100, 32, seed=4).epoch(0).tolist()
    assert sorted(order.epoch(5).tolist()) == list(range(100))
    left = [set(range(100)) - set(order.epoch(e)[:96].tolist()) for e in range(40)]
    assert len(set().union(*left)) > 60  # those left over are others each epoch


@pytest.mark.parametrize(("count", "processes"), [(32, 2), (33, 4), (2, 3), (7, 7)])
def test_shares_are_all_of_it_once(count, processes):
    parts = [list(range(count))[share(count, rank, processes)] for rank in range(processes)]
    assert list(itertools.chain(*parts)) == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_one_process_gathers_what_it_has():
    rows = torch.randn(3, 2)
    assert gather_rows(rows, [3]) is rows


def test_sampling_hangs_on_the_key_and_not_on_the_batch():
    texts = TrainingTexts(LISTS, sampling=True)
    whole = drawn(texts, range(6))
    for position in range(6):
        assert drawn(texts, [position]).reports == [whole.reports[position]]
    turned = drawn(texts, [5, 3, 1, 0, 2, 4])
    assert turned.reports == [whole.reports[k] for k in (5, 3, 1, 0, 2, 4)]
    many = {drawn(texts, [1], epoch).reports[0] for epoch in range(200)}
    assert {len(text.split(". ")) for text in many} == {1, 2, 3, 4}
    assert len(many) > 30


def test_sampled_statements_are_a_subset_of_the_reports():
    texts = TrainingTexts(LISTS, sampling=True)
    for epoch in range(50):
        for row, report in zip(LISTS, drawn(texts, range(6), epoch).reports, strict=True):
            said = report.split(". ") if report else []
            assert set(said) <= set(row)
            assert len(said) == len(set(said))
            assert bool(said) == bool(row)


def test_without_sampling_a_report_is_whole_and_in_order():
    found = drawn(TrainingTexts(LISTS, sampling=False), range(6))
    assert found.reports == [". ".join(row) for row in LISTS]
    assert found.groups[4] == found.groups[5]  # the same set in another order is the same text
    assert len(set(found.groups.tolist())) == 5


def test_the_statements_of_a_batch_and_who_says_them():
    found = drawn(TrainingTexts(LISTS, sampling=True), [3, 2, 1])
    assert found.statements == ["a", "b", "c", "d", "e"]
    assert found.says.tolist() == [
        [False, True, False, False, True],
        [False] * 5,
        [True, True, True, True, False],
    ]
    nobody = drawn(TrainingTexts(LISTS, sampling=True), [2])
    assert nobody.reports == [""]
    assert nobody.statements == []
    assert nobody.says.shape == (1, 0)


PLACED = [
    ("sinus rhythm", "Q waves in septal leads"),
    ("sinus rhythm",),
    ("Q waves in inferior leads", "no ST depression in lateral leads"),
    (),
]


def test_who_says_a_finding_at_a_place_says_it_without_one_and_denials_keep_theirs():
    found = drawn(TrainingTexts(PLACED, sampling=True, places_dropped=0.5), range(4))
    says = {text: found.says[:, k].tolist() for k, text in enumerate(found.statements)}
    assert says["Q waves"] == [True, False, True, False]
    assert "no ST depression" not in says
    assert [t for t, derived in zip(found.statements, found.derived, strict=True) if derived] == ["Q waves"]
    assert "Q waves" not in drawn(TrainingTexts(PLACED, sampling=True), range(4)).statements


def test_places_are_dropped_as_often_as_asked_and_by_the_key():
    texts = TrainingTexts(PLACED[:1], sampling=False, places_dropped=0.3)
    many = [drawn(texts, [0], epoch).reports[0] for epoch in range(600)]
    assert set(many) == {"sinus rhythm. Q waves in septal leads", "sinus rhythm. Q waves"}
    assert 0.22 < np.mean([text.endswith("Q waves") for text in many]) < 0.38
    assert many == [drawn(texts, [0], epoch).reports[0] for epoch in range(600)]


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_text_holds_for_every_recording_whose_report_states_all_of_it(share):
    texts = TrainingTexts([*PLACED, *LISTS], sampling=True, places_dropped=share)
    for epoch in range(20):
        found = drawn(texts, range(len(texts.rows)), epoch)
        stated = [{t for t, says in zip(found.statements, row, strict=True) if says} for row in found.says]
        for j, report in enumerate(found.reports):
            said = set(report.split(". ")) if report else set()
            assert [bool(h) for h in found.holds[:, j]] == [said <= each for each in stated]


KINDS = [
    ("sinus rhythm", "left anterior fascicular block", "ST depression in lateral leads"),
    ("right bundle branch block",),
    ("sinus rhythm", "no ST depression in lateral leads"),  # of no kind: its own words again
    (),
]


def test_a_second_text_says_the_kinds_of_the_findings_and_holds_for_all_that_have_them():
    found = drawn(TrainingTexts(KINDS, sampling=False, kinds=True), range(4))
    block, repolarization = "conduction disturbance", "repolarization abnormality"
    assert found.reports == [". ".join(row) for row in KINDS]
    assert found.kinds == [f"{block}. {repolarization}", block, ". ".join(KINDS[2]), ""]
    assert found.kinds_hold[:3, :3].tolist() == [
        [True, True, False],
        [False, True, False],
        [False, False, True],
    ]
    says = {text: found.says[:, k].tolist() for k, text in enumerate(found.statements)}
    assert says[block] == [True, True, False, False]
    derived = {text for text, so in zip(found.statements, found.derived, strict=True) if so}
    assert derived == {block, repolarization}
    two = TrainingTexts([("supraventricular tachycardia",)], sampling=False, kinds=True)
    assert drawn(two, [0]).kinds == ["supraventricular arrhythmia. tachycardia"]


def test_kinds_are_drawn_by_the_key_and_only_where_they_are_asked_for():
    texts = TrainingTexts(KINDS[:1], sampling=True, kinds=True)
    many = [drawn(texts, [0], epoch).kinds[0] for epoch in range(200)]
    block, repolarization = "conduction disturbance", "repolarization abnormality"
    assert {frozenset(text.split(". ")) for text in many} == {
        frozenset([block]), frozenset([repolarization]), frozenset([block, repolarization])
    }  # fmt: skip
    assert many == [drawn(texts, [0], epoch).kinds[0] for epoch in range(200)]
    plain = drawn(TrainingTexts(KINDS, sampling=True), range(4))
    assert plain.kinds == []
    assert plain.kinds_hold.shape == (4, 0)
    assert not {block, repolarization} & set(plain.statements)


def test_the_hash_of_texts_changes_with_any_statement():
    base = TrainingTexts(LISTS, sampling=True).hash
    assert base == TrainingTexts(list(LISTS), sampling=False).hash
    for changed in ([*LISTS[:-1], ("a", "e")], LISTS[::-1], [*LISTS, ()]):
        assert TrainingTexts(changed, sampling=True).hash != base


def test_reports_are_read_as_the_recipe_says(tiny_store):
    table = tiny_store.table
    canonical, raw, both = (statement_lists(table, kind) for kind in ("canonical", "raw", "both"))
    assert canonical != raw
    for one, two, joined in zip(canonical, raw, both, strict=True):
        assert joined == tuple(dict.fromkeys((*one, *two)))


def test_keys_keep_their_bits_in_torch():
    found = np.array([0, 2**63, 2**64 - 1], dtype=np.uint64)
    assert signed(found).tolist() == [0, -(2**63), -1]


def test_the_learning_rate_rises_then_falls_to_zero():
    rates = [learning_rate(step, 100, 2e-3, 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(2e-4)
    assert max(rates) == rates[9] == rates[10] == 2e-3
    assert all(a < b for a, b in itertools.pairwise(rates[:10]))
    assert all(a > b for a, b in itertools.pairwise(rates[10:]))
    assert rates[55] == pytest.approx(1e-3)
    assert 0 < rates[-1] < 1e-5
    assert learning_rate(0, 1, 1.0, 0.0) == 1.0
    assert all(0 < learning_rate(step, 3, 1.0, 1.0) <= 1.0 for step in range(3))


def test_prefetching_keeps_order_and_hands_errors_on():
    assert list(prefetch(lambda: iter(range(20)))) == list(range(20))
    assert list(prefetch(lambda: iter([]))) == []

    def broken():
        yield 1
        raise ValueError("in the thread")

    found = prefetch(broken)
    assert next(found) == 1
    with pytest.raises(ValueError, match="in the thread"):
        next(found)


def test_leaving_early_stops_the_thread():
    before = threading.active_count()
    found = prefetch(lambda: itertools.count())
    assert next(found) == 0
    found.close()
    assert threading.active_count() == before


def test_the_average_follows_the_weights_and_comes_off_again():
    model = nn.Linear(2, 1)
    model.bias.requires_grad_(False)
    average = MovingAverage(model, 0.5)
    start = model.weight.detach().clone()
    with torch.no_grad():
        model.weight += 1
    average.update(step=1000)
    with average.applied():
        torch.testing.assert_close(model.weight.detach(), start + 0.5)
    torch.testing.assert_close(model.weight.detach(), start + 1)
    assert list(average.state()) == ["weight"]
    other = MovingAverage(model, 0.5)
    other.load(average.state())
    torch.testing.assert_close(other.values[0], start + 0.5)
    other.put({"weight": torch.zeros(1, 2)})
    assert not model.weight.any()


def test_an_early_average_forgets_its_start_and_none_keeps_the_last():
    model = nn.Linear(2, 1)
    for decay, expected in ((0.999, 0.9), (0.0, 1.0)):
        average = MovingAverage(model, decay)
        start = model.weight.detach().clone()
        with torch.no_grad():
            model.weight += 1
        average.update(step=0)  # (1 + 0) / (10 + 0)
        torch.testing.assert_close(average.values[0], start + expected)


def test_the_same_texts_give_the_same_vocabulary_in_every_process():
    code = (
        "import hashlib\n"
        "from ecgclip.corpora import simulate\n"
        "from ecgclip.reports import read_report, train_wordpiece\n"
        "texts = [t for r in simulate(n=60, seed=1).table['report'] for t in read_report(r).texts('both')]\n"
        "print(hashlib.sha256(train_wordpiece(texts, 300).encode()).hexdigest())\n"
        "print(hashlib.sha256(repr(texts).encode()).hexdigest())\n"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "RAYON_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, threads in (("0", "1"), ("1", "2"), ("424242", "2"))
    }
    assert len(found) == 1
