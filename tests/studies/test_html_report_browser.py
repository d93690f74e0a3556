"""How a browser takes the HTML report: without a complaint or a request, sorted by click and by key."""

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys

import pytest


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
