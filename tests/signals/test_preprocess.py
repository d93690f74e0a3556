import csv

import numpy as np
import pytest

from ecgclip.errors import DataError, UsageError
from ecgclip.records import LEADS, ECGRecord, read_record
from ecgclip.signals import Prepared, Preprocessor, windows
from ecgclip.signals.preprocess import resample


def sinusoid(hertz, fs, seconds=10.0, phase=0.3):
    times = np.arange(round(fs * seconds)) / fs
    return np.sin(2 * np.pi * hertz * times + phase)


def record_of(course, fs, scale=None):
    scale = np.linspace(0.5, 1.5, 12) if scale is None else scale
    return ECGRecord((scale[:, None] * course).astype(np.float32), fs=fs, lead_names=LEADS, record_id="made")


@pytest.mark.parametrize("hertz", [2.0, 8.0, 20.0])
@pytest.mark.parametrize("fs", [100.0, 250.0, 360.0, 500.0, 128.5])
def test_a_sinusoid_inside_the_band_keeps_amplitude_and_phase(hertz, fs):
    prepared = Preprocessor().prepare(record_of(sinusoid(hertz, fs), fs), beats=False)
    times = np.arange(prepared.signal.shape[1]) / 100.0
    expected = np.sin(2 * np.pi * hertz * times + 0.3)
    middle = slice(200, 800)
    got = prepared.signal[11, middle] / 1.5
    basis = np.stack([np.sin(2 * np.pi * hertz * times), np.cos(2 * np.pi * hertz * times)], axis=1)[middle]
    sine, cosine = np.linalg.lstsq(basis, got, rcond=None)[0]
    assert np.arctan2(cosine, sine) == pytest.approx(0.3, abs=0.01)
    assert np.hypot(sine, cosine) == pytest.approx(1.0, abs=0.03)
    assert np.abs(got - expected[middle]).max() < 0.04


@pytest.mark.parametrize(("hertz", "gain"), [(0.5, 0.5), (40.0, 0.5), (0.1, 0.0)])
def test_edges_of_the_band_are_where_they_are_stated(hertz, gain):
    prepared = Preprocessor().prepare(record_of(sinusoid(hertz, 500, 60.0), 500.0), beats=False)
    middle = prepared.signal[11, 2000:4000] / 1.5
    assert middle.std() * np.sqrt(2) == pytest.approx(gain, abs=0.02)


def test_an_offset_and_a_drift_leave_nothing_at_the_ends():
    drift = 3.0 + 0.05 * np.arange(5000) / 500
    prepared = Preprocessor().prepare(record_of(drift + 1e-4 * sinusoid(5, 500), 500.0), beats=False)
    assert np.abs(prepared.signal).max() < 0.06


def test_rate_and_length_of_the_output():
    for fs, n_times in ((500.0, 5000), (257.0, 2570), (100.0, 1000), (62.5, 625)):
        prepared = Preprocessor().prepare(record_of(np.sin(np.arange(n_times)), fs), beats=False)
        assert abs(prepared.signal.shape[1] - 1000) <= 1
        assert prepared.signal.dtype == np.float32
        assert prepared.fs == pytest.approx(100.0)


def test_preparing_what_is_at_rate_already_does_not_resample():
    course = np.random.default_rng(0).normal(size=(3, 1000)).astype(np.float32)
    assert resample(course, 100.0, 100.0) is course


def test_values_are_whole_microvolts_that_int16_holds():
    loud = 100.0 * sinusoid(5, 100)
    signal = Preprocessor().prepare(record_of(loud, 100.0), beats=False).signal
    steps = np.rint(signal * 1000)
    assert np.abs(steps).max() == 32767
    assert np.array_equal(steps.astype(np.int16).astype(np.float32) * np.float32(1e-3), signal)


def test_missing_leads_stay_zero_and_masked():
    course = sinusoid(5, 250).astype(np.float32)
    record = ECGRecord(np.stack([course, 2 * course]), fs=250, lead_names=("II", "V5"))
    prepared = Preprocessor().prepare(record, beats=False)
    assert np.flatnonzero(prepared.lead_mask).tolist() == [1, 10]
    assert not prepared.signal[~prepared.lead_mask].any()
    assert prepared.signal[10].std() == pytest.approx(2 * prepared.signal[1].std(), rel=1e-3)


def test_too_short_and_too_slow_recordings_are_refused_by_name():
    with pytest.raises(DataError, match=r"record made: 90 samples at 100 Hz are 0\.90 s"):
        Preprocessor().prepare(record_of(np.sin(np.arange(90)), 100.0))
    with pytest.raises(DataError, match="record made: sampled at 10 Hz"):
        Preprocessor().prepare(record_of(np.sin(np.arange(900)), 10.0))
    assert Preprocessor().prepare(record_of(np.sin(np.arange(100)), 100.0)).signal.shape == (12, 100)


def test_settings_survive_a_dictionary_and_the_hash_sees_every_one():
    preprocessor = Preprocessor(fs=250, band=(0.05, 100), order=3)
    again = Preprocessor.from_dict(preprocessor.to_dict())
    assert again == preprocessor
    assert again.hash == preprocessor.hash
    hashes = {
        Preprocessor().hash,
        Preprocessor(band=(0.5, 35)).hash,
        Preprocessor(band=(0.4, 40)).hash,
        Preprocessor(fs=125).hash,
        Preprocessor(order=3).hash,
    }
    assert len(hashes) == 5
    assert Preprocessor(fs=100).hash == Preprocessor(fs=100.0, band=(0.5, 40)).hash
    assert len(Preprocessor().hash) == 12


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"band": (0.5, 50)}, "fs / 2 = 50 Hz"),
        ({"band": (40, 0.5)}, "lower < upper"),
        ({"fs": 20}, "50 to 10000 Hz"),
        ({"order": 0}, "order 0"),
        ({"version": 0}, "version 0"),
        ({"band": [0.5, 20, 40]}, "not a lower and an upper edge"),
        ({"band": None}, "no number"),
        ({"fs": "fast"}, "no number"),
        ({"bands": [1, 2]}, "unknown key 'bands'"),
    ],
)
def test_settings_out_of_range_are_refused(settings, words):
    with pytest.raises(UsageError, match=words):
        Preprocessor.from_dict(settings)


def test_windows_cover_everything_and_end_with_the_recording():
    assert windows(1000, 100) == [(0, 1000)]
    assert windows(400, 100) == [(0, 400)]
    assert windows(2500, 100) == [(0, 1000), (1000, 2000), (1500, 2500)]
    assert windows(2000, 100) == [(0, 1000), (1000, 2000)]
    for n_times in range(1, 3500, 37):
        covered = np.zeros(n_times, dtype=bool)
        for start, stop in windows(n_times, 100):
            covered[start:stop] = True
        assert covered.all()
    with pytest.raises(UsageError):
        windows(1000, 100, 0.001)


def test_a_window_counts_its_beats_from_its_own_start():
    whole = Prepared(
        np.zeros((12, 2500), np.float32), np.ones(12, bool), np.array([1, 14, 16, 24], np.float32), 25
    )
    part = whole.cut(1500, 2500)
    assert part.signal.shape == (12, 1000)
    assert part.duration_s == 10
    assert part.beats.tolist() == [1, 9]


def test_500_hz_and_100_hz_recordings_of_one_event_prepare_alike(real_data):
    """The 60 PTB-XL recordings that are there at both rates."""
    folder = real_data / "ptb-xl"
    with (folder / "ptbxl_database.csv").open() as table:
        rows = [row for row in csv.DictReader(table) if (folder / f"{row['filename_hr']}.dat").exists()]
    assert len(rows) >= 50
    preprocessor = Preprocessor()
    differences = []
    for row in rows:
        fine = preprocessor.prepare(read_record(folder / f"{row['filename_hr']}.hea"), beats=False).signal
        coarse = preprocessor.prepare(read_record(folder / f"{row['filename_lr']}.hea"), beats=False).signal
        assert fine.shape == coarse.shape
        differences.append(np.abs(fine - coarse)[:, 100:900].mean() / coarse[:, 100:900].std())
    assert np.median(differences) < 0.05
