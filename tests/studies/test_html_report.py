"""The HTML report: what it says of the results files, and what never becomes markup."""

import shutil
from html.parser import HTMLParser

import pytest
from page_files import CODES, results, row, scores, zero_shot

from ecgclip.cli import main
from ecgclip.errors import DataError
from ecgclip.studies.benchmark.results import LeftOut, Unread, write_results
from ecgclip.studies.html_report import write_report


class Reader(HTMLParser):
    """Elements with their attributes, and that they nest."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def test_every_protocol_has_a_section_in_the_order_of_the_page(page):
    read = Reader(page.read_text(encoding="utf-8"))
    names = [each["id"].removesuffix("-simulated-validation") for each in read.all("section")]
    known = [
        "zero-shot",
        "linear-probe",
        "few-shot",
        "retrieval",
        "transfer",
        "leads",
        "robustness",
        "calibration",
    ]
    assert names == ["glance", *known, "of-tomorrow", "recordings", "unread", "made"]
    assert {each["href"][1:] for each in read.all("a")} <= {at["id"] for _, at in read.elements if "id" in at}


def test_the_page_fetches_nothing_and_what_files_say_stays_text(page):
    text = page.read_text(encoding="utf-8")
    read = Reader(text)
    assert len(read.all("script")) == len(read.all("style")) == 1
    assert all(each["src"].startswith("data:image/png") for each in read.all("img"))
    assert not [at for _, at in read.elements if any(key.startswith("on") or key == "style" for key in at)]
    assert "http:" not in text
    assert "https:" not in text
    assert "&lt;script&gt;alert(" in text
    assert page.stat().st_size < 3_000_000


def test_the_figures_are_those_of_the_files(page):
    text = page.read_text(encoding="utf-8")
    for said in (
        "0.800",
        "0.770–0.830",
        "name of MI",
        "r&amp;d",
        "0 positives",
        "label-free",
        "This protocol is not finished",
    ):
        assert said in text, said
    # calibration error of the bins: (30 x |0.1 - 0.2| + 10 x |0.8 - 0.7|) / 40
    assert "calibrated 0.100, prior 0.100" in text or "prior 0.100, calibrated 0.100" in text


def test_best_and_worst_recordings_are_those_of_the_scores(page, tiny_store):
    text, frame = page.read_text(encoding="utf-8"), scores(tiny_store)
    for code in CODES:
        part = frame[frame["label"] == code].sort_values("score")
        carriers, others = part[part["target"] > 0], part[part["target"] == 0]
        for name in (carriers["record"].iloc[-1], others["record"].iloc[-1], carriers["record"].iloc[0]):
            assert f"12-lead ECG of recording {name}" in text
    assert len(Reader(text).all("img")) == 3 * len(CODES)


def test_without_the_corpus_or_with_another_the_page_says_so(report_run, tmp_path, folded_store):
    said = write_report(report_run, tmp_path / "a.html").read_text(encoding="utf-8")
    assert "no corpus was given" in said
    said = write_report(report_run, tmp_path / "b.html", data=folded_store).read_text(encoding="utf-8")
    assert f"is corpus {folded_store.corpus_hash}, and the figures are of" in said
    said = write_report(report_run, tmp_path / "c.html", data=tmp_path / "nowhere").read_text(
        encoding="utf-8"
    )
    assert "Not drawn: " in said


def test_scores_that_are_gone_are_said_and_the_rest_stands(tmp_path, tiny_store):
    write_results(tmp_path / "evaluation" / "z.json", zero_shot(tiny_store.corpus_hash))
    said = write_report(tmp_path, data=tiny_store).read_text(encoding="utf-8")
    assert "z.parquet: scores cannot be read" in said
    (tmp_path / "scores").mkdir()
    (tmp_path / "scores" / "z.parquet").write_bytes(b"PAR1 is not here")
    assert "scores cannot be read" in write_report(tmp_path, data=tiny_store).read_text(encoding="utf-8")


def test_recordings_that_no_figure_rests_on_are_counted_and_listed(tmp_path):
    said = [
        LeftOut(what="r<7>", why="lead II is cut short"),
        LeftOut(what="b.hea", why="absent from the disk"),
    ]
    unread = Unread(
        corpus="simulated", rejected=1, absent=1200, first=said, file="evaluation/unread-simulated.csv"
    )
    for protocol in ("zero_shot", "retrieval"):
        file = tmp_path / "evaluation" / f"{protocol}.json"
        write_results(file, results(protocol, [row("a")], unread=[unread]))
    text = write_report(tmp_path).read_text(encoding="utf-8")
    assert text.count("r&lt;7&gt;") == 1
    assert "lead II is cut short" in text
    assert "1,201 recordings not measured (1 could not be prepared, 1,200 absent from the disk)" in text
    assert "evaluation/unread-simulated.csv" in text
    assert "b.hea" in text


@pytest.mark.parametrize("protocol", ["linear_probe", "robustness", "leads", "calibration", "retrieval"])
def test_settings_that_make_no_sense_do_not_end_the_page(tmp_path, protocol):
    odd = row("odd", {"fraction": "a", "severity": "b", "disturbance": "noise"}, float("nan"))
    file = tmp_path / "evaluation" / "o.json"
    write_results(file, results(protocol, [odd, row("none")]))
    file.write_text(file.read_text().replace('"figure": null', '"figure": NaN'))
    Reader(write_report(tmp_path).read_text(encoding="utf-8"))


def test_missing_foreign_and_damaged_files_are_refused_by_name(tmp_path):
    with pytest.raises(DataError, match="no results file to report on"):
        write_report(tmp_path)
    evaluation = tmp_path / "evaluation"
    write_results(evaluation / "z.json", zero_shot("0"))
    whole = (evaluation / "z.json").read_text()
    (evaluation / "validation-x.json").write_text('{"auroc": 1}')
    (evaluation / "noise.json").write_bytes(bytes(range(256)))
    write_report(tmp_path)
    before = (evaluation / "report.html").read_bytes()
    for damaged in (
        whole[:-300],
        whole.replace('"draws"', '"drawn"'),
        whole.replace("results/1", "results/9"),
    ):
        (evaluation / "z.json").write_text(damaged)
        with pytest.raises(DataError, match=r"z\.json: no results file"):
            write_report(tmp_path)
    assert (evaluation / "report.html").read_bytes() == before
    (evaluation / "z.json").write_text(
        whole.replace("not read", "\\ud800")
    )  # JSON may say what UTF-8 may not
    assert "\\ud800" in write_report(tmp_path).read_text(encoding="utf-8")
    with pytest.raises(DataError, match="is a folder"):
        write_report(tmp_path, tmp_path)


def test_the_command_writes_the_page_again_and_says_what_it_needs(report_run, page, tmp_path, capsys):
    shutil.copytree(report_run, tmp_path / "run")
    again = tmp_path / "run" / "evaluation" / "report.html"
    assert main(["benchmark", str(tmp_path / "run"), "--report-only"]) == 0
    assert capsys.readouterr().out == f"report: {again}\n"
    assert "no corpus was given" in again.read_text(encoding="utf-8")
    assert "no corpus was given" not in page.read_text(encoding="utf-8")
    assert main(["benchmark", str(report_run)]) == 2
    assert "--data PATH is needed" in capsys.readouterr().err
