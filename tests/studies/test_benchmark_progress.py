"""What a user is told while a benchmark runs and when it is done."""

from dataclasses import replace

import pytest
from page_files import class_row, results, row

from ecgclip.studies.benchmark.progress import Counted, Progress
from ecgclip.studies.benchmark.results import LeftOut, Unread
from ecgclip.studies.benchmark.telling import table_text, unread_text


class Clock:
    """Seconds that pass only when they are told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_steps_say_where_they_are_and_how_long_the_rest_takes():
    clock, told = Clock(), []
    progress = Progress(told.append, clock)
    progress.head = "[2/9] leads"
    progress.start(10)
    assert not progress.begins("a", there=True)
    assert progress.begins("b", there=False)
    clock.now += 20
    assert progress.begins("c", there=False)
    clock.now += 40
    assert not progress.begins("d", there=True)  # what was there already says nothing about the pace
    assert progress.begins("e", there=False)
    assert told == [
        "[2/9] leads 2 of 10: b",
        "[2/9] leads 3 of 10: c, about 2 min 40 s left",
        "[2/9] leads 5 of 10: e, about 3 min 00 s left",
    ]


def test_quick_steps_are_counted_and_not_all_told():
    clock, told = Clock(), []
    progress = Progress(told.append, clock)
    progress.start(100)
    for k in range(100):
        assert progress.begins(str(k), there=False)
        clock.now += 0.1
    assert 5 < len(told) < 15
    assert told[-1].endswith("left")


def test_a_long_step_tells_how_far_it_is(tiny_store):
    clock, told = Clock(), []
    tell = Progress(told.append, clock).counting("embeds", 200)
    source = Counted(tiny_store, tell)
    assert len(source) == 200
    for start in range(0, 200, 50):
        assert source.read(range(start, start + 50)).signal.shape[0] == 50
        clock.now += 10
    source.prepared(0)
    assert told == [
        "  embeds: 50 of 200, 30 s left",
        "  embeds: 100 of 200, 20 s left",
        "  embeds: 150 of 200, 10 s left",
    ]


@pytest.mark.parametrize(
    ("rejected", "absent", "says"),
    [
        (1, 0, "c: 1 recording not measured (1 could not be prepared, 0 absent from the disk)"),
        (2, 1500, "c: 1,502 recordings not measured (2 could not be prepared, 1,500 absent from the disk)"),
        (2, None, "c: 2 recordings not measured (2 could not be prepared)"),
    ],
)
def test_unread_recordings_are_counted_in_words(rejected, absent, says):
    assert unread_text(Unread(corpus="c", rejected=rejected, absent=absent, first=[], file="f")) == says


def test_a_row_without_a_figure_says_why():
    poor = class_row("MI", None, positives=1, scored=False, reason="1 positives, 2 needed")
    empty = replace(row("a", figure=None, classes=[poor]), low=None, high=None)
    said = table_text(results("zero_shot", [empty], left_out=[LeftOut(what="b", why="c")]))
    assert "-  no label has 2 positives and 2 negatives" in said
    assert said.endswith("left out: b: c")
