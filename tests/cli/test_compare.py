"""``ecgclip compare``: what it prints, and its one-sentence refusals."""

import json

import numpy as np
import pandas as pd
import pytest


def write_run(folder, *, skill, seed):
    """A run folder with the scores of two label sets for sixty recordings, and nothing else."""
    truth, rng = np.random.default_rng(5), np.random.default_rng(seed)
    (folder / "scores").mkdir(parents=True)
    for name, labels in (("ptbxl-form", ("PVC", "PAC")), ("ptbxl-rhythm", ("AFIB", "SR"))):
        target = (truth.random((60, 2)) < [0.4, 0.05 if name == "ptbxl-rhythm" else 0.3]).astype(np.int8)
        table = pd.DataFrame(
            {
                "record": np.repeat([f"{k:05d}" for k in range(60)], 2),
                "patient": np.repeat([f"p{k // 2}" for k in range(60)], 2),
                "split": "validation",
                "label": np.tile(labels, 60),
                "score": (skill * target + rng.normal(size=(60, 2))).ravel(),
                "target": target.ravel(),
            }
        )
        table.to_parquet(folder / "scores" / f"validation-{name}.parquet")
    return folder


@pytest.fixture
def runs(tmp_path):
    """A run that ranks well, and one that does not."""
    return write_run(tmp_path / "good", skill=3.0, seed=1), write_run(tmp_path / "poor", skill=0.2, seed=2)


def test_it_prints_differences_by_set_and_label(command, runs, tmp_path):
    status, out, err = command("compare", *runs, "--draws", "200", "--out", tmp_path / "d.csv")
    assert (status, err) == (0, "")
    for words in ("A  good", "B  poor", "A - B", "95 % interval", "p Holm", "60 recordings of 30 patients"):
        assert words in out
    assert "too rare to count (1): SR" in out
    assert max(map(len, out.splitlines())) <= 100
    frame = pd.read_csv(tmp_path / "d.csv")
    assert (frame["low"] > 0).all()
    status, out, _ = command("compare", *runs, "--draws", "50", "--json")
    found = json.loads(out)
    assert status == 0
    sizes = [abs(row["difference"]) for row in found["labels"]]
    assert sizes == sorted(sizes, reverse=True)
    status, out, _ = command("compare", *runs, "--draws", "50", "--labels", "ptbxl-form", "--json")
    assert [row["name"] for row in json.loads(out)["sets"]] == ["ptbxl-form"]


def test_a_runs_own_scores_can_be_compared(command, tiny_run):
    status, out, err = command("compare", tiny_run.path, tiny_run.path)
    assert (status, out) == (1, "")
    assert "no label has 10 positives" in err


def test_other_recordings_are_refused_in_one_sentence(command, runs):
    for file in (runs[1] / "scores").glob("*.parquet"):
        table = pd.read_parquet(file)
        table[table["record"] != "00007"].to_parquet(file)
    status, out, err = command("compare", *runs)
    assert (status, out) == (1, "")
    assert "scored different recordings (1 only in the first, 0 only in the second, for example 00007)" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("more", "words", "status"),
    [
        (["--split", "test"], "no scores of the test split", 1),
        (["--labels", "ptbxl-frm"], "has no scores of ptbxl-frm", 1),
        (["--out", "d.txt"], "ending in .csv", 2),
        (["--draws", "0"], "at least 1", 2),
    ],
)
def test_bad_usage(command, runs, more, words, status):
    found, out, err = command("compare", *runs, *more)
    assert (found, out) == (status, "")
    assert words in err
    assert err.count("\n") == 1
