"""Anybody's encoder is measured end to end, and one that breaks its word is refused in a sentence."""

import inspect
import sys
import warnings

import numpy as np
import pytest
import torch

from ecgclip.cli import main
from ecgclip.corpora import Corpus, simulate
from ecgclip.corpora.export import write_wfdb
from ecgclip.errors import DataError, UsageError
from ecgclip.models import StorePart
from ecgclip.records import LEADS, ECGRecord
from ecgclip.studies.benchmark import PROTOCOLS, Options, OutsideEncoder, benchmark, read_results
from ecgclip.studies.benchmark.encoders import ModelEncoder, untrained


class Spread(torch.nn.Module):
    """Standard deviation and largest value of each lead."""

    def forward(self, signal: torch.Tensor) -> torch.Tensor:
        return torch.cat([signal.std(dim=2), signal.abs().amax(dim=2)], dim=1)


@pytest.fixture(scope="module")
def halved(tmp_path_factory):
    """48 written recordings at 250 Hz, every third of which has half the voltage and says so in its label."""
    corpus = simulate(n=48, seed=1, fs=250.0, seconds=4.0)
    table = corpus.table.copy()
    table["codes"] = [["LOW"] if k % 3 == 0 else ["FULL"] for k in range(len(table))]
    table["code_system"] = "label"
    table["split"] = np.where(np.arange(48) % 2, "train", "test")
    low = {name for name, codes in zip(table["record_id"], table["codes"], strict=True) if codes == ["LOW"]}
    read = corpus.reader

    def reader(row):
        record = read(row)
        signal = record.signal * (0.3 if row["record_id"] in low else 1.0)
        return ECGRecord(signal, fs=record.fs, lead_names=record.lead_names, record_id=record.record_id)

    return write_wfdb(Corpus(table, "halved", reader=reader), tmp_path_factory.mktemp("halved") / "corpus")


@pytest.fixture
def spread_file(tmp_path):
    path = tmp_path / "spread.pt"
    torch.jit.script(Spread()).save(str(path))
    return path


class Broken(torch.nn.Module):
    """Gives what ``as_if`` says instead of features."""

    def __init__(self, as_if):
        super().__init__()
        self.as_if = as_if

    def forward(self, signal: torch.Tensor) -> torch.Tensor:
        if self.as_if == "nan":
            return torch.log(signal.amin(dim=2) - 10.0)
        return signal if self.as_if == "recording" else signal.mean(dim=(1, 2))


def export_onnx(module, path, n_times, batch=2):
    """An ONNX file as people make them; of a batch of one its input keeps that size."""
    pytest.importorskip("onnx", reason="no onnx to export with: pip install 'ecgclip[dev]'")
    pytest.importorskip("onnxruntime", reason="no onnxruntime to run the file: pip install 'ecgclip[onnx]'")
    old = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    axes = {"signal": {0: "batch"}, "features": {0: "batch"}} if batch > 1 else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (torch.zeros(batch, 12, n_times),),
            str(path),
            input_names=["signal"],
            output_names=["features"],
            dynamic_axes=axes,
            **old,
        )
    return path


@pytest.fixture
def onnx_file(tmp_path):
    return export_onnx(Spread(), tmp_path / "spread.onnx", 2500)


@pytest.mark.parametrize("kind", ["torchscript", "onnx"])
def test_an_encoder_file_is_measured_end_to_end(halved, kind, tmp_path, monkeypatch, request):
    file = request.getfixturevalue({"torchscript": "spread_file", "onnx": "onnx_file"}[kind])
    monkeypatch.chdir(tmp_path)
    told = []
    options = Options(fs=250, minimum=3, draws=50, probe_draws=1)
    paths = benchmark(file, halved, options=options, report=told.append)
    found = {each.protocol: each for each in map(read_results, paths)}
    assert set(found) == set(PROTOCOLS)
    assert [name for name, each in found.items() if each.rows] == ["linear_probe", "few_shot"]
    probe, few, zero = (found[name] for name in ("linear_probe", "few_shot", "zero_shot"))
    by_shots = {row.setting["shots"]: row.figure for row in few.rows if row.name == "model"}
    assert set(by_shots) == {1, 4, 16}
    assert by_shots[16] > 0.9
    full = next(row for row in probe.rows if row.setting == {"fraction": 1.0} and row.name == "model")
    assert full.labels == "own"
    assert full.figure > 0.9
    assert full.low <= full.figure <= full.high
    assert full.marks == ["outside encoder"]
    assert {row.name for row in probe.rows} == {"model", "neurokit2 features"}
    assert {out.what for out in probe.left_out} >= {
        "untrained",
        "model, from text",
        "supervised",
        "neurokit2 features",
    }
    assert any("no text side" in out.why for out in zero.left_out)
    assert probe.corpus.n == 48
    scores = full.scores or next(row.scores for row in probe.rows if row.scores)
    assert (paths[0].parents[1] / scores).is_file()

    told.clear()
    again = benchmark(file, halved, protocols=["linear_probe"], options=options, report=told.append)
    assert read_results(again[0]).rows == probe.rows
    assert not [line for line in told if "embeds" in line or "delineates" in line]


def test_the_same_encoder_as_module_and_as_file_gives_the_same_features(tiny_store, spread_file):
    part = StorePart(tiny_store, np.arange(5))
    module, file = OutsideEncoder(Spread(), fs=100), OutsideEncoder(spread_file, fs=100)
    assert np.allclose(module.features(part), file.features(part))
    assert module.features(part).shape == (5, 24)


def test_a_long_recording_is_the_mean_over_its_windows_and_a_short_one_is_padded():
    seen = []

    def first_values(signal):
        seen.append(tuple(signal.shape))
        return signal[:, :, 500]

    rng = np.random.default_rng(0)
    encoder = OutsideEncoder(first_values, fs=100)
    long, short = (
        ECGRecord(rng.normal(size=(12, n)).astype(np.float32), fs=100, lead_names=LEADS) for n in (2000, 400)
    )
    from ecgclip.models import as_source

    source = as_source([long, short], encoder.preprocessor)
    found = encoder.features(source)
    whole = encoder.preprocessor.prepare(long).signal
    assert np.allclose(found[0], (whole[:, 500] + whole[:, 1500]) / 2, atol=1e-6)
    assert np.array_equal(found[1], np.zeros(12))
    assert {shape[1:] for shape in seen} == {(12, 1000)}


@pytest.mark.parametrize(
    ("encoder", "says"),
    [
        (lambda x: x.mean(dim=2) * float("nan"), "gives NaN or infinity for 3 of 3 windows"),
        (lambda x: x, r"gives shape \(3, 12, 1000\) for 3 windows: expected \(batch, dim\)"),
        (lambda x: x.mean(dim=2)[:1], r"gives shape \(1, 12\) for 3 windows"),
        (lambda x: (x.mean(dim=2),), "gives tuple for 3 windows"),
        (lambda x: x @ torch.ones(7, 2), r"fails on \(3, 12, 1000\) float32"),
    ],
)
def test_an_encoder_that_breaks_its_word_is_refused(tiny_store, encoder, says):
    with pytest.raises(DataError, match=says) as caught:
        OutsideEncoder(encoder, fs=100, name="theirs").features(StorePart(tiny_store, np.arange(3)))
    assert "\n" not in str(caught.value)


def test_files_that_are_no_encoders_are_refused(tmp_path):
    pickled = tmp_path / "module.pt"
    torch.save(Spread().state_dict(), pickled)
    with pytest.raises(DataError, match="no TorchScript file"):
        OutsideEncoder(pickled, fs=100)
    with pytest.raises(DataError, match="no such file"):
        OutsideEncoder(tmp_path / "absent.pt", fs=100)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(UsageError, match="expected a TorchScript file"):
        OutsideEncoder(tmp_path / "a.txt", fs=100)
    with pytest.raises(UsageError, match="is no encoder"):
        OutsideEncoder(3, fs=100)


def test_an_outside_encoder_needs_its_rate(halved, spread_file):
    with pytest.raises(UsageError, match="needs its rate"):
        benchmark(spread_file, halved)


def test_a_store_prepared_otherwise_is_refused(tiny_store, spread_file):
    with pytest.raises(DataError, match="prepared with preprocessor"):
        benchmark(spread_file, tiny_store.path, options=Options(fs=500))


def test_the_untrained_encoder_has_the_shape_and_other_weights(tiny_model, tiny_store):
    part = StorePart(tiny_store, np.arange(4))
    a, b, again = ModelEncoder(tiny_model), untrained(tiny_model), untrained(tiny_model)
    assert a.features(part).shape == b.features(part).shape == (4, 64)
    assert a.hash != b.hash == again.hash
    assert np.array_equal(b.features(part), again.features(part))


def test_hashes_of_outside_encoders_follow_weights_and_preprocessing():
    torch.manual_seed(0)
    one, other = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    hashes = [
        OutsideEncoder(one, fs=100).hash,
        OutsideEncoder(other, fs=100).hash,
        OutsideEncoder(one, fs=200).hash,
        OutsideEncoder(one, fs=100, band=(0.5, 30.0)).hash,
    ]
    assert len(set(hashes)) == 4
    assert OutsideEncoder(one, fs=100).hash == hashes[0]


def test_an_onnx_file_without_onnxruntime_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "encoder.onnx").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UsageError, match=r"pip install 'ecgclip\[onnx\]'"):
        OutsideEncoder(tmp_path / "encoder.onnx", fs=100)


@pytest.mark.parametrize("batch", [1, 2])
def test_the_same_encoder_as_onnx_gives_the_same_features(tiny_store, tmp_path, batch):
    part = StorePart(tiny_store, np.arange(5))
    file = OutsideEncoder(export_onnx(Spread(), tmp_path / "spread.onnx", 1000, batch), fs=100)
    np.testing.assert_allclose(
        file.features(part), OutsideEncoder(Spread(), fs=100).features(part), atol=1e-6
    )


@pytest.mark.parametrize(
    ("module", "n_times", "says"),
    [
        (Broken("nan"), 2500, "encoder theirs gives NaN or infinity for 48 of 48 windows"),
        (
            Broken("recording"),
            2500,
            "encoder theirs gives shape (48, 12, 2500) for 48 windows: expected (batch, dim)",
        ),
        (Broken("number"), 2500, "encoder theirs gives shape (48,) for 48 windows: expected (batch, dim)"),
        (Spread(), 5000, "encoder theirs fails on (48, 12, 2500) float32"),
    ],
)
def test_an_onnx_encoder_that_breaks_its_word_ends_the_command_in_a_sentence(
    halved, tmp_path, monkeypatch, capfd, module, n_times, says
):
    monkeypatch.chdir(tmp_path)
    file = export_onnx(module, tmp_path / "theirs.onnx", n_times)
    capfd.readouterr()
    command = ["benchmark", str(file), "--data", str(halved), "--fs", "250", "--workers", "1"]
    assert main(command) == 1
    told = capfd.readouterr()
    (said,) = [line for line in told.err.splitlines() if not line.startswith(("prepared", "[", "zero_shot:"))]
    assert said.startswith(f"ecgclip: {says}")
    assert not told.out


def test_an_onnx_file_that_is_none_is_refused(tmp_path):
    pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install 'ecgclip[onnx]'")
    (tmp_path / "encoder.onnx").write_bytes(b"x")
    with pytest.raises(DataError, match="no ONNX model that can be run") as caught:
        OutsideEncoder(tmp_path / "encoder.onnx", fs=100)
    assert "\n" not in str(caught.value)
