"""What every picture is held to; and a headless Chromium, spoken to through chromedriver (JSON over HTTP)."""

import base64
import contextlib
import itertools
import json
import shutil
import socket
import subprocess
import time
import urllib.request

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from tsnet_tf.report import figures

NEEDED = ("chromium", "chromedriver")
MISSING = [name for name in NEEDED if shutil.which(name) is None]
WHY_NOT = f"needs {' and '.join(MISSING)} (Debian packages chromium and chromium-driver; .ci/run installs them)"


@pytest.fixture(autouse=True)
def coarse(request, monkeypatch):
    """Few pixels where nobody looks at them; the slow tests have all."""
    if request.node.get_closest_marker("slow") is None:
        monkeypatch.setattr(figures, "PNG_DOTS_PER_INCH", 30)


@pytest.fixture
def assert_readable():
    """Asserts that no two texts of a matplotlib figure overlap, and that none reaches beyond the figure."""

    def check(figure):
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        found = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
        shown = [text for text in found if text not in beyond_the_axes(figure)]
        boxes = [(text.get_text(), Text.get_window_extent(text, canvas.get_renderer())) for text in shown]
        for text, box in boxes:
            inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
            assert inside, f"'{text}' is cut"
        for (text, box), (other, other_box) in itertools.combinations(boxes, 2):
            assert not box.overlaps(other_box), f"'{text}' overlaps '{other}'"

    return check


def beyond_the_axes(figure):
    """Labels of ticks that matplotlib keeps and does not draw."""
    labels = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
            if not low <= tick.get_loc() <= high:
                labels |= {tick.label1, tick.label2}
    return labels


class Browser:
    """One window."""

    def __init__(self, port, width, dark):
        options = {
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
            "mobileEmulation": {"deviceMetrics": {"width": width, "height": 900, "pixelRatio": 1, "touch": False}},
        }
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        self._url = f"http://127.0.0.1:{port}/session"
        session = self._post("", capabilities={"alwaysMatch": wanted})
        self._url += f"/{session['sessionId']}"
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", features=[scheme])

    def _post(self, path, **content):
        body = json.dumps(content).encode()
        request = urllib.request.Request(self._url + path, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]

    def command(self, name, **parameters):
        """A command of the Chrome DevTools protocol."""
        return self._post("/goog/cdp/execute", cmd=name, params=parameters)

    def open(self, url):
        self._post("/url", url=url)

    def run(self, script):
        """The value of a JavaScript function's body."""
        return self._post("/execute/sync", script=script, args=[])

    def press_tab(self):
        for kind in ("keyDown", "keyUp"):
            self.command("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)

    def complaints(self):
        """What the console says that is worse than information."""
        return [entry for entry in self._post("/se/log", type="browser") if entry["level"] in ("SEVERE", "WARNING")]

    def requests(self):
        """Addresses that the page asked for, itself included; what is inside of it (data:) does not count."""
        events = [json.loads(entry["message"])["message"] for entry in self._post("/se/log", type="performance")]
        urls = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        return [url for url in urls if not url.startswith("data:")]

    def screenshot(self, path):
        """Writes a PNG of the whole page."""
        taken = self.command("Page.captureScreenshot", captureBeyondViewport=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(taken["data"]))

    def close(self):
        urllib.request.urlopen(urllib.request.Request(self._url, method="DELETE"), timeout=60).close()


@contextlib.contextmanager
def window(width=1280, dark=False):
    """A browser window of this width in pixels."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        browser = Browser(port, width, dark)
        try:
            yield browser
        finally:
            browser.close()
    finally:
        driver.terminate()
        driver.wait()


@pytest.fixture
def chromium():
    """``chromium(width, dark)``: a browser window, for a ``with`` statement."""
    if MISSING:
        pytest.skip(WHY_NOT)
    return window
