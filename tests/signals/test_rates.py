"""A second stays a second, whatever the rate of the recording."""

import numpy as np
import pytest

from ecgclip.records import ECGRecord
from ecgclip.signals import Preprocessor
from ecgclip.signals.preprocess import rate_ratio, resample


def pulses(fs, seconds):
    """A lead with a pulse of 60 ms around every whole second, and where those are."""
    times = np.arange(round(fs * seconds)) / fs
    centres = np.arange(1.0, seconds - 0.5)
    return np.exp(-(((times + 0.5) % 1.0 - 0.5) ** 2) / (2 * 0.02**2)).astype(np.float32)[None], centres


@pytest.mark.parametrize("fs", [150_000, 200_000, 1_000_000, 100_001])
def test_very_high_rates_keep_their_duration(fs):
    course, _ = pulses(fs, 2.0)
    prepared = Preprocessor().prepare(ECGRecord(course, fs=fs, lead_names=["II"]), beats=False)
    assert prepared.signal.shape == (12, 200)
    assert prepared.duration_s == 2.0
    assert prepared.signal[1, 50:150].argmax() == pytest.approx(50, abs=1)


@pytest.mark.parametrize(
    ("fs", "seconds"),
    [(1000.7, 60), (500.05, 60), (249.9, 60), (128.37, 60), (99.99, 60), (123.45, 7), (333.3337, 600)],
)
def test_rates_that_are_no_whole_number_do_not_drift(fs, seconds):
    course, centres = pulses(fs, seconds)
    found = resample(course, fs, 100.0)
    assert found.shape[1] == round(course.shape[1] * 100.0 / fs)
    for centre in centres[[0, -1]]:
        window = np.arange(round(100 * centre) - 20, round(100 * centre) + 21)
        weight = np.clip(found[0, window], 0, None)
        assert (window * weight).sum() / weight.sum() / 100 == pytest.approx(
            centre, abs=1e-4 + 1.2e-6 * centre
        )


def test_every_rate_is_met_to_a_few_parts_in_a_million_by_numbers_that_a_filter_can_have():
    rng = np.random.default_rng(0)
    rates = np.concatenate(
        [rng.uniform(50, 1000, 300).round(2), np.exp(rng.uniform(np.log(50), np.log(1e6), 300))]
    )
    missed = []
    for to in (50.0, 100.0, 250.0, 10_000.0):
        for fs in rates:
            up, down = rate_ratio(fs, to)
            missed.append(abs(up * fs / (down * to) - 1.0))
            assert max(up, down) <= 200_000
    assert max(missed) < 6.5e-6
    assert np.mean(np.array(missed) <= 1e-6) > 0.9


@pytest.mark.parametrize("fs", [250, 257, 360, 500, 1000, 128.5, 4000, 977])
def test_simple_rates_are_resampled_by_the_plain_ratio_and_keep_the_last_sample(fs):
    from fractions import Fraction

    from scipy.signal import firwin, resample_poly

    up, down = (Fraction(100) / Fraction(fs)).as_integer_ratio()
    widest = max(up, down)
    taps = firwin(20 * widest + 1, 1.0 / widest, window=("kaiser", 5.0)).astype(np.float32)
    course = np.random.default_rng(0).normal(size=(2, round(10 * fs) + 1)).astype(np.float32)
    expected = resample_poly(course, up, down, axis=-1, window=taps, padtype="line").astype(np.float32)
    assert expected.shape[1] == 1001
    np.testing.assert_array_equal(resample(course, fs, 100.0), expected)


def test_a_day_at_an_odd_rate_has_a_days_samples():
    fs = 50.0 * (1 + 9.9e-7)  # near enough to 50 Hz to be taken for it
    course = np.zeros((1, round(86_400 * fs)), dtype=np.float32)
    assert resample(course, fs, 50.0).shape == (1, 86_400 * 50)
