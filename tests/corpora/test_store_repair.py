"""Preparing again: what was rejected is read once more, and a store without rows is not left behind."""

import pickle
import shutil
import subprocess
import sys
import threading

import numpy as np
import pandas as pd
import pytest

from ecgclip.corpora import Store, open_corpus, prepare
from ecgclip.errors import DataError
from ecgclip.records import LEADS
from ecgclip.signals import Preprocessor

SETTINGS = Preprocessor()


@pytest.fixture
def folder(tmp_path):
    """Six recordings of 10 s, of format 16, and their manifest m.csv."""
    place = tmp_path / "recordings"
    place.mkdir()
    lines = "".join("NAME.dat 16 1000/mV 16 0 0 0 0 " + lead + "\n" for lead in LEADS)
    rng = np.random.default_rng(0)
    for name in (f"r{number}" for number in range(6)):
        (place / f"{name}.hea").write_text(f"{name} 12 100 1000\n" + lines.replace("NAME", name))
        (place / f"{name}.dat").write_bytes(rng.integers(-900, 900, size=(1000, 12)).astype("<i2").tobytes())
    (place / "m.csv").write_text("path\n" + "".join(f"r{number}\n" for number in range(6)))
    return place


def spoil(folder, *numbers):
    """Truncate recordings; gives what puts them right."""
    whole = {folder / f"r{number}.dat": (folder / f"r{number}.dat").read_bytes() for number in numbers}
    for path in whole:
        path.write_bytes(b"")
    return lambda: [path.write_bytes(data) for path, data in whole.items()]


def run(folder, out, **options):
    return prepare(
        open_corpus("auto", folder / "m.csv"), SETTINGS, out, **{"workers": 1, "shard_size": 2, **options}
    )


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def stamps(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_recording_put_right_is_taken_in_and_only_its_shard_is_written(folder, tmp_path):
    whole = run(folder, tmp_path / "whole")
    restore = spoil(folder, 2)
    first = run(folder, tmp_path / "st")
    assert [each.record_id for each in first.rejected] == ["r2"]
    before, held = stamps(tmp_path / "st" / "shards"), first.prepared(4).signal
    restore()
    seen = []
    again = run(folder, tmp_path / "st", progress=seen.append)
    assert len(again) == 6
    assert again.rejected == ()
    assert files(again.path) == files(whole.path)
    assert again.hash == whole.hash != first.hash
    after = stamps(tmp_path / "st" / "shards")
    assert [name for name in before if after[name] != before[name]] == ["data-00001-of-00003.arrow"]
    assert (seen[-1].done, seen[-1].kept_from_before, seen[-1].rejected) == (6, 4, 0)
    assert len(first) == 5
    np.testing.assert_array_equal(first.prepared(4).signal, held)


def test_what_is_rejected_again_changes_no_byte_and_writes_nothing(folder, tmp_path):
    spoil(folder, 1, 4)
    first = run(folder, tmp_path / "st")
    before = files(first.path), stamps(first.path)
    again = run(folder, tmp_path / "st")
    assert (files(again.path), stamps(again.path)) == before
    assert again.hash == first.hash
    assert len(again.rejected) == 2


def test_nothing_but_bad_recordings_leaves_nothing_and_can_be_put_right(folder, tmp_path):
    restore = spoil(folder, *range(6))
    out = tmp_path / "new" / "st"
    with pytest.raises(DataError, match=r"none of 6 recordings could be prepared, the first because: .*r0"):
        run(folder, out)
    assert not out.parent.exists()
    out.mkdir(parents=True)
    with pytest.raises(DataError, match="none of 6"):
        run(folder, out, workers=2)
    assert list(out.iterdir()) == []
    restore()
    assert len(run(folder, out)) == 6


def test_a_rowless_store_that_was_left_is_no_hindrance(folder, tmp_path):
    """An interrupted preparation has written nothing but rejections."""
    restore, out = spoil(folder, *range(6)), tmp_path / "st"

    class Stop(Exception):
        pass

    def stop(state):
        if state.done >= 4:
            raise Stop

    with pytest.raises(Stop):
        run(folder, out, progress=stop)
    assert len(list(out.glob("shards/*.arrow"))) == 2
    restore()
    made = run(folder, out)
    assert len(made) == 6
    assert files(out) == files(run(folder, tmp_path / "whole").path)


def test_a_broken_off_repair_is_finished(folder, tmp_path):
    whole = run(folder, tmp_path / "whole")
    restore, out = spoil(folder, 0, 3), tmp_path / "st"
    run(folder, out)
    restore()

    def stop(state):
        if state.done > state.kept_from_before:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(folder, out, progress=stop)
    with pytest.raises(DataError, match="broken off"):
        Store.open(out)
    run(folder, out)
    assert files(out) == files(whole.path)


def test_other_files_in_the_folder_stay(folder, tmp_path):
    spoil(folder, *range(6))
    out = tmp_path / "st"

    def note(state):
        (out / "shards" / "notes.txt").write_text("mine")

    with pytest.raises(DataError, match="none of 6"):
        run(folder, out, progress=note)
    assert files(out) == {"shards/notes.txt": b"mine"}


def test_a_store_that_another_process_is_filling_is_left_to_it(folder, tmp_path):
    """One process finds nothing but bad recordings while another, which sees them whole, is at work."""
    restore, out = spoil(folder, *range(6)), tmp_path / "st"
    at_work, go_on, made = threading.Event(), threading.Event(), []

    def wait(state):
        at_work.set()
        assert go_on.wait(60)

    def meet(state):
        if state.done == 6:
            restore()
            other.start()
            assert at_work.wait(60)

    other = threading.Thread(target=lambda: made.append(run(folder, out, progress=wait)))
    with pytest.raises(DataError, match="none of 6"):
        run(folder, out, progress=meet)
    go_on.set()
    other.join()
    assert len(made[0]) == len(Store.open(out)) == 6


FILL = """
import sys
from ecgclip.corpora import open_corpus, prepare
from ecgclip.signals import Preprocessor
print("ready", flush=True)
sys.stdin.readline()
print(prepare(open_corpus("auto", sys.argv[1]), Preprocessor(), sys.argv[2], workers=1, shard_size=2).hash)
"""


def test_two_processes_repair_one_store_together(folder, tmp_path):
    whole = run(folder, tmp_path / "whole")
    restore, out = spoil(folder, 0, 2, 4), tmp_path / "st"
    run(folder, out)
    restore()
    command = [sys.executable, "-c", FILL, str(folder / "m.csv"), str(out)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, **pipes) for _ in range(2)]
    for process in both:
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate()[0].strip() for process in both] == [whole.hash] * 2
    assert files(out) == files(whole.path)


def test_another_process_is_not_handed_other_rows_than_the_one_that_opened_the_store(folder, tmp_path):
    restore, out = spoil(folder, 1), tmp_path / "st"
    first = run(folder, out)
    packed = pickle.dumps(first)
    assert len(pickle.loads(packed)) == 5
    restore()
    again = run(folder, out)
    with pytest.raises(
        DataError, match=f"was prepared again .*{again.hash}.* since it was opened .*{first.hash}"
    ):
        pickle.loads(packed)


def test_a_manifest_that_does_not_fit_its_shards_is_refused_and_put_right(folder, tmp_path):
    restore, out = spoil(folder, 1), tmp_path / "st"
    run(folder, out)
    old = (out / "manifest.json").read_bytes()
    restore()
    run(folder, out)
    (out / "manifest.json").write_bytes(old)
    with pytest.raises(DataError, match="is being prepared again"):
        Store.open(out)
    assert len(run(folder, out)) == 6


def test_a_deleted_shard_of_a_finished_store_is_prepared_again(folder, tmp_path):
    whole, out = run(folder, tmp_path / "whole"), tmp_path / "st"
    shutil.copytree(whole.path, out)
    (out / "shards" / "data-00001-of-00003.arrow").unlink()
    with pytest.raises(DataError, match="delete it and prepare again"):
        Store.open(out)
    run(folder, out)
    assert files(out) == files(whole.path)


def test_the_list_of_the_rejected_follows(folder, tmp_path):
    restore, out = spoil(folder, 1), tmp_path / "st"
    spoil(folder, 5)
    run(folder, out)
    restore()
    run(folder, out)
    assert pd.read_csv(out / "rejected.csv")["record_id"].to_list() == ["r5"]
