"""A results file is read strictly: what is not one is refused in one sentence."""

import json

import pytest

from ecgclip.errors import DataError
from ecgclip.studies.benchmark import find_results, read_results, write_results
from ecgclip.studies.benchmark.results import (
    FORMAT,
    ClassRow,
    CorpusFacts,
    LeftOut,
    ModelFacts,
    Reliability,
    Results,
    Row,
    Unread,
)


def a_row(key="model/ptbxl-superclass", figure=0.9):
    return Row(
        key=key,
        name="model",
        labels="ptbxl-superclass",
        setting={"fraction": 0.01, "draw": 0, "mask": True, "leads": "I, II"},
        population="all",
        metric="macro AUROC",
        figure=figure,
        low=0.8,
        high=0.95,
        n=403,
        patients=390,
        n_labels=1,
        bank="abc",
        marks=["label-free"],
        more={"auprc": 0.5},
        classes=[
            ClassRow(
                code="NORM",
                name="normal",
                n=403,
                positives=160,
                auroc=0.9,
                low=0.8,
                high=0.95,
                auprc=None,
                sensitivity=0.7,
                skipped_draws=0,
                scored=True,
                reason="",
            )
        ],
        reliability=[Reliability(code="NORM", probability=[0.1, None], share=[0.2, None], count=[403, 0])],
        left_out=[LeftOut(what="HYP", why="no positive in the draw")],
        scores="scores/x.parquet",
    )


def a_file(rows=None):
    return Results(
        format=FORMAT,
        protocol="zero_shot",
        split="test",
        model=ModelFacts(name="run", hash="1", preprocessor="2", recipe="ptbxl", seed=1, trained_on="ptb-xl"),
        corpus=CorpusFacts(name="ptb-xl", title="PTB-XL subset (3,684)", hash="3", store="4", n=3684),
        draws=1000,
        seed=0,
        minimum=10,
        command="ecgclip benchmark",
        date="2026-01-01T00:00:00+00:00",
        seconds=1.5,
        environment={"python": "3.11", "cpus": 2, "cuda": None},
        finished=True,
        rows=rows if rows is not None else [a_row()],
        left_out=[],
        unread=[
            Unread(
                corpus="ptb-xl",
                rejected=1,
                absent=None,
                first=[LeftOut(what="7", why="cut short")],
                file="evaluation/u.csv",
            )
        ],
    )


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "evaluation" / "zero_shot.json"
    write_results(path, a_file())
    assert read_results(path) == a_file()
    assert [found for _, found in find_results(tmp_path)] == [a_file()]


def test_what_is_not_finite_becomes_null(tmp_path):
    write_results(tmp_path / "a.json", a_file([a_row(figure=float("nan"))]))
    assert read_results(tmp_path / "a.json").rows[0].figure is None


def put(value, path, new):
    *way, last = path
    for key in way:
        value = value[key]
    if new is None:
        del value[last]
    else:
        value[last] = new


@pytest.mark.parametrize(
    ("path", "new", "says"),
    [
        (["format"], "ecgclip-results/9", "format"),
        (["split"], None, "split is missing"),
        (["extra"], 1, "extra is an unknown key"),
        (["draws"], "1000", "draws is '1000', expected int"),
        (["draws"], True, "draws is True, expected int"),
        (["rows", 0, "figure"], "0.9", "rows[0].figure"),
        (["rows", 0, "classes", 0, "auroc"], None, "rows[0].classes[0].auroc is missing"),
        (["rows", 0, "setting", "fraction"], [1], "rows[0].setting.fraction"),
        (["rows", 0, "marks"], "label-free", "rows[0].marks"),
        (["rows"], {}, "rows is {}, expected a list"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path, path, new, says):
    file = tmp_path / "a.json"
    write_results(file, a_file())
    value = json.loads(file.read_text())
    put(value, path, new)
    file.write_text(json.dumps(value))
    with pytest.raises(DataError) as caught:
        read_results(file)
    assert says in str(caught.value)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_row_that_stands_twice_is_refused(tmp_path):
    write_results(tmp_path / "a.json", a_file([a_row(), a_row()]))
    with pytest.raises(DataError, match="stands twice"):
        read_results(tmp_path / "a.json")


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"labels": "ptbxl-form", "rows": []}'])
def test_what_is_no_results_file_is_refused(tmp_path, text):
    (tmp_path / "evaluation").mkdir()
    file = tmp_path / "evaluation" / "a.json"
    file.write_text(text)
    with pytest.raises(DataError, match="no results file"):
        read_results(file)
    assert not list(find_results(tmp_path))


def test_an_absent_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_results(tmp_path / "absent.json")
