"""A plan over the sheet: bands where the mass is, and refusals."""

import numpy as np
import pytest

from ecgclip.errors import UsageError
from ecgclip.figures import plan_sheet
from ecgclip.records import LEADS

SIGNAL = np.zeros((12, 1000), dtype=np.float32)
TIMES = np.arange(10) + 0.5


def bands(figure):
    """Rectangles of the marks on the leads and strip (not the lanes' bars below zero)."""
    return [p for p in figure.axes[0].patches if p.get_y() >= 0]


def test_mass_on_one_beat_marks_only_that_beat(tmp_path):
    plan = np.zeros((10, 2))
    plan[3, 0] = 1.0
    figure = plan_sheet(SIGNAL, plan, TIMES, ["premature", "absent"], tmp_path / "plan.png", fs=100.0)
    marks = bands(figure)
    assert len(marks) == 4
    assert len({round(mark.get_x(), 6) for mark in marks}) == 1
    assert (tmp_path / "plan.png").stat().st_size > 10_000


def test_tokens_that_know_their_lead_mark_that_lead():
    plan = np.zeros((10, 1))
    plan[0, 0] = 1.0
    figure = plan_sheet(SIGNAL, plan, TIMES, ["st elevation"], fs=100.0, token_leads=["III"] * 10)
    assert len(bands(figure)) == 2
    figure = plan_sheet(SIGNAL, plan, TIMES, ["st elevation"], fs=100.0, token_leads=["V5"] * 10)
    assert len(bands(figure)) == 1  # V5 is not on paper at that moment: the strip alone


def test_a_lane_sums_the_leads_of_a_moment():
    plan, times = np.full((24, 1), 1.0), np.repeat([2.0, 8.0], 12)
    plan[:12] = 2.0
    figure = plan_sheet(SIGNAL, plan, times, ["a"], fs=100.0, token_leads=list(LEADS) * 2)
    low = [p for p in figure.axes[0].patches if p.get_y() < 0]
    heights = sorted(p.get_height() for p in low[1:])
    assert len(heights) == 2
    assert heights[0] == pytest.approx(heights[1] / 2)


@pytest.mark.parametrize(
    ("plan", "phrases"),
    [(np.ones((9, 1)), ["a"]), (np.ones((10, 1)), ["a", "b"]), (-np.ones((10, 1)), ["a"])],
)
def test_plans_that_do_not_fit_are_refused(plan, phrases):
    with pytest.raises(UsageError):
        plan_sheet(SIGNAL, plan, TIMES, phrases, fs=100.0)


def test_bands_of_neighbours_do_not_overlap():
    plan = np.zeros((20, 2))
    plan[4, 0] = plan[5, 1] = 1.0
    times = 0.5 + 0.4 * np.arange(20)
    marks = sorted(
        bands(plan_sheet(SIGNAL, plan, times, ["a", "b"], fs=100.0, token_span=0.9)), key=lambda m: m.get_x()
    )
    left, right = marks[0], marks[-1]
    assert left.get_x() + left.get_width() <= right.get_x() + 1e-9
    assert left.get_facecolor()[:3] != right.get_facecolor()[:3]


def test_what_is_spread_evenly_tints_nothing_and_has_its_lane():
    figure = plan_sheet(SIGNAL, np.full((10, 1), 0.1), TIMES, ["sinus rhythm"], fs=100.0)
    assert bands(figure) == []
    words = [text.get_text() for text in figure.axes[0].texts]
    assert "sinus rhythm" in words
    assert any("spread" in word for word in words)
    lane = [p for p in figure.axes[0].patches if p.get_y() < 0 and p.get_x() > 0]
    assert len(lane) == 1 + 10  # a swatch and a bar a token


def test_the_picture_has_the_size_of_its_sheet(tmp_path):
    import struct

    path = tmp_path / "plan.png"
    figure = plan_sheet(SIGNAL, np.full((10, 3), 0.1), TIMES, ["a", "b", "c"], path, fs=100.0, dpi=100)
    width, height = struct.unpack(">II", path.read_bytes()[16:24])
    inches = figure.get_size_inches()
    assert (width, height) == pytest.approx((inches[0] * 100, inches[1] * 100), abs=1)
    shorter = plan_sheet(SIGNAL, np.full((10, 1), 0.1), TIMES, ["a"], fs=100.0)
    assert shorter.get_size_inches()[1] < inches[1]


def test_notes_stand_where_the_shares_would():
    figure = plan_sheet(SIGNAL, np.eye(10)[:, :1], TIMES, ["a"], notes=["score 3"], fs=100.0)
    assert "score 3" in [text.get_text() for text in figure.axes[0].texts]
    with pytest.raises(UsageError, match="2 notes for 1"):
        plan_sheet(SIGNAL, np.eye(10)[:, :1], TIMES, ["a"], notes=["x", "y"], fs=100.0)
