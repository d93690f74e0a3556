"""The HTML report: what it says of the results files, what never becomes markup, and how a browser takes it."""

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from ecgclip.cli import main
from ecgclip.errors import DataError
from ecgclip.studies.benchmark.results import (
    FORMAT,
    ClassRow,
    CorpusFacts,
    LeftOut,
    ModelFacts,
    Reliability,
    Results,
    Row,
    write_results,
)
from ecgclip.studies.html_report import write_report


class Browser:
    """Headless Chromium over its debugging pipe: no port, no network, no driver to install."""

    LAUNCH = (
        "import os, sys; r, w = map(int, sys.argv[1:3]); os.dup2(r, 3); os.dup2(w, 4);"
        " os.execv(sys.argv[3], sys.argv[3:])"
    )

    FLAGS = (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
        *("--disable-background-networking", "--remote-debugging-pipe"),
    )

    def __init__(self, program, profile):
        ours, theirs = [], []
        for _ in range(2):
            read, write = os.pipe()
            ours += [read, write]
        theirs = [fcntl.fcntl(ours[0], fcntl.F_DUPFD, 20), fcntl.fcntl(ours[3], fcntl.F_DUPFD, 20)]
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                self.LAUNCH,
                *map(str, theirs),
                program,
                *self.FLAGS,
                f"--user-data-dir={profile}",
            ],
            pass_fds=theirs,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for each in (*theirs, ours[0], ours[3]):
            os.close(each)
        self.told, self.heard = os.fdopen(ours[1], "wb"), os.fdopen(ours[2], "rb")
        self.number, self.rest, self.events = 0, b"", []
        target = self.ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        self.session = self.ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.page(f"{domain}.enable")

    def ask(self, method, params=None, **more):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params or {}, **more}
        self.told.write(json.dumps(message).encode() + b"\0")
        self.told.flush()
        while (answer := self.next()).get("id") != self.number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def next(self):
        while b"\0" not in self.rest:
            assert select.select([self.heard], [], [], 60)[0], "the browser does not answer"
            more = os.read(self.heard.fileno(), 1 << 16)
            assert more, "the browser is gone"
            self.rest += more
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)

    def page(self, method, params=None):
        return self.ask(method, params, sessionId=self.session)

    def value(self, expression):
        answer = self.page("Runtime.evaluate", {"expression": expression, "returnByValue": True})
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def open(self, path, width, height, dark=False):
        self.events.clear()
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.page("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.page("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.page("Page.navigate", {"url": path.resolve().as_uri()})
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self.next())

    def picture(self, path):
        path.write_bytes(base64.b64decode(self.page("Page.captureScreenshot", {"format": "png"})["data"]))

    def named(self, method):
        return [event["params"] for event in self.events if event.get("method") == method]

    def close(self):
        with contextlib.suppress(OSError, AssertionError):
            self.ask("Browser.close")
        self.process.wait(timeout=20)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip(f"no browser: install Chromium ({', '.join(names)}) to drive the page")
    held = Browser(program, tmp_path_factory.mktemp("profile"))
    yield held
    held.close()


NASTY = """<script>alert('1')</script>"x" & Ä"""
CODES = ("NORM", "MI", "STTC")


def class_row(code, auroc, **changes):
    given = {"code": code, "name": f"name of {code}", "n": 40, "positives": 12, "auroc": auroc, "auprc": 0.5}
    given |= {"low": auroc and auroc - 0.05, "high": auroc and auroc + 0.04, "sensitivity": 0.4}
    return ClassRow(**(given | {"skipped_draws": 0, "scored": True, "reason": ""} | changes))


def row(key, setting=None, figure=0.8, **changes):
    given = {
        "key": key,
        "name": "model",
        "labels": "ptbxl-superclass",
        "setting": setting or {},
        "metric": "macro AUROC",
    }
    given |= {
        "population": "all",
        "figure": figure,
        "low": figure and figure - 0.03,
        "high": figure and figure + 0.03,
    }
    given |= {
        "n": 40,
        "patients": 38,
        "n_labels": 3,
        "bank": "",
        "marks": ["label-free"],
        "more": {},
        "classes": [],
    }
    return Row(**(given | {"reliability": [], "left_out": [], "scores": ""} | changes))


def results(protocol, rows, corpus="0", **changes):
    model = ModelFacts(
        name="seed<1>", hash="abc", preprocessor="p", recipe="r&d", seed=1, trained_on="ptb-xl"
    )
    held = CorpusFacts(name="simulated", title="Simulated (200)", hash=corpus, store="s", n=200)
    given = {"format": FORMAT, "protocol": protocol, "split": "validation", "model": model, "corpus": held}
    given |= {"draws": 50, "seed": 0, "minimum": 2, "command": "ecgclip benchmark 'a <b>'", "finished": True}
    given |= {"date": "2026-01-02T03:04:05+00:00", "seconds": 1.0, "environment": {"python": "3.11"}}
    return Results(**(given | {"rows": rows, "left_out": []} | changes))


def zero_shot(corpus):
    classes = [class_row(code, auroc) for code, auroc in zip(CODES, (0.9, 0.7, 0.8), strict=True)]
    absent = class_row(
        NASTY, None, positives=0, scored=False, reason="0 positives", auprc=None, sensitivity=None
    )
    scored = row("model/s", classes=[*classes, absent], scores="scores/z.parquet", more={"auprc": 0.5})
    empty = row("model/t", labels="ptbxl-form", figure=None)
    return results("zero_shot", [scored, empty], corpus, left_out=[LeftOut(what=NASTY, why="not read")])


def everything(corpus):
    """A results file of each protocol."""
    bins = Reliability(code="MI", probability=[0.1, None, 0.8], share=[0.2, None, 0.7], count=[30, 0, 10])
    curves = [
        row(f"{name}/{f}", {"fraction": f}, 0.6 + 0.1 * k, name=name)
        for name in ("model", "untrained")
        for k, f in enumerate((0.01, 0.1, 1.0))
    ]
    fills = [row(f"l/{fill}", {"leads": "I, II", "fill": fill}) for fill in ("mask", "zero")]
    harms = [
        row("d/0", {"disturbance": "none", "severity": 0.0}),
        row("d/1", {"disturbance": "noise", "severity": 0.1}),
    ]
    recall = row("r", {"direction": "ecg to text"}, labels="", metric="recall@10", more={"recall@1": 0.2})
    kinds = [
        row(f"c/{kind}", {"probabilities": kind}, 0.1, metric="macro calibration error", reliability=[bins])
        for kind in ("prior", "calibrated")
    ]
    return [
        zero_shot(corpus),
        results("linear_probe", curves, corpus),
        results("few_shot", [row("f", {"shots": 4})], corpus, finished=False),
        results("retrieval", [recall], corpus),
        results(
            "transfer",
            [row("t", {"to": "cpsc2018", "by": "zero-shot"}, classes=[class_row("AF", 0.9)])],
            corpus,
        ),
        results("leads", fills, corpus),
        results("robustness", harms, corpus),
        results("calibration", kinds, corpus),
        results("of_tomorrow", [row("n")], corpus),
    ]


def scores(store):
    """Scores of the first 40 recordings, the first three labels in turn."""
    ids = list(store.table["record_id"][:40])
    frame = pd.DataFrame([(name, code) for name in ids for code in CODES], columns=["record", "label"])
    return frame.assign(
        patient="p",
        split="validation",
        score=np.random.default_rng(0).normal(size=len(frame)).astype(np.float32),
        target=[int(i % 3 == j) for i in range(len(ids)) for j in range(len(CODES))],
    )


@pytest.fixture(scope="module")
def run(tiny_store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    for each in everything(tiny_store.corpus_hash):
        write_results(folder / "evaluation" / f"{each.protocol}.json", each)
    (folder / "scores").mkdir()
    scores(tiny_store).to_parquet(folder / "scores" / "z.parquet")
    return folder


@pytest.fixture(scope="module")
def page(run, tiny_store):
    return write_report(run, data=tiny_store)


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


def test_without_the_corpus_or_with_another_the_page_says_so(run, tmp_path, folded_store):
    said = write_report(run, tmp_path / "a.html").read_text(encoding="utf-8")
    assert "no corpus was given" in said
    said = write_report(run, tmp_path / "b.html", data=folded_store).read_text(encoding="utf-8")
    assert f"is corpus {folded_store.corpus_hash}, and the figures are of" in said
    said = write_report(run, tmp_path / "c.html", data=tmp_path / "nowhere").read_text(encoding="utf-8")
    assert "Not drawn: " in said


def test_scores_that_are_gone_are_said_and_the_rest_stands(tmp_path, tiny_store):
    write_results(tmp_path / "evaluation" / "z.json", zero_shot(tiny_store.corpus_hash))
    said = write_report(tmp_path, data=tiny_store).read_text(encoding="utf-8")
    assert "z.parquet: scores cannot be read" in said
    (tmp_path / "scores").mkdir()
    (tmp_path / "scores" / "z.parquet").write_bytes(b"PAR1 is not here")
    assert "scores cannot be read" in write_report(tmp_path, data=tiny_store).read_text(encoding="utf-8")


def test_a_rejected_recording_is_listed(run, tmp_path, tiny_store, monkeypatch):
    from ecgclip.corpora.shards import Rejected

    monkeypatch.setattr(type(tiny_store), "rejected", (Rejected("r<7>", "x.dat", "lead II is cut short"),))
    said = write_report(run, tmp_path / "r.html", data=tiny_store).read_text(encoding="utf-8")
    assert "r&lt;7&gt;" in said
    assert "lead II is cut short" in said


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


def test_the_command_writes_the_page_again_and_says_what_it_needs(run, page, tmp_path, capsys):
    shutil.copytree(run, tmp_path / "run")
    again = tmp_path / "run" / "evaluation" / "report.html"
    assert main(["benchmark", str(tmp_path / "run"), "--report-only"]) == 0
    assert capsys.readouterr().out == f"report: {again}\n"
    assert "no corpus was given" in again.read_text(encoding="utf-8")
    assert "no corpus was given" not in page.read_text(encoding="utf-8")
    assert main(["benchmark", str(run)]) == 2
    assert "--data PATH is needed" in capsys.readouterr().err


SIZES = {"phone": (390, 844), "desk": (1440, 900)}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dark", [False, True])
def test_a_browser_shows_it_without_a_complaint_or_a_request(browser, page, size, dark):
    browser.open(page, *SIZES[size], dark)
    assert browser.value("document.documentElement.scrollWidth <= window.innerWidth")
    browser.value("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert browser.value("document.documentElement.scrollWidth <= window.innerWidth")
    assert browser.value("[...document.images].every((each) => each.complete && each.naturalWidth > 0)")
    assert browser.value("getComputedStyle(document.body).fontFamily.startsWith('system-ui')")
    asked = [each["request"]["url"] for each in browser.named("Network.requestWillBeSent")]
    assert all(url.startswith(("file:", "data:")) for url in asked)
    assert not browser.named("Log.entryAdded")
    assert not browser.named("Runtime.consoleAPICalled")
    assert not browser.named("Runtime.exceptionThrown")


def test_a_browser_sorts_by_click_and_by_key(browser, page):
    browser.open(page, *SIZES["desk"])
    table = "document.querySelector('#zero-shot-simulated-validation details table')"
    head = f"[...{table}.tHead.querySelectorAll('th')].find((each) => each.textContent.startsWith('AUROC'))"
    column = f"[...{table}.tBodies[0].rows].map((each) => each.cells[0].firstChild.data.trim())"
    assert browser.value(column) == ["NORM", "MI", "STTC"]
    browser.value(f"{head}.querySelector('button').click()")
    assert browser.value(column) == ["NORM", "STTC", "MI"]
    assert browser.value(f"{head}.ariaSort") == "descending"
    browser.value(f"{head}.querySelector('button').focus()")
    for kind in ("keyDown", "keyUp"):
        key = {"type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
        browser.page("Input.dispatchKeyEvent", key)
    assert browser.value(f"{head}.ariaSort") == "ascending"
    assert browser.value(column) == ["MI", "STTC", "NORM"]
    assert browser.value(f"{table}.querySelectorAll('[aria-sort=none]').length") > 5
    glance = "document.querySelector('#glance table')"
    figure = (
        f"[...{glance}.tHead.querySelectorAll('button')].find((each) => each.textContent.startsWith('macro'))"
    )
    for _ in range(2):  # a figure that is not there stands last either way
        browser.value(f"{figure}.click()")
        assert browser.value(f"{glance}.tBodies[0].rows[1].cells[0].textContent") == "ptbxl-form"


def test_a_sheet_enlarges_and_folds_again(browser, page):
    browser.open(page, *SIZES["desk"])
    sheet = "document.querySelector('button.sheet')"
    small = browser.value(f"{sheet}.offsetWidth")
    browser.value(f"{sheet}.click()")
    assert browser.value(f"{sheet}.offsetWidth") > small
    browser.value(f"{sheet}.click()")
    assert browser.value(f"{sheet}.offsetWidth") == small
