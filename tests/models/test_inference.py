"""Whatever stands for recordings is embedded the same, whatever its rate, lead order, unit or neighbours."""

import numpy as np
import pytest
import torch

from ecgclip.corpora import simulate
from ecgclip.errors import DataError, UsageError
from ecgclip.models import ECGTextModel, embed_recordings, take_split
from ecgclip.records import LEADS, ECGRecord

CLOSE = {"atol": 3e-5, "rtol": 0}


@pytest.fixture(scope="module")
def model(build):
    return build()


@pytest.fixture(scope="module")
def record(simulated):
    return simulated.record(3)


@pytest.fixture(scope="module")
def arrays(simulated):
    """A recording's values at 100 Hz, unfiltered, in mV."""
    return simulated.record(3).signal


@pytest.fixture(scope="module")
def files(simulated, tmp_path_factory):
    """Three recordings as WFDB files, one of them in a folder of its own."""
    import wfdb

    folder = tmp_path_factory.mktemp("files")
    for k in range(3):
        where = folder / "s" if k == 2 else folder
        where.mkdir(exist_ok=True)
        signal = simulated.record(k).signal.T.astype(np.float64)
        wfdb.wrsamp(
            f"r{k}",
            fs=100,
            units=["mV"] * 12,
            sig_name=list(LEADS),
            p_signal=signal,
            fmt=["16"] * 12,
            adc_gain=[1000.0] * 12,
            baseline=[0] * 12,
            write_dir=str(where),
        )
    return folder


def test_paths_folders_records_tuples_and_lists_are_all_recordings(model, files, simulated):
    one = model.encode_ecg(files / "r0.hea")
    assert one.shape == (1, 32)
    assert one.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1, atol=1e-6)
    every = model.encode_ecg(files)
    assert every.shape == (3, 32)
    np.testing.assert_allclose(every, model.encode_ecg([simulated.record(k) for k in range(3)]), atol=3e-3)
    record = simulated.record(0)
    plain = (record.signal, record.fs, record.lead_names)
    for form in (record, plain, [plain], (str(files / "r0.hea"),)):
        np.testing.assert_allclose(model.encode_ecg(form), one, atol=3e-3)
    mixed = model.encode_ecg([str(files / "r1.hea"), record, plain, files])
    assert mixed.shape == (6, 32)
    np.testing.assert_allclose(mixed[3:], every, **CLOSE)
    np.testing.assert_allclose(model.encode_ecg(path for path in [files / "r0.hea"]), one, **CLOSE)


def test_no_recording_gives_no_row(model):
    assert model.encode_ecg([]).shape == (0, 32)
    assert model.encode_text([]).shape == (0, 32)


@pytest.mark.parametrize(
    "nonsense",
    [
        np.zeros((12, 1000)),
        torch.zeros(12, 1000),
        [torch.zeros(3)],
        None,
        5,
        {"a": 1},
        (np.zeros((12, 1000)), 500),
    ],
    ids=["array", "tensor", "list of tensors", "none", "number", "dict", "tuple of two"],
)
def test_what_is_no_recording_is_a_usage_error(model, nonsense):
    with pytest.raises(UsageError, match=r"recording|rate"):
        model.encode_ecg(nonsense)


def test_a_store_a_corpus_and_its_split_give_the_same_rows(model, tiny_store, simulated):
    part = simulated.select(split="test")
    rows = tiny_store.indices(split="test")
    assert len(part) == len(rows) > 5
    from_corpus = model.encode_ecg(part)
    np.testing.assert_allclose(model.encode_ecg(take_split(simulated, "test")), from_corpus, **CLOSE)
    np.testing.assert_allclose(model.encode_ecg(take_split(tiny_store, "test")), from_corpus, **CLOSE)
    np.testing.assert_allclose(model.encode_ecg(tiny_store)[rows], from_corpus, **CLOSE)
    with pytest.raises(UsageError, match="split"):
        take_split([part.record(0)], "test")


def test_a_store_made_in_another_way_is_refused_with_both_names(build, tiny_store):
    other = build(fs=125.0)
    with pytest.raises(DataError) as caught:
        other.encode_ecg(tiny_store)
    assert tiny_store.preprocessor.hash in str(caught.value)
    assert other.preprocessor.hash in str(caught.value)


def test_the_batch_a_recording_is_in_changes_nothing(model, simulated):
    records = [simulated.record(k) for k in range(5)]
    joined = model.encode_ecg(records)
    np.testing.assert_allclose(model.encode_ecg(records, batch_size=2), joined, **CLOSE)
    np.testing.assert_allclose(np.concatenate([model.encode_ecg(r) for r in records]), joined, **CLOSE)


def test_the_order_of_leads_changes_nothing(model, record):
    order = np.random.default_rng(0).permutation(12)
    turned = ECGRecord(record.signal[order], fs=record.fs, lead_names=[record.lead_names[k] for k in order])
    assert np.array_equal(model.encode_ecg(turned), model.encode_ecg(record))


def test_the_unit_of_a_file_changes_nothing(model, arrays, tmp_path):
    import wfdb

    common = {
        "fs": 100,
        "sig_name": list(LEADS),
        "fmt": ["16"] * 12,
        "baseline": [0] * 12,
        "write_dir": str(tmp_path),
    }
    small = arrays.T.astype(np.float64)
    wfdb.wrsamp("mv", units=["mV"] * 12, p_signal=small, adc_gain=[1000.0] * 12, **common)
    wfdb.wrsamp("uv", units=["uV"] * 12, p_signal=small * 1000, adc_gain=[1.0] * 12, **common)
    np.testing.assert_allclose(
        model.encode_ecg(tmp_path / "mv.hea"), model.encode_ecg(tmp_path / "uv.hea"), atol=1e-5
    )


def test_the_rate_of_a_recording_changes_little(model):
    fast, slow = simulate(n=6, seed=5, fs=500.0), simulate(n=6, seed=5, fs=100.0)
    from scipy.signal import resample_poly

    for k in range(6):
        record = fast.record(k)
        down = ECGRecord(resample_poly(record.signal, 1, 5, axis=1), fs=100, lead_names=record.lead_names)
        same = float(model.encode_ecg(record)[0] @ model.encode_ecg(down)[0])
        assert same > 0.995
    assert slow.record(0).signal.shape == (12, 1000)


def test_missing_leads_are_marked_and_derived_ones_are_not_missed(model, record):
    limb = [0, 1, *range(6, 12)]  # III, aVR, aVL, aVF follow from I and II
    eight = ECGRecord(record.signal[limb], fs=record.fs, lead_names=[LEADS[k] for k in limb])
    assert float(model.encode_ecg(eight)[0] @ model.encode_ecg(record)[0]) > 0.99
    one = ECGRecord(record.signal[1:2], fs=record.fs, lead_names=["II"])
    z = model.encode_ecg(one)
    assert np.isfinite(z).all()
    assert float(z[0] @ model.encode_ecg(record)[0]) < 0.99999


def test_an_unreadable_recording_raises_or_is_marked(model, record, tmp_path):
    records = [record, tmp_path / "absent.hea", (np.full((1, 500), np.nan), 100, ["I"]), record]
    with pytest.raises(DataError, match=r"absent"):
        model.encode_ecg(records)
    z = model.encode_ecg(records, on_error="mark")
    assert z.shape == (4, 32)
    assert np.isnan(z[1:3]).all()
    assert np.isfinite(z[[0, 3]]).all()
    np.testing.assert_allclose(z[0], z[3])
    found = embed_recordings(model, records, batch_size=8, on_error="mark")
    assert sorted(found.errors) == [1, 2]
    assert "absent" in found.errors[1]
    nothing = model.encode_ecg([tmp_path / "absent.hea"], on_error="mark")
    assert nothing.shape == (1, 32)
    assert np.isnan(nothing).all()
    with pytest.raises(UsageError, match="on_error"):
        model.encode_ecg(record, on_error="ignore")
    with pytest.raises(UsageError, match="batch_size"):
        model.encode_ecg(record, batch_size=0)


def test_a_long_recording_is_the_mean_of_its_windows(model, simulated):
    pair = [simulated.record(k) for k in (0, 1)]
    long = ECGRecord(np.concatenate([r.signal for r in pair], axis=1), fs=100, lead_names=LEADS)
    prepared = model.preprocessor.prepare(long)
    windows = embed_recordings(model, [long], batch_size=64, on_error="raise")
    assert windows.owner.tolist() == [0, 0]
    from ecgclip.signals import collate

    with torch.inference_mode():
        z = model.embed_signal(collate([prepared.cut(0, 1000), prepared.cut(1000, 2000)], 100.0))[0].numpy()
    mean = z.mean(0) / np.linalg.norm(z.mean(0))
    np.testing.assert_allclose(model.encode_ecg(long)[0], mean, **CLOSE)
    np.testing.assert_allclose(model.encode_ecg([pair[0], long, pair[1]], batch_size=2)[1], mean, **CLOSE)
    odd = ECGRecord(long.signal[:, :1730], fs=100, lead_names=LEADS)
    assert embed_recordings(model, [odd], batch_size=64, on_error="raise").owner.tolist() == [0, 0]


def test_a_model_is_as_it_was_after_inference(model, record):
    model.train()
    model.encode_ecg(record)
    model.encode_text(["sinus rhythm"])
    assert model.training
    model.eval()
    assert np.array_equal(model.encode_ecg(record), model.encode_ecg(record))


def test_texts_are_read_as_reports_are(model):
    texts = ["Vorhofflimmern", "atrial fibrillation", "AF."]
    vectors = model.encode_text(texts)
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors[0], vectors[1])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    for wrong in (["sinus rhythm", "  "], [""], [None], "atrial fibrillation"):
        with pytest.raises(UsageError, match="text"):
            model.encode_text(wrong)


def test_an_unknown_way_of_reading_is_refused(build):
    with pytest.raises(UsageError, match="canonical"):
        build(findings="canonicle")


def test_the_surface_is_importable_without_torch():
    import subprocess
    import sys

    code = "import ecgclip, sys; print('torch' in sys.modules); print(ecgclip.ECGTextModel.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", ECGTextModel.__name__]


def test_many_files_in_small_batches_are_embedded_in_order(model, files):
    """The next batch is made by another thread: order and the place of an unreadable file do not suffer."""
    paths = [files / name for name in ("r1.hea", "r0.hea", "absent.hea", "s/r2.hea")] * 3
    found = model.encode_ecg(paths, batch_size=2, on_error="mark")
    alone = [model.encode_ecg(path)[0] for path in (paths[0], paths[1], paths[3])]
    assert np.isnan(found[2::4]).all()
    np.testing.assert_allclose(found[[0, 1, 3]], alone, **CLOSE)
    np.testing.assert_allclose(found[4:8], found[8:], **CLOSE)
    with pytest.raises(DataError, match="absent"):
        model.encode_ecg(paths, batch_size=1)


def test_half_precision_is_asked_for_and_stays_close(model, simulated):
    exact = model.encode_ecg(simulated)
    model.precision = "bfloat16"
    try:
        half = model.encode_ecg(simulated)
        model.precision = "float16"
        with pytest.raises(UsageError, match="bfloat16"):
            model.encode_ecg(simulated)
    finally:
        model.precision = "float32"
    assert half.dtype == np.float32
    assert 0 < np.abs(half - exact).max() < 0.03
    np.testing.assert_array_equal(model.encode_ecg(simulated), exact)
