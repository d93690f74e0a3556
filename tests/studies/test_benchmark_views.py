"""What a view does to a recording: nothing more, nothing less, and the same every time."""

import numpy as np
import pytest

from ecgclip.errors import UsageError
from ecgclip.records import LEADS, ECGRecord
from ecgclip.signals import Preprocessor
from ecgclip.studies.benchmark.views import DISTURBANCES, LEAD_SETS, SeenThrough, View


@pytest.fixture(scope="module")
def one(tiny_store):
    return tiny_store.prepared(3)


def seen(one, tiny_store, **view):
    return View(**view).of(one, 3, tiny_store.preprocessor)


def test_twelve_leads_without_disturbance_are_the_recording_itself(one, tiny_store):
    assert seen(one, tiny_store) is one


@pytest.mark.parametrize("leads", [name for name in LEAD_SETS if name != "twelve"])
def test_leads_are_taken_away_by_mask_or_as_flat_lines(one, tiny_store, leads):
    kept = np.isin(LEADS, LEAD_SETS[leads])
    masked, flat = (seen(one, tiny_store, leads=leads, fill=fill) for fill in ("mask", "zero"))
    for each in (masked, flat):
        assert np.array_equal(each.signal[kept], one.signal[kept])
        assert not each.signal[~kept].any()
    assert np.array_equal(masked.lead_mask, kept)
    assert np.array_equal(flat.lead_mask, one.lead_mask)
    assert abs(masked.beats.size - one.beats.size) <= 2


def test_swapped_arms_turn_lead_one_over_and_keep_einthoven(one, tiny_store):
    swapped = seen(one, tiny_store, disturbance="swapped arms", severity=1).signal
    i, ii, iii, avr, avl, avf = one.signal[:6]
    assert np.allclose(swapped[:6], [-i, iii, ii, avl, avr, avf])
    assert np.allclose(swapped[0] + swapped[2], swapped[1], atol=0.003)
    assert np.array_equal(swapped[6:], one.signal[6:])


@pytest.mark.parametrize("count", [1, 4, 6])
def test_as_many_leads_are_off_as_asked(one, tiny_store, count):
    found = seen(one, tiny_store, disturbance="lead-off", severity=count)
    assert (~found.lead_mask).sum() == count
    assert not found.signal[~found.lead_mask].any()


@pytest.mark.parametrize("kind", ["noise", "wander", "powerline"])
def test_noise_grows_with_severity_in_the_same_shape(one, tiny_store, kind):
    faint, loud = (
        seen(one, tiny_store, disturbance=kind, severity=s).signal - one.signal for s in (0.1, 0.2)
    )
    assert np.allclose(loud, 2 * faint, atol=1e-5)
    assert np.allclose(loud[0] + loud[2], loud[1], atol=1e-4)
    assert np.array_equal(
        seen(one, tiny_store, disturbance=kind, severity=0.2).signal,
        seen(one, tiny_store, disturbance=kind, severity=0.2).signal,
    )
    assert not np.allclose(
        loud, seen(one, tiny_store, disturbance=kind, severity=0.2, seed=1).signal - one.signal
    )


def test_noise_enters_before_the_preprocessor(one, tiny_store):
    """Mains of 50 or 60 Hz hardly passes a band that ends at 40 Hz; muscle noise does."""
    mains, muscle = (
        (seen(one, tiny_store, disturbance=kind, severity=0.2).signal - one.signal).std()
        for kind in ("powerline", "noise")
    )
    assert mains < 0.05
    assert 0.12 < muscle < 0.22


def test_a_wider_band_lets_mains_through():
    record = ECGRecord(
        np.random.default_rng(0).normal(0, 0.1, (12, 5000)).astype(np.float32), fs=500, lead_names=LEADS
    )
    wide = Preprocessor(fs=250.0, band=(0.5, 100.0))
    prepared = wide.prepare(record)
    added = View(disturbance="powerline", severity=0.2).of(prepared, 0, wide).signal - prepared.signal
    assert added.std() == pytest.approx(0.2, rel=0.1)


def test_a_part_is_seen_by_rows_of_the_store(tiny_store):
    rows = np.array([7, 2])
    part = SeenThrough(tiny_store, rows, View(disturbance="noise", severity=0.1))
    alone = View(disturbance="noise", severity=0.1).of(tiny_store.prepared(2), 2, tiny_store.preprocessor)
    assert len(part) == 2
    assert np.array_equal(part.prepared(1).signal, alone.signal)


@pytest.mark.parametrize(
    ("view", "says"),
    [
        ({"leads": "II"}, "lead set"),
        ({"fill": "nan"}, "fill"),
        ({"disturbance": "nois"}, "did you mean noise"),
    ],
)
def test_unknown_views_are_refused(view, says):
    with pytest.raises(UsageError, match=says):
        View(**view)


def test_every_disturbance_has_severities():
    from ecgclip.studies.benchmark.protocols.robustness import SEVERITIES

    assert set(SEVERITIES) == set(DISTURBANCES)
