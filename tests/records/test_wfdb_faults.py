"""WFDB records with one planted fault each: refused in a sentence that names file, place and expectation."""

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ecgclip.errors import DataError, ECGClipError
from ecgclip.records import LEADS, read_record


def line(text: str) -> dict[int, str]:
    return {1: text}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"first": "rec 12"}, "states no sampling rate; state fs="),
        ({"first": "rec 12 0 200"}, "the sampling rate is '0'"),
        ({"first": "rec 12 nan 200"}, "the sampling rate is 'nan'"),
        ({"first": "rec 12 -100 200"}, "the sampling rate is '-100'"),
        ({"first": "rec 12 1e99 200"}, "the sampling rate is '1e99'"),
        ({"first": "rec 12 100 0"}, "has no samples"),
        ({"first": "rec 12 100 -5"}, "the number of samples is '-5'"),
        ({"first": "rec 12 100 2e3"}, "the number of samples is '2e3'"),
        ({"first": "rec 12 100 201"}, "has 4800 bytes, but its header claims 201 samples"),
        ({"first": "rec 12 100 99999999999999"}, "2**30|1073741824|take"),
        ({"first": "rec 13 100 200"}, "announces 13 signals, but has 12 lines"),
        ({"first": "rec 11 100 200"}, "announces 11 signals, but has 12 lines"),
        ({"first": "rec 0 100 200"}, "announces no signals"),
        ({"first": "rec -1 100 200"}, "the number of signals is '-1'"),
        ({"first": "rec"}, "expected a record name and a number of signals"),
        ({"first": "rec/2 12 100 200"}, "announces 2 segments, but has 12 lines"),
        ({"first": "rec/x 12 100 200"}, "the number of segments is 'x'"),
        ({"scale": "1000"}, "lead I states no unit; state units="),
        ({"scale": "0/mV"}, "lead I states no gain"),
        ({"scale": "-1000/mV"}, "lead I has a gain of -1000"),
        ({"scale": "0.5/mV"}, "lead I has a gain of 0.5"),
        ({"scale": "1e-4/uV"}, "lead I has a gain of 0.0001"),
        ({"scale": "1000001/mV"}, "lead I has a gain of 1e+06"),
        ({"scale": "1e999/mV"}, "lead I has a gain of inf"),
        ({"scale": "nan/mV"}, "the gain 'nan/mV'"),
        ({"scale": "x/mV"}, "the gain 'x/mV'"),
        ({"lines": line("rec.dat 16 1000/mmHg 16 0 0 0 0 II")}, "lead II is in 'mmHg', expected a voltage"),
        ({"lines": line("rec.dat 16")}, "signal 2 has no name; state lead_names="),
        ({"lines": line("rec.dat")}, "needs a file and a format"),
        ({"lines": line("rec.dat 17 1000/mV 16 0 0 0 0 II")}, "signal 2 is in format 17"),
        ({"lines": line("rec.dat 212 1000/mV 16 0 0 0 0 II")}, "expected one format a file"),
        ({"lines": line("rec.dat 16x0 1000/mV 16 0 0 0 0 II")}, "no samples a frame"),
        ({"lines": line("rec.dat 16x9999999 1000/mV 16 0 0 0 0 II")}, "has 4800 bytes"),
        ({"lines": line("rec.dat 16 1000/mV 16 0 0 x 0 II")}, "'x' in"),
        ({"lines": line("rec.dat 16 1000/mV 16 0 0 0 0 I")}, "lead I is there more than once ('I' and 'I')"),
        ({"lines": line("rec.dat 16 1000/mV 16 0 0 0 0 MLII"), "names": ("II", "x", *LEADS[2:])}, "'MLII'"),
        ({"lines": line("../rec.dat 16 1000/mV 16 0 0 0 0 II")}, "expected one inside its own folder"),
        ({"lines": line("/etc/passwd 16 1000/mV 16 0 0 0 0 II")}, "expected one inside its own folder"),
        ({"lines": line("C:\\x.dat 16 1000/mV 16 0 0 0 0 II")}, "expected one inside its own folder"),
        ({"lines": line("gone.dat 16 1000/mV 16 0 0 0 0 II")}, "gone.dat"),
        ({"lines": line("~ 16 1000/mV 16 0 0 0 0 II")}, "no samples of its own"),
        ({"lines": line("rec.dat 508 1000/mV 16 0 0 0 0 II")}, "one format a file"),
        ({"names": tuple(f"ECG {n}" for n in range(12))}, "none of the twelve leads"),
        ({"data": b""}, "has 0 bytes"),
        ({"samples": np.zeros((12, 200), "<i2")}, "every lead is flat"),
        ({"samples": np.full((12, 200), -32768, "<i2")}, "is a gap (NaN)"),
    ],
)
def test_planted_fault(write_wfdb, fault, reason):
    path = write_wfdb(**fault)
    with pytest.raises(DataError) as caught:
        read_record(path)
    message = str(caught.value)
    assert any(part in message for part in reason.split("|"))
    assert "rec." in message or "gone.dat" in message
    assert "\n" not in message


def test_a_flac_file_that_is_none(write_wfdb):
    lines = {row: f"rec.dat 516 1000/mV 16 0 0 0 0 {lead}" for row, lead in enumerate(LEADS)}
    with pytest.raises(DataError, match="is no FLAC file"):
        read_record(write_wfdb(lines=lines))


def test_segments_that_do_not_fit_are_refused(write_wfdb, tmp_path):
    write_wfdb()
    whole = tmp_path / "whole.hea"
    for text, reason in (
        ("whole/2 12 100 300\nrec 200\nrec 200\n", "claims 300 samples, but its segments have 400"),
        ("whole/1 12 500 200\nrec 200\n", "has 100 Hz, but whole.hea has 500 Hz"),
        ("whole/1 11 100 200\nrec 200\n", "announces 11 signals"),
        ("whole/1 12 100 150\nrec 150\n", "has 200 samples, but whole.hea claims 150"),
        ("whole/1 12 100 200\nwhole 200\n", "has segments itself"),
        ("whole/1 12 100 200\n../rec 200\n", "inside its own folder"),
        ("whole/1 12 100 200\ngone 200\n", "gone.hea: there is no such header file"),
        ("whole/2 12 100\n~ 200\n~ 200\n", "has no samples in any of its segments"),
        ("whole/2 12 100\nrec 200\n~ 999999999999\n", "more than 1073741824 values"),
        ("whole/1 12 100 200\nrec\n", "needs a name and a number of samples"),
    ):
        whole.write_text(text)
        with pytest.raises(DataError) as caught:
            read_record(whole)
        assert reason in str(caught.value)


def test_segments_are_joined_with_gaps_between(write_wfdb, tmp_path, digital):
    write_wfdb()
    (tmp_path / "whole.hea").write_text("whole/3 12 100 500\nrec 200\n~ 100\nrec 200\n")
    signal = read_record(tmp_path / "whole.hea").signal
    expected = (digital / 1000).astype(np.float32)
    np.testing.assert_array_equal(signal[:, :200], expected)
    np.testing.assert_array_equal(signal[:, 300:], expected)
    assert np.isnan(signal[:, 200:300]).all()


def test_header_that_is_empty_binary_or_vast(write_wfdb):
    path = write_wfdb()
    for content in (b"", b"\n\n# only a comment\n", bytes(range(256)) * 4, b"\xff\xfe\x00", b"9" * 10000):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"rec\.hea"):
            read_record(path)
    with path.open("wb") as file:
        file.truncate(1 << 24)
    with pytest.raises(DataError, match="too many for a WFDB header"):
        read_record(path)


def assert_read_or_refused(path, **stated):
    message = ""
    try:
        record = read_record(path, **stated)
    except ECGClipError as error:
        message = str(error)
    else:
        assert np.isfinite(record.signal).any()
        assert not np.isinf(record.signal).any()
    assert "\n" not in message


FIELDS = st.sampled_from(
    [
        "rec",
        "rec.dat",
        "12",
        "0",
        "-1",
        "1e9",
        "99999999999999999999",
        "nan",
        "inf",
        "16",
        "212",
        "8",
        "310",
        "508",
        "16x2",
        "16:3",
        "16+24",
        "16x9:9+9",
        "100",
        "1000/mV",
        "1000(0)/mV",
        "0/mV",
        "(/",
        "/mV",
        "1e400",
        "~",
        "../x",
        "/dev/zero",
        "II",
        "I",
        "V1",
        "µV",
        "١٢",
        "rec/2",
        "/",
        "#",
        "(",
        ")",
        "+",
    ]
)
GARBAGE = st.one_of(
    st.text(max_size=200),
    st.lists(st.lists(FIELDS, max_size=9).map(" ".join), max_size=14).map("\n".join),
)


@given(text=GARBAGE)
@example(text="rec 1 100 3\nrec.dat 8 1000/mV 0 0 999999999999999 0 0 II")
@example(text="rec 1 100 3\nrec.dat 16:999999999 1000/mV 0 0 0 0 0 II")
@example(text="rec 1 100\nrec.dat 16+999999999999999 1000/mV 0 0 0 0 0 II")
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_header_ends_in_a_traceback(write_wfdb, text):
    path = write_wfdb()
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    assert_read_or_refused(path)


@given(start=st.integers(0, 500), size=st.integers(0, 40), noise=st.binary(max_size=40))
@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damaged_header_ends_in_a_traceback(write_wfdb, start, size, noise):
    path = write_wfdb()
    content = path.read_bytes()
    path.write_bytes(content[:start] + noise + content[start + size :])
    assert_read_or_refused(path)
