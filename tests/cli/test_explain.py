"""``ecgclip explain``: what it prints, what it writes, and what it says of a wrong request."""

import csv
import json

import pytest

RUN, DATA = "runs/quickstart", "demo/manifest.csv"


@pytest.fixture
def first(newcomer):
    """Id of the first recording of the corpus, and its file."""
    with (newcomer / DATA).open(encoding="utf-8") as file:
        path = next(csv.DictReader(file))["path"]
    from ecgclip.corpora import open_corpus

    corpus = open_corpus("auto", newcomer / DATA)
    return corpus.table["record_id"][0], newcomer / "demo" / path


def test_a_recording_and_words_give_a_table(newcomer, command, first):
    status, out, err = command(
        "explain", RUN, "--data", first[1], "--text", "premature beats; atrial fibrillation"
    )
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[2].split() == ["finding", "score", "mass", "where"]
    assert lines[3].startswith("premature beats")
    assert lines[4].startswith("atrial fibrillation")


def test_a_record_of_a_corpus_is_asked_for_what_its_report_says(newcomer, command, first):
    status, out, _ = command("explain", RUN, "--data", DATA, "--record", first[0], "--json")
    assert status == 0
    found = json.loads(out)
    assert found["record"] == first[0]
    assert found["phrases"]
    assert len(found["plan"]) == len(found["token_times"])
    assert {len(row) for row in found["plan"]} == {len(found["phrases"])}
    for column, row in enumerate(found["phrases"]):
        assert sum(each[column] for each in found["plan"]) == pytest.approx(row["mass"], abs=1e-3)


def test_labels_ask_for_the_likeliest(newcomer, command, first):
    status, out, _ = command(
        "explain", RUN, "--data", first[1], "--labels", "ptbxl-superclass", "--plain", "--plan", "transport"
    )
    assert status == 0
    assert all(len(line.split("\t")) == 4 for line in out.splitlines())
    assert 1 <= len(out.splitlines()) <= 5


@pytest.mark.parametrize(
    ("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("csv", b"time_s,sinus rhythm")]
)
def test_it_writes_the_sheet_or_the_numbers(newcomer, command, first, tmp_path, ending, start):
    path = tmp_path / f"sheet.{ending}"
    status, out, _ = command("explain", RUN, "--data", first[1], "--text", "sinus rhythm", "--out", path)
    assert status == 0
    assert out.splitlines()[-1] == f"written: {path}"
    assert path.read_bytes().startswith(start)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_json_to_a_file_is_what_json_prints(newcomer, command, first, tmp_path):
    path = tmp_path / "e.json"
    _, out, _ = command("explain", RUN, "--data", first[1], "--text", "sinus rhythm", "--out", path, "--json")
    assert json.loads(path.read_text()) == json.loads(out)


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        (["--text", "a", "--out", "x.txt"], 2, "expected a name ending in"),
        (["--text", "a", "--labels", "cpsc2018"], 2, "give one of them"),
        (["--text", " ; "], 2, "names no finding"),
        (["--text", "sinus rhythm", "--plan", "transprot"], 2, "did you mean transport"),
        (["--text", "sinus rhythm", "--scale", "token"], 1, "scale token"),
        (["--text", "sinus rhythm", "--out", "absent/x.png", "--start", "99"], 2, "nothing to draw"),
        (["--labels", "ptbxl-superclas"], 2, "ptbxl-superclass"),
    ],
)
def test_a_wrong_request_is_one_line(newcomer, command, first, options, status, says):
    found, _, err = command("explain", RUN, "--data", first[1], *options)
    assert found == status
    assert says in err
    assert len(err.splitlines()) == 1
    assert not (newcomer / "absent").exists()


def test_which_recording_must_be_said(newcomer, command, first):
    status, _, err = command("explain", RUN, "--data", DATA)
    assert status == 2
    assert "24 recordings" in err
    assert "--record" in err
    status, _, err = command("explain", RUN, "--data", DATA, "--record", first[0][:-1] + "x")
    assert status == 1
    assert "did you mean" in err
    status, _, err = command("explain", RUN, "--data", first[1])
    assert status == 2
    assert "--text or --labels" in err
    status, _, err = command("explain", RUN, "--data", "absent.hea", "--text", "a")
    assert status == 1
    assert "absent.hea" in err


def test_a_report_whose_findings_name_one_another_is_explained(newcomer, command, first):
    text = (
        "atrial fibrillation with rapid ventricular response; atrial fibrillation; Sinus rhythm; sinus rhythm"
    )
    status, out, err = command("explain", RUN, "--data", first[1], "--text", text, "--json")
    assert (status, err) == (0, "")
    scores = [row["score"] for row in json.loads(out)["phrases"]]
    assert len(scores) == 4
    assert scores[2] == scores[3]
