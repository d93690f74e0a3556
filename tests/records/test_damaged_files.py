"""Damaged CSV, NumPy and MATLAB files: read, or refused in one sentence; never a traceback or a crash."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from ecgclip.errors import ECGClipError
from ecgclip.records import LEADS, read_record

STATED = {
    "bad.csv": {"fs": 500},
    "bad.npy": {"fs": 500, "lead_names": LEADS},
    "bad.mat": {},
    "packed.mat": {},
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Sound files by name, to be damaged."""
    folder = tmp_path_factory.mktemp("sound")
    signal = np.random.default_rng(0).normal(size=(12, 20))
    np.savetxt(folder / "bad.csv", signal.T, delimiter=",", header=",".join(LEADS), comments="")
    np.save(folder / "bad.npy", signal)
    for name, packed in (("bad.mat", False), ("packed.mat", True)):
        struct = {"ECG": {"sex": "Male", "age": 30, "data": signal}}
        savemat(folder / name, struct, do_compression=packed)
    return folder


@given(
    name=st.sampled_from(sorted(STATED)),
    start=st.one_of(st.integers(0, 400), st.integers(0, 4000)),
    size=st.integers(0, 40),
    noise=st.binary(max_size=40),
    whole=st.booleans(),
)
@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_is_read_or_refused(sound, tmp_path, name, start, size, noise, whole):
    content = (sound / name).read_bytes()
    (tmp_path / name).write_bytes(noise if whole else content[:start] + noise + content[start + size :])
    message = ""
    try:
        record = read_record(tmp_path / name, **STATED[name])
    except ECGClipError as error:
        message = str(error)
    else:
        assert np.isfinite(record.signal).any()
    assert "\n" not in message


@pytest.mark.parametrize("name", STATED)
def test_sound_files_are_read(sound, name):
    assert read_record(sound / name, **STATED[name]).signal.shape == (12, 20)


@pytest.mark.parametrize("name", ["bad.mat", "packed.mat"])
def test_every_cut_of_a_struct_is_refused(sound, tmp_path, name):
    content = (sound / name).read_bytes()
    for length in range(0, len(content) - 8, 7):
        (tmp_path / name).write_bytes(content[:length])
        with pytest.raises(ECGClipError):
            read_record(tmp_path / name)
