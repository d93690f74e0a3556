"""An ECGRecord holds only what an electrode can have recorded, and keeps it."""

import numpy as np
import pytest

from ecgclip.errors import DataError, UsageError
from ecgclip.records import LEADS, ECGRecord


@pytest.fixture
def signal():
    return np.random.default_rng(1).normal(size=(12, 300)).astype(np.float32)


def test_record_is_frozen_and_its_signal_read_only(signal):
    record = ECGRecord(signal, fs=100, lead_names=[lead.lower() for lead in LEADS])
    assert record.lead_names == LEADS
    assert not np.shares_memory(record.signal, signal)
    with pytest.raises(ValueError, match="read-only"):
        record.signal[0, 0] = 1.0
    with pytest.raises(AttributeError):
        record.fs = 50  # type: ignore[misc]
    assert record.record_id == ""


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"signal": np.ones((12, 0))}, "no samples"),
        ({"signal": np.full((12, 9), np.nan)}, "is a gap"),
        ({"signal": np.ones((12, 9))}, "every lead is flat"),
        ({"signal": np.ones(9)}, "(n_leads, n_times)"),
        ({"signal": np.ones((300, 12))}, "transpose"),
        ({"signal": [["a"] * 9] * 12}, "real numbers"),
        ({"fs": 0}, "fs is 0"),
        ({"fs": True}, "fs is True"),
        ({"fs": 10**400}, "fs is 1000"),
        ({"lead_names": ["I", "MLII", "II", *LEADS[3:]]}, "lead II is there more than once"),
        ({"lead_names": LEADS[:11]}, "11 lead names for a signal of 12 rows"),
        ({"lead_names": "I"}, "must be a list"),
        ({"lead_names": ["", *LEADS[1:]]}, "every lead needs a name"),
    ],
)
def test_impossible_records_are_refused(signal, change, reason):
    arguments = {"signal": signal, "fs": 100, "lead_names": LEADS} | change
    with pytest.raises((DataError, UsageError)) as caught:
        ECGRecord(arguments.pop("signal"), **arguments)
    assert reason in str(caught.value)


def test_infinity_is_named_by_lead(signal):
    signal[4, 7] = -np.inf
    with pytest.raises(DataError, match="lead aVL has infinite values"):
        ECGRecord(signal, fs=100, lead_names=LEADS)


def test_masked_samples_are_gaps(signal):
    masked = np.ma.masked_array(signal, mask=signal > 2)
    record = ECGRecord(masked, fs=100, lead_names=LEADS)
    np.testing.assert_array_equal(np.isnan(record.signal), signal > 2)
