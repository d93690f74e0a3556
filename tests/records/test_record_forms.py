"""WFDB as MIMIC-IV-ECG writes it, CSV, NumPy, MATLAB: what is written comes back, in mV and by name."""

import os

import numpy as np
import pytest
import wfdb
from scipy.io import savemat

from ecgclip.errors import DataError, UsageError
from ecgclip.records import LEADS, read_record, twelve_leads

MIMIC_LEADS = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")


@pytest.fixture
def signal():
    return np.random.default_rng(1).normal(size=(12, 300)).astype(np.float32)


def test_mimic_form_is_put_in_order_by_name(tmp_path):
    digital = np.random.default_rng(2).integers(-900, 900, size=(5000, 12))
    wfdb.wrsamp(
        "40689238",
        fs=500,
        units=["mV"] * 12,
        sig_name=list(MIMIC_LEADS),
        d_signal=digital,
        fmt=["16"] * 12,
        adc_gain=[200.0] * 12,
        baseline=[0] * 12,
        write_dir=str(tmp_path),
    )
    record = read_record(tmp_path / "40689238")
    signal, mask = twelve_leads(record)
    assert record.lead_names == MIMIC_LEADS
    assert (record.fs, record.signal.shape, record.duration_s) == (500, (12, 5000), 10)
    assert mask.all()
    np.testing.assert_array_equal(signal[LEADS.index("aVL")], (digital[:, 5] / 200).astype(np.float32))
    np.testing.assert_array_equal(signal[LEADS.index("aVF")], (digital[:, 4] / 200).astype(np.float32))


@pytest.mark.parametrize("ending", ["", ".hea", ".dat"])
def test_a_record_is_named_by_any_of_its_files(write_wfdb, ending):
    path = write_wfdb().with_suffix("")
    assert read_record(f"{path}{ending}").record_id == "rec"


def test_names_in_any_case_and_extra_leads(write_wfdb, digital):
    names = ("avr", "MLII", "i", "v1", "V", "vx", *(f"V{n}" for n in range(2, 7)), "MCL1")
    record = read_record(write_wfdb(names=names))
    signal, mask = twelve_leads(record)
    assert record.lead_names[:6] == ("aVR", "II", "I", "V1", "V", "vx")
    np.testing.assert_array_equal(signal[0], (digital[2] / 1000).astype(np.float32))
    assert mask.all()  # III, aVL and aVF follow from I and II


@pytest.mark.parametrize(
    ("scale", "factor"),
    [
        ("1000/mV", 1e-3),
        ("1000/mv", 1e-3),
        ("2/uV", 5e-4),
        ("2/µV", 5e-4),
        ("1e6/V", 1e-3),
        ("200(10)/mV", 5e-3),
        ("0.9/uV", 1 / 900),
    ],
)
def test_units_and_gains_come_out_in_millivolts(write_wfdb, digital, scale, factor):
    baseline = 10 if "(" in scale else 0
    expected = (digital.astype(float) - baseline) * factor
    np.testing.assert_allclose(read_record(write_wfdb(scale=scale)).signal, expected, rtol=1e-6, atol=1e-9)


def test_latin_1_micro_sign_is_no_volt(write_wfdb, digital):
    path = write_wfdb(scale="2/uV")
    path.write_bytes(path.read_bytes().replace(b"uV", b"\xb5V"))
    np.testing.assert_allclose(read_record(path).signal, digital * 5e-4, rtol=1e-6)


def test_adc_zero_is_the_baseline_where_none_is_stated(write_wfdb, digital):
    lines = {0: "rec.dat 16 1000/mV 12 1024 0 0 0 I"}
    np.testing.assert_allclose(
        read_record(write_wfdb(lines=lines)).signal[0], (digital[0] - 1024.0) / 1000, rtol=1e-6
    )


def test_invalid_samples_are_gaps(write_wfdb, digital):
    digital[3, 50:60] = -32768
    record = read_record(write_wfdb(samples=digital))
    assert np.isnan(record.signal[3]).nonzero()[0].tolist() == list(range(50, 60))
    signal, mask = twelve_leads(record)
    assert mask.all()
    assert np.isfinite(signal).all()


def test_bytes_beyond_the_claim_are_left_alone(write_wfdb, digital):
    path = write_wfdb(data=digital.T.tobytes() + b"more of it")
    np.testing.assert_array_equal(read_record(path).signal, (digital / 1000).astype(np.float32))


def test_length_left_open_is_taken_from_the_file(write_wfdb):
    assert read_record(write_wfdb(first="rec 12 100")).signal.shape == (12, 200)


def test_other_signals_are_listed_not_scaled(write_wfdb):
    record = read_record(write_wfdb(lines={11: "rec.dat 16 0.5(-100)/mmHg 12 0 0 0 0 ABP"}))
    assert record.left_out == ("ABP (mmHg)",)
    assert record.lead_names == LEADS[:11]


def test_a_data_file_may_be_a_link_elsewhere(write_wfdb, tmp_path):
    path = write_wfdb()
    (tmp_path / "far").mkdir()
    os.replace(tmp_path / "rec.dat", tmp_path / "far" / "blob")
    (tmp_path / "rec.dat").symlink_to(tmp_path / "far" / "blob")
    assert read_record(path).signal.shape == (12, 200)


def test_the_caller_fills_what_the_header_leaves_out(write_wfdb, digital):
    path = write_wfdb(first="rec 12", scale="500", names=("",) * 12)
    record = read_record(path, fs=250, lead_names=LEADS, units="mV")
    assert (record.fs, record.lead_names) == (250, LEADS)
    np.testing.assert_allclose(record.signal, digital / 500, rtol=1e-6)


@pytest.mark.parametrize(
    ("stated", "reason"),
    [
        ({"fs": 500}, "fs=500 is stated, but the file says 100 Hz"),
        ({"units": "uV"}, "units='uV' is stated, but lead I is in 'mV'"),
        ({"lead_names": LEADS[::-1]}, "lead 'V6' is stated where the file says 'I'"),
        ({"lead_names": LEADS[:3]}, "3 lead_names are stated, but the file has 12 signals"),
        ({"lead_names": "II"}, "must be a list"),
        ({"units": "furlong"}, "units is 'furlong'"),
        ({"fs": -1}, "fs is -1"),
        ({"fs": float("nan")}, "fs is nan"),
        ({"fs": "100"}, "fs is '100'"),
    ],
)
def test_a_caller_who_contradicts_the_file_is_told(write_wfdb, stated, reason):
    with pytest.raises(UsageError, match=r"rec\.hea|must be") as caught:
        read_record(write_wfdb(), **stated)
    assert reason in str(caught.value)


def test_a_caller_who_agrees_with_the_file_is_not(write_wfdb):
    record = read_record(write_wfdb(), fs=100.0, lead_names=[lead.upper() for lead in LEADS], units="mv")
    assert record.lead_names == LEADS


def test_csv_comes_back(tmp_path, signal):
    path = tmp_path / "own.csv"
    np.savetxt(path, signal.T, delimiter=",", header=",".join(LEADS), comments="", fmt="%.9g")
    record = read_record(path, fs=250)
    assert (record.lead_names, record.fs, record.record_id) == (LEADS, 250, "own")
    np.testing.assert_array_equal(record.signal, signal)
    in_microvolts = read_record(path, fs=250, units="uV").signal
    np.testing.assert_allclose(in_microvolts, signal / 1000, rtol=1e-6)


def test_csv_cells_may_be_empty_or_quoted(tmp_path):
    path = tmp_path / "gaps.csv"
    path.write_text('\ufeffI,"II"\r\n0.1,"0.2"\r\n,nan\r\n0.3,0.4\r\n', encoding="utf-8")
    expected = np.array([[0.1, np.nan, 0.3], [0.2, np.nan, 0.4]], dtype=np.float32)
    np.testing.assert_array_equal(read_record(path, fs=2).signal, expected)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("path,report\na.hea,sinus\n", "is a manifest"),
        ("I,i\n1,2\n3,4\n", "lead I is there more than once"),
        ("I,II\n1,2\n3,x\n", "row 3, lead II is 'x'"),
        ("I,II\n1,2\n3,1_0\n", "row 3, lead II is '1_0'"),
        ("I,II\n1,2\n3\n", "row 3 has 1 cells, expected 2"),
        ("I,II\n1,2\n3,inf\n", "lead II has infinite values"),
        ("I,II\n", "has no samples"),
        ("", "no header of lead names"),
        ("0.1,0.2\n0.3,0.4\n", "no header of lead names"),
        ("time,I\n0,1\n1,2\n", "column 1 is called 'time'"),
        (",I\n0,1\n1,2\n", "column 1 is called ''"),
        ("I;II\n0;1\n1;2\n", "not separated by commas"),
        ("a,b\n0,1\n1,2\n", "none of the twelve leads"),
        ("I,II\n1,1\n1,1\n", "every lead is flat"),
        ("I,II\n,\n,\n", "is a gap (NaN)"),
        ('I,II\n"1,2\n', "row 2"),
    ],
)
def test_csv_faults_are_named(tmp_path, text, reason):
    path = tmp_path / "bad.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_record(path, fs=100)
    assert reason in str(caught.value)
    assert "bad.csv" in str(caught.value)


def test_a_manifest_is_named_before_its_missing_rate(tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_text("path,report\na.hea,sinus\n", encoding="utf-8")
    with pytest.raises(DataError, match="is a manifest"):
        read_record(path)


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<f2", "<i2"])
def test_npy_comes_back(tmp_path, signal, dtype):
    array = np.asfortranarray((signal * 100).astype(dtype))
    np.save(tmp_path / "own.npy", array)
    record = read_record(tmp_path / "own.npy", fs=100, lead_names=LEADS)
    np.testing.assert_array_equal(record.signal, array.astype(np.float32))


@pytest.mark.parametrize("stated", [{"fs": 100}, {"lead_names": LEADS}, {}])
def test_npy_needs_rate_and_names(tmp_path, signal, stated):
    np.save(tmp_path / "own.npy", signal)
    with pytest.raises(UsageError, match=r"state (fs|lead_names)="):
        read_record(tmp_path / "own.npy", **stated)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.array([[1.0, None]] * 12, dtype=object), "without unpickling"),
        (np.ones((12, 9), dtype=complex), "complex128"),
        (np.ones((12, 9), dtype=bool), "bool"),
        (np.full((12, 9), "1"), "<U1"),
        (np.ones(12), "shape (12,)"),
        (np.ones((2, 12, 9)), "shape (2, 12, 9)"),
        (np.ones((9, 12)), "transpose it"),
        (np.ones((12, 0)), "sample"),
        (np.ones((12, 9)), "every lead is flat"),
        (np.full((12, 9), np.nan), "is a gap"),
        (np.full((12, 9), 1e300), "infinite"),
    ],
)
def test_npy_faults_are_named(tmp_path, array, reason):
    np.save(tmp_path / "bad.npy", array, allow_pickle=True)
    with pytest.raises((DataError, UsageError)) as caught:
        read_record(tmp_path / "bad.npy", fs=100, lead_names=LEADS)
    assert reason in str(caught.value)
    assert "bad.npy" in str(caught.value)


def test_npy_shorter_than_its_header_is_refused(tmp_path, signal):
    path = tmp_path / "cut.npy"
    np.save(path, signal)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(DataError, match=r"cut\.npy"):
        read_record(path, fs=100, lead_names=LEADS)


@pytest.mark.parametrize("compressed", [False, True])
def test_cpsc_struct_comes_back(tmp_path, signal, compressed):
    struct = {"sex": "Female", "age": 74, "data": signal.astype(float), "note": [1, "a"]}
    savemat(tmp_path / "A0001.mat", {"first": np.ones(3), "ECG": struct}, do_compression=compressed)
    record = read_record(tmp_path / "A0001.mat")
    np.testing.assert_array_equal(record.signal, signal)
    assert (record.fs, record.lead_names, record.comments) == (500, LEADS, ("Age: 74", "Sex: Female"))
    for stated in ({"fs": 250}, {"units": "uV"}, {"lead_names": MIMIC_LEADS}):
        with pytest.raises(UsageError, match=r"A0001\.mat"):
            read_record(tmp_path / "A0001.mat", **stated)


@pytest.mark.parametrize(
    "content",
    [
        {"other": np.ones((12, 9))},
        {"ECG": np.ones((12, 9))},
        {"ECG": {"sex": "Male"}},
        {"ECG": {"data": np.ones((3, 9))}},
        {"ECG": {"data": np.ones((12, 9), dtype=complex)}},
        {"ECG": {"data": np.ones((12, 9))}},
    ],
)
def test_matlab_files_of_another_make_are_refused(tmp_path, content):
    savemat(tmp_path / "bad.mat", content)
    with pytest.raises(DataError, match=r"bad\.mat"):
        read_record(tmp_path / "bad.mat")


def test_matlab_with_a_header_beside_it_is_wfdb(tmp_path, digital):
    header = b"\x1e" + bytes(23)
    (tmp_path / "J.mat").write_bytes(header + digital.T.tobytes())
    lines = [f"J.mat 16x1+24 1000.0(0)/mv 16 0 0 0 0 {lead}" for lead in LEADS]
    (tmp_path / "J.hea").write_text("\n".join(["J.mat 12 500 200 05-May-2020 09:49:17", *lines, "#Dx: 1"]))
    record = read_record(tmp_path / "J.mat")
    np.testing.assert_array_equal(record.signal, (digital / 1000).astype(np.float32))
    assert record.comments == ("Dx: 1",)


def test_a_folder_a_missing_file_and_other_files_are_named(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "lone.dat").write_bytes(b"1234")
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "loop.hea").symlink_to("loop.hea")
    for name in (
        "",
        "absent.hea",
        "absent",
        "notes.txt",
        "lone.dat",
        "pipe.csv",
        "loop.hea",
        "x" * 300,
        "a\0b",
    ):
        with pytest.raises(DataError):
            read_record(tmp_path / name if "\0" not in name else name)
    with pytest.raises(UsageError):
        read_record(12)  # type: ignore[arg-type]


def test_reading_needs_no_heavy_import():
    import subprocess
    import sys

    heavy = "{'torch', 'pandas', 'scipy', 'wfdb', 'neurokit2'}"
    code = f"import sys; from ecgclip import read_record; print({heavy} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
