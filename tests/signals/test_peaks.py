import csv

import numpy as np
import pytest

from ecgclip.records import read_record
from ecgclip.signals import Preprocessor, r_peaks
from ecgclip.signals.peaks import gradient_peaks

FULL = np.ones(12, dtype=bool)
LEAD_GAINS = np.array([0.6, 1.0, 0.4, -0.8, 0.2, 0.7, -0.5, -0.9, 0.3, 1.2, 1.1, 0.8])


def heart(times, n_times, fs, width=0.02):
    """P, QRS and T of Gaussian shape at known times, in twelve leads."""
    clock = np.arange(n_times) / fs
    course = np.zeros(n_times)
    for time in times:
        course += np.exp(-0.5 * ((clock - time) / width) ** 2)
        course += 0.12 * np.exp(-0.5 * ((clock - time + 0.16) / 0.025) ** 2)
        course += 0.3 * np.exp(-0.5 * ((clock - time - 0.28) / 0.05) ** 2)
    return (LEAD_GAINS[:, None] * course).astype(np.float32)


def assert_found(found, times, within=0.03):
    assert found.size == len(times)
    assert np.abs(found - times).max() <= within
    assert found.dtype == np.float32


@pytest.mark.parametrize("fs", [100.0, 250.0, 500.0])
@pytest.mark.parametrize("rate", [40, 75, 120, 180])
@pytest.mark.parametrize("width", [0.012, 0.035])
def test_every_beat_of_a_regular_train_is_found_at_its_time(fs, rate, width):
    times = np.arange(0.2, 9.85, 60 / rate)
    assert_found(r_peaks(heart(times, round(10 * fs), fs, width), FULL, fs), times, 1 / fs + 0.005)


def test_irregular_beats_and_long_pauses():
    times = np.array([0.08, 0.6, 0.95, 1.9, 2.3, 5.2, 5.62, 6.4, 8.9, 9.92])
    assert_found(r_peaks(heart(times, 1000, 100.0), FULL, 100.0), times)


def test_noise_and_tiny_amplitude():
    times = np.arange(0.4, 9.9, 0.8)
    noise = np.random.default_rng(1).normal(scale=0.05, size=(12, 1000))
    assert_found(r_peaks((heart(times, 1000, 100.0) + noise).astype(np.float32), FULL, 100.0), times)
    assert_found(r_peaks(0.1 * heart(times, 1000, 100.0), FULL, 100.0), times)


def test_an_artefact_in_one_lead_is_no_beat():
    times = np.arange(0.4, 9.9, 1.0)
    signal = heart(times, 1000, 100.0)
    for start in (180, 370, 560):
        signal[6, start : start + 8] += 4.0
    assert_found(r_peaks(signal, FULL, 100.0), times)


def test_a_pacing_spike_before_its_complex_is_not_counted_twice():
    times = np.arange(0.5, 9.9, 0.9)
    signal = heart(times, 1000, 100.0, width=0.04)
    for time in times:
        signal[:, round(100 * (time - 0.14))] += 0.3 * np.sign(LEAD_GAINS)
    assert_found(r_peaks(Preprocessor().filter(signal), FULL, 100.0), times, 0.05)


def test_one_lead_is_enough():
    times = np.arange(0.4, 9.9, 0.8)
    mask = np.zeros(12, dtype=bool)
    mask[10] = True
    signal = np.where(mask[:, None], heart(times, 1000, 100.0), 0).astype(np.float32)
    assert_found(r_peaks(signal, mask, 100.0), times)


def test_nothing_found_is_an_empty_array():
    for signal, mask in (
        (np.zeros((12, 1000), np.float32), FULL),
        (np.zeros((12, 1000), np.float32), ~FULL),
        (np.zeros((12, 20), np.float32), FULL),
        (np.linspace(0, 1, 12000, dtype=np.float32).reshape(12, 1000), FULL),
    ):
        found = r_peaks(signal, mask, 100.0)
        assert found.shape == (0,)
        assert found.dtype == np.float32


def test_the_beats_of_an_hour_take_seconds_not_minutes():
    times = np.arange(0.4, 600, 0.8)
    assert_found(r_peaks(heart(times, 60_000, 100.0), FULL, 100.0), times)


def leads_to_search(folder):
    """Slopes as the detection sees them: noise, plateaus, trains, one long, real recordings at two rates."""
    draw = np.random.default_rng(7)
    yield 100.0, np.zeros(200)
    yield 100.0, np.linspace(0, 1, 150)
    for fs in (100.0, 250.0, 500.0):
        for n_times in (round(0.75 * fs), round(1.5 * fs), round(10 * fs)):
            noise = draw.normal(size=n_times)
            yield fs, noise
            yield fs, np.abs(noise) ** 3
            yield fs, np.round(2 * np.abs(noise))
            yield fs, np.abs(np.gradient(heart(draw.uniform(0, n_times / fs, 9), n_times, fs)[9])) ** 1.5
    for header in sorted(folder.glob("ptb-xl/records100/*/*.hea"))[::120]:
        for fs in (100.0, 500.0):
            signal = Preprocessor(fs=fs).prepare(read_record(header), beats=False).signal
            yield fs, np.median(np.abs(np.gradient(signal, axis=1)), axis=0)


@pytest.mark.parametrize(("threshold", "delay"), [(1.5, 0.3), (1.2, 0.12)])
def test_the_gradient_method_is_that_of_neurokit2_to_the_sample(real_data, threshold, delay):
    from neurokit2.ecg import ecg_findpeaks

    for fs, lead in leads_to_search(real_data):
        found = gradient_peaks(lead, fs, threshold=threshold, delay=delay)
        theirs = ecg_findpeaks(lead, fs, method="neurokit", gradthreshweight=threshold, mindelay=delay)
        assert found.tolist() == list(theirs["ECG_R_Peaks"])


def test_rates_of_real_recordings_agree_with_what_their_reports_state(real_data):
    """Recordings of the training folds with one rate statement: bradycardia, tachycardia, neither."""
    folder = real_data / "ptb-xl"
    preprocessor = Preprocessor()
    rates = {"'SBRAD'": [], "'STACH'": [], "'NORM'": []}
    with (folder / "ptbxl_database.csv").open() as table:
        for row in csv.DictReader(table):
            named = [code for code in rates if code in row["scp_codes"]]
            if int(row["strat_fold"]) > 8 or len(named) != 1 or len(rates[named[0]]) >= 25:
                continue
            beats = preprocessor.prepare(read_record(folder / f"{row['filename_lr']}.hea")).beats
            assert beats.size > 4, row["filename_lr"]
            rates[named[0]].append(60 / np.median(np.diff(beats)))
    assert np.mean(np.array(rates["'SBRAD'"]) < 62) > 0.9
    assert np.mean(np.array(rates["'STACH'"]) > 95) > 0.9
    assert np.mean(np.abs(np.array(rates["'NORM'"]) - 75) < 30) > 0.9


def test_fewer_leads_find_the_same_beats(real_data):
    """The same recordings with twelve, six, four, three and two leads."""
    beats = {}
    for header in sorted((real_data / "challenge2021-reduced").rglob("*.hea")):
        beats.setdefault(header.stem, []).append(Preprocessor().prepare(read_record(header)).beats)
    assert len(beats) == 3
    for name, found in beats.items():
        assert len(found) == 5
        assert len({times.size for times in found}) == 1, name
        assert np.ptp(np.stack(found), axis=0).max() < 0.1, name
