"""Any recording laid out as twelve leads: order, mask, derivation, gaps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgclip.errors import DataError
from ecgclip.records import LEADS, ECGRecord, canonical_lead, twelve_leads


def record(signal: np.ndarray, names: tuple[str, ...]) -> ECGRecord:
    return ECGRecord(signal, fs=100, lead_names=names)


def physical(seed: int = 0, n: int = 400) -> np.ndarray:
    """Twelve leads that obey Einthoven and Goldberger, as electrodes do."""
    rng = np.random.default_rng(seed)
    right, left, foot = rng.normal(size=(3, n))
    limb = [left - right, foot - right, foot - left]
    augmented = [right - (left + foot) / 2, left - (right + foot) / 2, foot - (right + left) / 2]
    return np.concatenate([limb, augmented, rng.normal(size=(6, n))]).astype(np.float32)


@given(order=st.permutations(range(12)))
@settings(deadline=None, max_examples=30)
def test_order_does_not_matter(order):
    signal = physical()
    out, mask = twelve_leads(record(signal[order], tuple(LEADS[row] for row in order)))
    assert mask.all()
    np.testing.assert_array_equal(out, signal)


@given(seed=st.integers(0, 1000), kept=st.sets(st.sampled_from(LEADS[2:])))
@settings(deadline=None, max_examples=30)
def test_limb_leads_follow_from_the_electrodes(seed, kept):
    signal = physical(seed)
    rows = [0, 1, *(LEADS.index(lead) for lead in LEADS if lead in kept)]
    out, mask = twelve_leads(record(signal[rows], tuple(LEADS[row] for row in rows)))
    assert mask[:6].all()
    np.testing.assert_allclose(out[:6], signal[:6], atol=1e-5)
    assert mask[6:].tolist() == [lead in kept for lead in LEADS[6:]]
    assert not out[~mask].any()


def test_nothing_is_derived_from_one_limb_lead():
    _, mask = twelve_leads(record(physical()[[1, 6]], ("II", "V1")))
    assert mask.nonzero()[0].tolist() == [1, 6]


def test_a_flat_chest_lead_is_missing():
    signal = physical()
    signal[8] = 0.3
    out, mask = twelve_leads(record(signal, LEADS))
    assert mask.nonzero()[0].tolist() == [row for row in range(12) if row != 8]
    assert not out[8].any()


def test_a_flat_limb_lead_is_missing_and_so_derived():
    signal = physical()
    truth = signal[4].copy()
    signal[4] = 0.0
    out, mask = twelve_leads(record(signal, LEADS))
    assert mask[4]
    np.testing.assert_allclose(out[4], truth, atol=1e-5)


def test_a_flat_lead_i_derives_nothing():
    signal = physical()
    signal[0] = 0.0
    signal[4] = 0.0
    _, mask = twelve_leads(record(signal, LEADS))
    assert not mask[0]
    assert not mask[4]


def test_short_gaps_are_bridged_and_long_ones_mask_the_lead():
    signal = physical()
    signal[7, 100:103] = np.nan
    signal[7, :5] = np.nan
    signal[9, :201] = np.nan
    signal[10] = np.nan
    out, mask = twelve_leads(record(signal, LEADS))
    assert mask.nonzero()[0].tolist() == [row for row in range(12) if row not in (9, 10)]
    np.testing.assert_allclose(out[7, 99:104], np.linspace(signal[7, 99], signal[7, 103], 5), rtol=1e-5)
    np.testing.assert_array_equal(out[7, :5], signal[7, 5])
    assert np.isfinite(out).all()


def test_what_is_left_must_be_alive():
    flat = np.zeros((2, 50), dtype=np.float32)
    flat[1] = np.arange(50)
    with pytest.raises(DataError, match="flat or mostly gaps"):
        twelve_leads(record(flat, ("II", "vx")))
    with pytest.raises(DataError, match="none of the twelve"):
        twelve_leads(record(flat, ("vy", "vx")))


@pytest.mark.parametrize(
    ("name", "lead"),
    [("AVF", "aVF"), ("avl", "aVL"), (" v3 ", "V3"), ("mlii", "II"), ("iii", "III")]
    + [(name, None) for name in ("V", "V7", "MCL1", "vx", "ECG", "", "ABP", "-aVR", "V1-V2", "IV")],
)
def test_names_of_leads(name, lead):
    assert canonical_lead(name) == lead
