"""Every real recording at hand is read, and holds what the WFDB library says it holds."""

from pathlib import Path

import numpy as np
import pytest
import wfdb
import yaml

from ecgclip.errors import ECGClipError
from ecgclip.records import LEADS, ECGRecord, canonical_lead, read_record, twelve_leads

LEDGER = yaml.safe_load((Path(__file__).parent / "wfdb_samples.yaml").read_text(encoding="utf-8"))
HEADERS = [name for name in LEDGER if name.endswith(".hea")]
READ = [name for name, entry in LEDGER.items() if "read" in entry.get("stated", entry)]
MILLIVOLTS = {"mV": 1.0, "mv": 1.0, "uV": 1e-3, "V": 1e3}


def headers(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.hea"))


def assert_equals_wfdb(record: ECGRecord, path: Path) -> bool:
    """Compare with the WFDB library, and say whether it could read the record at all."""
    try:
        truth = wfdb.rdrecord(str(path.with_suffix("")))
    except ValueError:
        return False
    kept = [row for row, unit in enumerate(truth.units) if unit in MILLIVOLTS]
    factors = np.array([MILLIVOLTS[truth.units[row]] for row in kept])
    expected = (truth.p_signal[:, kept] * factors).T.astype(np.float32)
    np.testing.assert_array_equal(record.signal, expected, err_msg=str(path))
    assert record.fs == pytest.approx(truth.fs)
    for ours, row in zip(record.lead_names, kept, strict=True):
        assert ours == (canonical_lead(truth.sig_name[row]) or ours)
    return True


def test_every_ptbxl_recording_is_read(real_data):
    paths = headers(real_data / "ptb-xl")
    rates = []
    for path in paths:
        record = read_record(path)
        signal, mask = twelve_leads(record)
        assert record.lead_names == LEADS
        assert signal.shape == (12, record.fs * 10)
        assert mask.all() or np.ptp(record.signal[~mask], axis=1).max() == 0
        rates.append(record.fs)
    assert rates.count(100) == 3684
    assert rates.count(500) == 60


def test_all_of_ptbxl_equals_wfdb(real_data):
    paths = headers(real_data / "ptb-xl")
    assert sum(assert_equals_wfdb(read_record(path), path) for path in paths) == 3744


@pytest.mark.parametrize(
    ("folder", "expected", "unread_by_wfdb"),
    [("challenge2020-cpsc", 90, 0), ("challenge2021", 70, 7), ("challenge2021-reduced", 15, 5)],
)
def test_every_challenge_recording_is_read(real_data, folder, expected, unread_by_wfdb):
    paths = headers(real_data / folder)
    records = [read_record(path) for path in paths]
    equal = [assert_equals_wfdb(record, path) for record, path in zip(records, paths, strict=True)]
    assert len(records) == expected
    assert equal.count(False) == unread_by_wfdb
    assert all(record.fs == 500 for record in records)
    assert all(any("Dx" in comment for comment in record.comments) for record in records)


def test_header_named_like_its_file_is_a_whole_recording(real_data):
    record = read_record(real_data / "challenge2021" / "E07938.hea")
    raw = np.fromfile(real_data / "challenge2021" / "E07938.mat", dtype="<i2", offset=24).reshape(-1, 12)
    np.testing.assert_allclose(record.signal, raw.T / 1000, rtol=1e-6)
    assert record.record_id == "E07938"


def test_reduced_leads_equal_those_of_the_whole(real_data):
    folder = real_data / "challenge2021-reduced"
    for path in headers(folder / "two_leads"):
        few, whole = read_record(path), read_record(folder / "twelve_leads" / path.name)
        assert few.lead_names == ("I", "II")
        np.testing.assert_array_equal(few.signal, whole.signal[:2])


def test_flat_leads_among_live_ones_are_masked(real_data):
    for name in ("JS20004", "JS20008"):
        record = read_record(real_data / "challenge2021" / f"{name}.hea")
        _, mask = twelve_leads(record)
        assert [lead for lead, present in zip(LEADS, mask, strict=True) if not present] == ["V2", "V4", "V6"]


def test_every_cpsc_struct_is_read(real_data):
    from scipy.io import loadmat

    paths = sorted((real_data / "cpsc2018").glob("*.mat"))
    for path in paths:
        record = read_record(path)
        truth = loadmat(path)["ECG"]["data"][0, 0]
        np.testing.assert_array_equal(record.signal, truth.astype(np.float32))
        assert record.lead_names == LEADS
        assert record.fs == 500
        assert any(comment.startswith("Sex: ") for comment in record.comments)
    assert len(paths) == 6


def test_the_ledger_lists_every_sample(real_data):
    folder = real_data / "wfdb-samples"
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == set(
        LEDGER
    )


@pytest.mark.parametrize("name", LEDGER)
def test_samples_follow_the_ledger(real_data, name):
    path, entry = real_data / "wfdb-samples" / name, LEDGER[name]
    stated = entry.get("stated", {})
    for expected, options in ((entry, {}), (stated, {"units": "mV", "lead_names": stated.get("leads")})):
        if "read" in expected:
            assert len(read_record(path, **options).lead_names) == expected["read"]
        elif "refused" in expected:
            with pytest.raises(ECGClipError) as caught:
                read_record(path, **options)
            assert expected["refused"] in str(caught.value)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [name for name in READ if name.endswith(".hea")])
def test_samples_equal_wfdb(real_data, name):
    path, stated = real_data / "wfdb-samples" / name, LEDGER[name].get("stated", {})
    record = read_record(path, units="mV" if stated else None, lead_names=stated.get("leads"))
    truth = wfdb.rdrecord(str(path.with_suffix("")))
    if "leads" in stated:
        rows = list(range(truth.n_sig))
    else:
        rows = [truth.sig_name.index(name) for name in record.lead_names]
    expected = truth.p_signal[:, rows].T.astype(np.float32)
    assert record.fs == pytest.approx(truth.fs)
    # WFDB averages a frame's invalid sample as if it were a voltage; here the frame is a gap.
    gap = np.isnan(record.signal) & ~np.isnan(expected)
    assert gap.sum() == (1 if name.endswith(("041s.hea", "041s02.hea")) else 0)
    np.testing.assert_array_equal(record.signal, np.where(gap, np.nan, expected))
