"""What cannot be measured is said in a sentence with a status that is not 0, and the rest is measured."""

import csv

import numpy as np
import pytest

from ecgclip.cli import main
from ecgclip.corpora import Corpus, prepare, simulate
from ecgclip.corpora.export import write_wfdb
from ecgclip.errors import DataError, UsageError
from ecgclip.signals import Preprocessor
from ecgclip.studies.benchmark import Options, benchmark, read_results

FAST = Options(minimum=2, draws=20, probe_draws=1)


def manifest(tmp_path, *, columns, n=24):
    """Written recordings with a manifest of some columns."""
    corpus = simulate(n=n, seed=3, seconds=10.0)
    table = corpus.table.copy()
    table["codes"] = [["LOW"] if k % 3 == 0 else ["FULL"] for k in range(n)]
    table["code_system"] = "label"
    table["split"] = np.where(np.arange(n) % 2, "train", "test")
    file = write_wfdb(Corpus(table, "plain", reader=corpus.reader), tmp_path / "corpus")
    with file.open(newline="") as given:
        rows = list(csv.DictReader(given))
    with file.open("w", newline="") as kept:
        writer = csv.DictWriter(kept, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return file


def silent(line):
    """Take a line of progress."""


def test_without_labels_what_needs_none_is_measured(tiny_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = manifest(tmp_path, columns=["path", "patient_id", "split", "report"])
    paths = benchmark(tiny_run.path, data, out=tmp_path / "out", options=FAST, report=silent)
    found = {each.protocol: each for each in map(read_results, paths)}
    assert [name for name, each in found.items() if each.rows] == ["retrieval"]
    said = {out.what: out.why for name in ("zero_shot", "linear_probe") for out in found[name].left_out}
    assert "carries no labels" in said["zero_shot"]
    assert "carries no labels" in said["linear_probe"]


def test_own_labels_without_a_bank_are_probed_and_zero_shot_asked_for_is_refused(
    tiny_run, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    data = manifest(tmp_path, columns=["path", "patient_id", "split", "labels"])
    with pytest.raises(UsageError, match=r"no zero_shot, leads \(label set 'own' has no prompt bank"):
        benchmark(tiny_run.path, data, protocols=["zero_shot", "leads"], out=tmp_path / "out", options=FAST)
    assert not (tmp_path / "out" / "evaluation").exists()
    paths = benchmark(
        tiny_run.path, data, protocols=["few_shot"], out=tmp_path / "out", options=FAST, report=silent
    )
    assert read_results(paths[0]).row("model/own/shots=1").figure is not None


@pytest.mark.parametrize(
    ("protocol", "columns", "more", "says"),
    [
        ("transfer", ["path", "split", "labels"], [], "no second corpus to test on: give --to PATH"),
        ("retrieval", ["path", "split", "labels"], [], "0 of the 12 recordings have a report"),
        ("fine-tune", ["path", "split", "labels"], [], "it learns PTB-XL's statements"),
        ("few-shot", ["path", "report"], ["--split", "all"], "carries no labels"),
        ("few-shot", ["path", "labels"], ["--split", "all"], "split 'all' would score"),
        ("calibration", ["path", "split", "labels"], [], "has no prompt bank"),
        (None, ["path", "split"], [], "carries no labels"),
    ],
)
def test_the_command_ends_with_a_sentence_and_a_status(
    tiny_run, tmp_path, monkeypatch, capsys, protocol, columns, more, says
):
    monkeypatch.chdir(tmp_path)
    data = manifest(tmp_path, columns=columns)
    command = ["benchmark", str(tiny_run.path), "--data", str(data), "--out", str(tmp_path / "out"), *more]
    command += ["--workers", "1", *(["--protocol", protocol] if protocol else [])]
    assert main(command) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("prepared")]
    assert len(said) == 1
    assert says in said[0]


def test_a_protocol_that_gave_no_figure_says_why_and_leaves_its_file(tiny_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = manifest(tmp_path, columns=["path", "patient_id", "split", "labels"])
    options = Options(minimum=11, draws=20, probe_draws=1)
    with pytest.raises(DataError, match="no label has 11 positives and 11 negatives in the test part"):
        benchmark(
            tiny_run.path, data, protocols=["few_shot"], out=tmp_path / "out", options=options, report=silent
        )
    assert read_results(next((tmp_path / "out" / "evaluation").glob("*.json"))).finished
    assert (tmp_path / "out" / "evaluation" / "report.html").is_file()


def test_transfer_to_a_corpus_of_other_codes_is_refused(tiny_run, tiny_store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = manifest(tmp_path, columns=["path", "split", "labels"])
    options = Options(split="validation", to=data, minimum=2, draws=20)
    with pytest.raises(UsageError, match="manifest carries label codes, off which CPSC's nine classes"):
        benchmark(
            tiny_run.path,
            tiny_store,
            protocols=["transfer"],
            out=tmp_path / "out",
            options=options,
            report=silent,
        )


@pytest.fixture
def with_faults(tmp_path):
    """A corpus of which two recordings cannot be prepared and one is absent."""
    listed = manifest(tmp_path, columns=["path", "patient_id", "split", "labels"])
    files = sorted(listed.parent.rglob("*.dat"))
    for file in files[:2]:
        file.write_bytes(b"short")
    files[2].with_suffix(".hea").unlink()
    return listed


def test_recordings_that_were_not_measured_are_counted_and_listed(
    with_faults, tiny_run, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    command = [
        "benchmark",
        str(tiny_run.path),
        "--data",
        str(with_faults),
        "--protocol",
        "few-shot",
        "--workers",
        "1",
    ]
    assert main([*command, "--out", "out", "--draws", "20", "--probe-draws", "1"]) == 1
    assert "allow_missing" in capsys.readouterr().err
    assert main([*command, "--out", "out", "--draws", "20", "--probe-draws", "1", "--allow-missing"]) == 1
    told = capsys.readouterr()
    assert "no label has 10 positives and 10 negatives in the test part" in told.err  # of 21 recordings
    (line,) = [line for line in told.out.splitlines() if "not measured" in line]
    said, _, file = line.partition("): ")
    assert said == "manifest: 3 recordings not measured (2 could not be prepared, 1 absent from the disk"
    with (tmp_path / file).open(newline="") as given:
        rows = list(csv.DictReader(given))
    assert [row["reason"] for row in rows][-1] == "absent from the disk"
    (unread,) = read_results(next((tmp_path / "out" / "evaluation").glob("*.json"))).unread
    assert [(out.what, out.why) for out in unread.first] == [
        (row["recording"], row["reason"]) for row in rows
    ]
    assert (unread.rejected, unread.absent) == (2, 1)
    page = (tmp_path / "out" / "evaluation" / "report.html").read_text(encoding="utf-8")
    assert rows[0]["recording"] in page
    assert "3 recordings not measured" in page


def test_a_store_lists_what_it_rejected_and_does_not_say_what_was_absent(with_faults, tiny_run, tmp_path):
    from ecgclip.corpora import open_corpus

    corpus = open_corpus("manifest", with_faults, allow_missing=True)
    store = prepare(corpus, Preprocessor(), tmp_path / "store", workers=1)
    paths = benchmark(
        tiny_run.path, store, protocols=["few_shot"], out=tmp_path / "out", options=FAST, report=silent
    )
    (unread,) = read_results(paths[0]).unread
    assert (unread.rejected, unread.absent) == (2, None)
    assert len(unread.first) == 2
