"""A plan over the sheet: bands where the mass is, and refusals."""

import numpy as np
import pytest

from ecgclip.errors import UsageError
from ecgclip.figures import plan_sheet

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


@pytest.mark.parametrize(
    ("plan", "phrases"),
    [(np.ones((9, 1)), ["a"]), (np.ones((10, 1)), ["a", "b"]), (-np.ones((10, 1)), ["a"])],
)
def test_plans_that_do_not_fit_are_refused(plan, phrases):
    with pytest.raises(UsageError):
        plan_sheet(SIGNAL, plan, TIMES, phrases, fs=100.0)
