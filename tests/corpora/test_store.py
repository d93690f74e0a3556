import errno
import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ecgclip.corpora import Corpus, Store, open_corpus, prepare, simulate
from ecgclip.corpora.store.shards import ShardJob, write_shard
from ecgclip.corpora.writing import disk_error, hold
from ecgclip.errors import DataError, UsageError
from ecgclip.records import ECGRecord
from ecgclip.signals import Preprocessor

SETTINGS = Preprocessor()


@pytest.fixture(scope="module")
def ptb(real_data):
    return open_corpus("ptb-xl", real_data / "ptb-xl").select(indices=np.arange(0, 3684, 120))


@pytest.fixture(scope="module")
def store(ptb, tmp_path_factory):
    return prepare(ptb, SETTINGS, tmp_path_factory.mktemp("whole") / "store", workers=1, shard_size=8)


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def of_arrays(arrays, fs=100.0):
    """A corpus of arrays of one's own."""
    leads = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
    held = {
        f"r{number}": ECGRecord(np.asarray(array, dtype=np.float32), fs=fs, lead_names=leads[: len(array)])
        for number, array in enumerate(arrays)
    }
    return Corpus(pd.DataFrame({"record_id": list(held)}), reader=lambda row: held[row["record_id"]])


def test_a_store_gives_back_what_the_preprocessor_gave_exactly(ptb, store):
    assert len(store) == len(ptb)
    for index in (0, 7, 8, len(ptb) - 1):
        made, kept = SETTINGS.prepare(ptb.record(index)), store.prepared(index)
        np.testing.assert_array_equal(kept.signal, made.signal)
        np.testing.assert_array_equal(kept.lead_mask, made.lead_mask)
        np.testing.assert_array_equal(kept.beats, made.beats)
        assert kept.duration_s == made.duration_s


def test_the_table_is_the_corpuss(ptb, store):
    columns = ["record_id", "path", "report", "patient_id", "split", "fold", "codes", "code_system"]
    pd.testing.assert_frame_equal(store.table[columns], ptb.table[columns], check_dtype=False)
    assert store.name == "ptb-xl"
    assert store.preprocessor == SETTINGS
    assert store.corpus_hash == ptb.hash
    train = store.indices(split="train")
    assert store.table["split"].iloc[train].eq("train").all()
    assert len(store.indices(folds=[9])) == ptb.table["fold"].eq(9).sum()


def test_statements_are_the_report_readers(store):
    from ecgclip.reports import read_report

    for report, canonical, raw in zip(
        store.table["report"], store.table["statements"], store.table["raw_statements"], strict=True
    ):
        assert canonical == list(read_report(report).texts("canonical"))
        assert raw == list(read_report(report).texts("raw"))


def test_gathering_keeps_order_and_repeats(store):
    wanted = [9, 3, 3, 20]
    batch = store.read(wanted)
    assert batch.signal.shape == (4, 12, 1000)
    assert batch.fs == 100
    for row, index in enumerate(wanted):
        one = store.prepared(index)
        np.testing.assert_array_equal(batch.signal[row], one.signal)
        np.testing.assert_array_equal(batch.beats[row][batch.beat_mask[row]], one.beats)
    assert store.read([]).signal.shape == (0, 12, 0)
    with pytest.raises(UsageError, match="index 999 is out of range"):
        store.read([0, 999])


def test_recordings_of_unlike_length_are_padded_on_the_right(real_data, tmp_path):
    corpus = open_corpus("auto", real_data / "challenge2020-cpsc").select(indices=np.arange(6))
    kept = prepare(corpus, SETTINGS, tmp_path / "store", workers=1, shard_size=4)
    lengths = [round(100 * record.signal.shape[1] / record.fs) for record in corpus]
    batch = kept.read(range(6))
    assert batch.lengths.tolist() == kept.lengths.tolist() == lengths
    assert len(set(lengths)) > 1
    for row, length in enumerate(lengths):
        np.testing.assert_array_equal(
            batch.signal[row, :, :length], SETTINGS.prepare(corpus.record(row)).signal
        )
        assert not batch.signal[row, :, length:].any()


def test_the_number_of_processes_changes_no_byte(ptb, store, tmp_path):
    prepare(ptb, SETTINGS, tmp_path / "store", workers=2, shard_size=8)
    assert files(tmp_path / "store") == files(store.path)


def test_a_store_does_not_depend_on_where_the_corpus_lies(real_data, ptb, store, tmp_path):
    table = ptb.table.iloc[:16].copy()
    root = str(
        (real_data / "ptb-xl" / "records100").resolve()
    )  # a corpus names its files by their real place
    for path in table["path"]:
        target = tmp_path / "moved" / os.path.relpath(path, root)
        target.parent.mkdir(parents=True, exist_ok=True)
        for ending in (".hea", ".dat"):
            shutil.copy(path + ending, str(target) + ending)
    moved = replace(ptb, table=table.assign(path=table["path"].str.replace(root, str(tmp_path / "moved"))))
    here = prepare(ptb.select(indices=range(16)), SETTINGS, tmp_path / "here", workers=1)
    there = prepare(moved, SETTINGS, tmp_path / "there", workers=1)
    assert here.hash == there.hash
    assert files(here.path / "shards") == files(there.path / "shards")


KILLED = """
import sys
import threading
import numpy as np
from ecgclip.corpora import open_corpus, prepare
from ecgclip.signals import Preprocessor
corpus = open_corpus("ptb-xl", sys.argv[1]).select(indices=np.arange(0, 3684, 120))
print("begun", flush=True)
prepare(corpus, Preprocessor(), sys.argv[2], workers=int(sys.argv[3]), shard_size=8,
        progress=lambda state: print(state.done, flush=True))
"""


@pytest.mark.parametrize(("workers", "lines"), [(1, 1), (1, 3), (2, 2)])
def test_a_killed_preparation_is_finished_to_the_same_bytes(real_data, ptb, store, tmp_path, workers, lines):
    out = tmp_path / "store"
    command = [sys.executable, "-c", KILLED, str(real_data / "ptb-xl"), str(out), str(workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for _ in range(lines):
            process.stdout.readline()
        process.kill()
    if lines > 1:
        with pytest.raises(DataError, match="broken off"):
            Store.open(out)
    done = set(out.glob("shards/*.arrow")) if out.exists() else set()
    stamps = {path: path.stat().st_mtime_ns for path in done}
    seen = []
    prepare(ptb, SETTINGS, out, workers=1, shard_size=8, progress=seen.append)
    assert files(out) == files(store.path)
    assert {path: path.stat().st_mtime_ns for path in done} == stamps, "a finished shard is not written again"
    assert seen[-1].done == seen[-1].total == len(ptb)
    assert seen[-1].kept_from_before >= 8 * (lines - 1)


@pytest.mark.slow
def test_ten_kills_in_a_row_leave_the_same_bytes(real_data, store, tmp_path):
    out = tmp_path / "store"
    rng = np.random.default_rng(0)
    for _ in range(10):
        command = [sys.executable, "-c", KILLED, str(real_data / "ptb-xl"), str(out), "2"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for _ in range(int(rng.integers(1, 3))):
                process.stdout.readline()
            process.kill()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert files(out) == files(store.path)


def test_a_damaged_shard_is_written_again_by_resuming(ptb, store, tmp_path):
    out = tmp_path / "store"
    shutil.copytree(store.path, out)
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps({**manifest, "complete": False}))
    shard = next(iter(sorted(out.glob("shards/*.arrow"))))
    shard.write_bytes(shard.read_bytes()[:100])
    prepare(ptb, SETTINGS, out, workers=1, shard_size=8)
    assert files(out) == files(store.path)


def test_a_finished_store_is_taken_as_it_is(ptb, store, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in store.path.rglob("*")}
    again = prepare(ptb, SETTINGS, store.path, workers=1, shard_size=8)
    assert again.hash == store.hash
    assert {path: path.stat().st_mtime_ns for path in store.path.rglob("*")} == before


def test_other_settings_are_refused_by_both_hashes(ptb, store):
    other = Preprocessor(band=(0.05, 40.0))
    with pytest.raises(
        DataError, match=f"preprocessor hash {SETTINGS.hash}, and this one has .* {other.hash}"
    ):
        prepare(ptb, other, store.path, shard_size=8)
    part = ptb.select(indices=[0, 1])
    with pytest.raises(DataError, match=f"corpus hash {ptb.hash}, and this one has corpus hash {part.hash}"):
        prepare(part, SETTINGS, store.path, shard_size=8)


def test_a_folder_of_something_else_is_left_alone(ptb, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="is no store"):
        prepare(ptb, SETTINGS, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(DataError, match=r"manifest\.json is absent"):
        Store.open(tmp_path)
    with pytest.raises(UsageError, match="at least 1"):
        prepare(ptb, SETTINGS, tmp_path / "new", workers=0)


def test_bad_recordings_are_listed_with_their_reason(real_data, tmp_path):
    folder = tmp_path / "records"
    shutil.copytree(real_data / "ptb-xl" / "records100" / "00000", folder)
    (folder / "00002_lr.dat").write_bytes((folder / "00002_lr.dat").read_bytes()[:500])
    (folder / "00003_lr.dat").unlink()
    corpus = open_corpus("records", folder).select(indices=np.arange(6))
    made = prepare(corpus, SETTINGS, tmp_path / "store", workers=1, shard_size=4)
    rows = pd.read_csv(tmp_path / "store" / "rejected.csv")
    assert rows["record_id"].to_list() == ["00002_lr", "00003_lr"]
    assert rows["reason"].str.len().gt(10).all()
    assert not rows["reason"].str.contains(str(tmp_path)).any()
    assert len(made) == 4
    assert [each.record_id for each in made.rejected] == ["00002_lr", "00003_lr"]
    assert made.table["record_id"].to_list() == [
        name for name in corpus.table["record_id"] if name not in ("00002_lr", "00003_lr")
    ]


def test_nothing_but_bad_recordings_is_an_error(tmp_path):
    corpus = of_arrays([np.random.default_rng(0).normal(size=(12, 50))] * 3)
    with pytest.raises(DataError, match="none of 3 recordings could be prepared, the first because"):
        prepare(corpus, SETTINGS, tmp_path / "store", workers=1)
    assert list(tmp_path.iterdir()) == []


def test_voltages_beyond_the_range_are_clipped_and_counted(tmp_path):
    beat = np.zeros(1000)
    beat[100::100] = 90.0
    made = prepare(of_arrays([[beat, beat * 0.01]]), SETTINGS, tmp_path / "store", workers=1)
    assert made.clipped > 0
    assert made.prepared(0).signal.max() == pytest.approx(32.767)
    assert made.manifest["n_clipped_samples"] == made.clipped


def test_missing_leads_stay_missing(real_data, tmp_path):
    corpus = open_corpus("auto", real_data / "challenge2021-reduced")
    made = prepare(corpus, SETTINGS, tmp_path / "store", workers=1)
    batch = made.read(range(len(made)))
    assert set(batch.lead_mask.sum(1).tolist()) == {6, 7, 12}
    assert not batch.signal[~batch.lead_mask].any()


def test_another_process_maps_the_store_itself(store):
    packed = pickle.dumps(store)
    assert len(packed) < 1000
    np.testing.assert_array_equal(pickle.loads(packed).prepared(3).signal, store.prepared(3).signal)


def test_datasets_reads_the_shards(store):
    datasets = pytest.importorskip("datasets")
    shard = datasets.Dataset.from_file(str(store.path / store.manifest["shards"][1]))
    assert shard[0]["record_id"] == store.table["record_id"][8]
    signal = np.array(shard[0]["signal"]).reshape(12, -1) * np.float32(1e-3)
    np.testing.assert_allclose(signal, store.prepared(8).signal, atol=1e-7)


def test_a_full_disk_is_one_sentence(tmp_path):
    error = disk_error(tmp_path / "shard", OSError(errno.ENOSPC, "No space left on device"))
    assert (
        str(error) == f"{tmp_path}: the disk is full; free some space and run again, finished parts are kept"
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_write_that_fails_leaves_nothing_half_written(ptb, tmp_path):
    out = tmp_path / "store"
    (out / "shards").mkdir(parents=True)
    prepare_part = ptb.select(indices=[0, 1])
    (out / "manifest.json").write_text(
        json.dumps(
            {
                "format": 1,
                "preprocessor_hash": SETTINGS.hash,
                "corpus_hash": prepare_part.hash,
                "shard_size": 256,
            }
        )
    )
    temporary = out / "shards" / f".data-00000-of-00001.arrow.{os.getpid()}.tmp"
    temporary.symlink_to("/dev/full")
    with pytest.raises(DataError, match="the disk is full"):
        prepare(prepare_part, SETTINGS, out, workers=1)
    assert list((out / "shards").iterdir()) == []


def test_workers_load_no_torch(ptb, tmp_path):
    loaded = "import sys, ecgclip.corpora.store.preparing, ecgclip.signals, ecgclip.records, ecgclip.reports"
    out = subprocess.run(
        [sys.executable, "-c", f"{loaded}; print('torch' in sys.modules, 'datasets' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert out.stdout.split() == ["False", "False"]


@pytest.mark.slow
def test_speed(real_data, tmp_path):
    """Seconds of one core, so that a busy machine does not fail it."""
    corpus = open_corpus("ptb-xl", real_data / "ptb-xl").select(indices=np.arange(1024))
    prepare(corpus.select(indices=[0]), SETTINGS, tmp_path / "warm", workers=1)
    began = time.process_time()
    made = prepare(corpus, SETTINGS, tmp_path / "store", workers=1)
    print("prepared per CPU second", len(made) / (time.process_time() - began))
    assert len(made) / (time.process_time() - began) >= 150 / 2
    order = np.random.default_rng(0).permutation(len(made))
    made.read(order[:256])
    began = time.process_time()
    for start in range(0, len(order), 128):
        made.read(order[start : start + 128])
    assert len(order) / (time.process_time() - began) >= 20_000


def test_what_another_living_process_writes_is_left_to_it(simulated, tmp_path):
    corpus, folder = simulated.select(split="test"), tmp_path / "store"
    shards = folder / "shards"
    prepare(corpus, Preprocessor(), folder, workers=1)
    (folder / "manifest.json").write_text(
        (folder / "manifest.json").read_text().replace('"complete": true', '"complete": false')
    )
    written, abandoned = (shards / f".data.arrow.{pid}.tmp" for pid in (os.getppid(), os.getpid()))
    abandoned.write_bytes(b"half")
    with open(written, "wb") as file:
        hold(file)
        prepare(corpus, Preprocessor(), folder, workers=1)
        assert written.exists()
    assert not abandoned.exists()


def test_a_process_that_was_done_first_and_tidied_up_does_no_harm(tmp_path):
    corpus = simulate(n=6, seed=2)
    made = prepare(corpus, SETTINGS, tmp_path / "store", workers=1, shard_size=6)
    target = next((made.path / "shards").glob("*.arrow"))
    rows = tuple({str(key): value for key, value in row.items()} for row in corpus.table.to_dict("records"))
    job = ShardJob(target, rows, SETTINGS, corpus.reader, "")
    before, done = target.read_bytes(), threading.Event()

    def tidy():
        while not done.is_set():
            for passing in target.parent.glob(".*.tmp"):
                passing.unlink(missing_ok=True)

    other = threading.Thread(target=tidy)
    other.start()
    try:
        for _ in range(5):
            write_shard(job)
    finally:
        done.set()
        other.join()
    assert target.read_bytes() == before
    target.unlink()
    assert write_shard(job).n == 6
