"""Planted premature beats: early, where they are said to be, wide or narrow, and followed by their pause."""

import numpy as np
import pytest

from ecgclip.corpora.planting import KINDS, plant_in, simulated_with
from ecgclip.errors import UsageError
from ecgclip.signals import Prepared, Preprocessor

PREPROCESSOR = Preprocessor()


@pytest.fixture(scope="module")
def regular():
    """Simulated recordings in which real beats could be: prepared, of a regular sinus rhythm."""
    from ecgclip.corpora import simulate

    corpus = simulate(60, seed=11)
    wanted = [i for i, codes in enumerate(corpus.table["codes"]) if {"SR"} <= set(codes) <= {"SR", "NORM"}]
    return [PREPROCESSOR.prepare(corpus.record(i)) for i in wanted]


def planted(regular, kinds):
    made = [plant_in(p, kinds, seed=5, index=k, preprocessor=PREPROCESSOR) for k, p in enumerate(regular)]
    return [(p, m) for p, m in zip(regular, made, strict=True) if m is not None and m.found]


def intervals(found, at):
    """RR before and after the beat nearest to a second, over the median."""
    beats = found.prepared.beats
    k = int(np.abs(beats - at).argmin())
    rr = np.diff(beats) / np.median(np.diff(beats))
    return float(rr[k - 1]), float(rr[k])


def width(signal, fs, at):
    """Seconds round a second in which the leads are steep."""
    low, high = round((at - 0.15) * fs), round((at + 0.15) * fs)
    slope = np.abs(np.gradient(signal[:, low:high], axis=1)).mean(axis=0)
    return float((slope > 0.25 * slope.max()).sum() / fs)


def test_a_planted_beat_is_early_and_followed_by_its_pause(regular):
    cases = planted(regular, KINDS)
    assert len(cases) >= 5
    for _, found in cases:
        for kind in KINDS:
            before, after = intervals(found, found.seconds[kind])
            assert before < 0.8
            assert after > 0.95
            if kind == "PVC":
                assert before + after == pytest.approx(2.0, abs=0.12)  # fully compensatory


def test_the_ventricular_beat_is_wide_and_the_atrial_one_is_not(regular):
    for original, found in planted(regular, KINDS):
        signal, usual = found.prepared.signal, width(original.signal, 100.0, float(original.beats[1]))
        assert width(signal, 100.0, found.seconds["PVC"]) > 1.15 * usual
        assert width(signal, 100.0, found.seconds["PAC"]) < 1.6 * usual


def test_only_the_neighbourhood_of_the_beat_changes(regular):
    for original, found in planted(regular, ["PVC"]):
        at = found.seconds["PVC"]
        far = np.abs(np.arange(original.signal.shape[1]) / 100.0 - at) > 2.5
        assert found.prepared.signal.shape == original.signal.shape
        assert np.abs(found.prepared.signal - original.signal)[:, far].max() < 0.06  # the filter's slow skirt
        limbs = found.prepared.signal
        np.testing.assert_allclose(limbs[2], limbs[1] - limbs[0], atol=0.003)


def test_the_same_seed_plants_the_same_beat(regular):
    fit, _ = planted(regular, KINDS)[0]
    one, again, other = (
        plant_in(fit, KINDS, seed=seed, index=0, preprocessor=PREPROCESSOR) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.prepared.signal, again.prepared.signal)
    assert one.seconds == again.seconds != other.seconds


def test_an_uneven_or_fast_rhythm_is_left_alone(regular):
    rr = np.array([0.6, 0.9, 0.7, 1.1, 0.8, 0.5, 1.0, 0.9])
    for beats in (0.5 + np.cumsum(rr), 0.5 + 0.5 * np.arange(18), np.zeros(0)):
        uneven = Prepared(regular[0].signal, regular[0].lead_mask, beats.astype(np.float32), 10.0)
        assert plant_in(uneven, ["PVC"], seed=0, index=0, preprocessor=PREPROCESSOR) is None


def test_simulated_patients_have_findings_besides_and_the_beats_where_they_are_said_to_be():
    made = [simulated_with(KINDS, seed=9, index=k, preprocessor=PREPROCESSOR) for k in range(60)]
    cases = [found for found in made if found is not None]
    assert len(cases) > 8
    seen = [found for found in cases if found.found]
    assert len(seen) >= 0.8 * len(cases)
    for found in seen:
        assert set(found.seconds) == set(KINDS)
        assert abs(found.seconds["PVC"] - found.seconds["PAC"]) > 1.0
        assert intervals(found, found.seconds["PVC"])[0] < 0.85
        assert intervals(found, found.seconds["PAC"])[0] < 0.85


def test_an_unknown_beat_names_those_there_are(regular):
    with pytest.raises(UsageError, match="PVC"):
        plant_in(regular[0], ["VES"], seed=0, index=0, preprocessor=PREPROCESSOR)
