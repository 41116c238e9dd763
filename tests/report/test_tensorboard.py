"""A real TensorBoard on the folders of the tiny demo: what its HTTP API says, and what a browser shows."""

import base64
import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import gin
import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.data import pipeline
from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.evaluation import run_settings
from tsnet_tf.report.data_pictures import contact_sheet
from tsnet_tf.report.report import report
from tsnet_tf.space import genotype

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

STEPS = 4
SEARCH, TRAINING = "sparse/events", "train/events"


@pytest.fixture(scope="module")
def finished(tiny_demo):
    """The folder of a search and a training of a few steps on a few videos."""
    return tiny_demo.folder


class Board:
    """A running TensorBoard."""

    def __init__(self, url):
        self.url = url

    def get(self, path, **query):
        with urllib.request.urlopen(f"{self.url}/data/{path}?{urllib.parse.urlencode(query)}", timeout=60) as answer:
            content = answer.read()
        return json.loads(content) if answer.headers.get_content_type() == "application/json" else content

    def post(self, path, **content):
        request = urllib.request.Request(
            f"{self.url}/data/{path}", json.dumps(content).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def scalars(self, run, tag):
        """Step to value."""
        return {row[1]: row[2] for row in self.get("plugin/scalars/scalars", run=run, tag=tag)}

    def images(self, run, tag):
        """Step to picture, uint8 [height, width, channels]."""
        rows = self.get("plugin/images/images", run=run, tag=tag, sample=0)
        urls = {row["step"]: f"plugin/images/individualImage?{row['query']}" for row in rows}
        found = {}
        for when, path in urls.items():
            with urllib.request.urlopen(f"{self.url}/data/{path}", timeout=60) as answer:
                found[when] = tf.io.decode_png(answer.read(), channels=3).numpy()
        return found


@pytest.fixture(scope="module")
def board(finished):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", f"--logdir={finished}", f"--port={port}", "--host=127.0.0.1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        found = Board(f"http://127.0.0.1:{port}")
        for _ in range(240):
            with contextlib.suppress(OSError):
                if {SEARCH, TRAINING} <= set(found.get("runs")):
                    break
            time.sleep(0.5)
        yield found
    finally:
        process.terminate()
        process.wait()


def test_scalars_are_those_of_the_records(board, finished):
    tags = board.get("plugin/scalars/tags")
    expected = {"loss", "indicator", "entropy", "expected_gmacs", "target_gmacs", "clips_per_second"}
    expected |= {"entropy/temporal_kernel", "entropy/spatial_kernel", "entropy/channels", "entropy/expansion"}
    expected |= {"learning_rate/weights", "learning_rate/alpha", "evaluation/top1"}
    assert expected <= set(tags[SEARCH])
    assert {"loss", "accuracy", "learning_rate/weights", "evaluation/top1", "evaluation/top5"} <= set(tags[TRAINING])
    rows = [json.loads(line) for line in (finished / "sparse" / "metrics.jsonl").read_text().splitlines()]
    assert len(rows) == STEPS
    for tag in ("loss", "entropy", "expected_gmacs", "learning_rate/alpha"):
        assert board.scalars(SEARCH, tag) == pytest.approx({row["step"]: row[tag] for row in rows}, rel=1e-5)
    assert board.scalars(SEARCH, "learning_rate/alpha")[1] == pytest.approx(0.1)  # gin/demo/settings.gin


def test_one_chart_has_expected_cost_and_target(board):
    layout = board.get("plugin/custom_scalars/layout")
    charts = {chart["title"]: chart["multiline"]["tag"] for chart in layout["category"][0]["chart"]}
    assert charts["expected cost and target"] == ["expected_.*", "target_.*"]


def test_histograms(board):
    tags = board.get("plugin/histograms/tags")[SEARCH]
    kinds = ("temporal_kernel", "spatial_kernel", "channels", "expansion")
    assert {"drawn_gmacs", "probabilities", *(f"alpha/{kind}" for kind in kinds)} <= set(tags)
    [*_, (_, when, bins)] = board.get("plugin/histograms/histograms", run=SEARCH, tag="drawn_gmacs")
    assert when == STEPS and sum(count for _, _, count in bins) == 64


def test_pictures(board):
    tags = board.get("plugin/images/tags")
    assert {"architecture", "heat_map", "costs", "confusion", "clips/sparse"} == set(tags[SEARCH])
    assert {"confusion", "clips/sparse", "clips/dense"} == set(tags[TRAINING])
    for tag in ("architecture", "heat_map", "costs", "confusion"):
        [(when, picture)] = board.images(SEARCH, tag).items()
        assert when == STEPS and min(picture.shape[:2]) > 150 and picture.std() > 5


def test_clips_are_the_first_batch_as_the_model_sees_it(board, finished):
    [(when, sheet)] = board.images(SEARCH, "clips/sparse").items()
    run_settings.restore(str(finished / "sparse"), [], [])
    dataset = VideoDataset()
    gin.clear_config()
    batches = pipeline.train_clips(dataset, ("train",), batch_size=6, frames=2, frame_stride=dataset.span // 2, seed=0)
    clips, labels = next(iter(batches))
    assert when == 0 and clips.shape == (6, 2, 24, 24, 3)
    np.testing.assert_array_equal(sheet, contact_sheet(clips.numpy()))
    description = board.get("plugin/images/tags")[SEARCH]["clips/sparse"]["description"]
    named = description.split(": ")[1].split("</p>")[0].split(", ")
    assert named == [dataset.labels()[label] for label in labels]


def test_settings_are_text(board):
    assert "settings" in board.get("plugin/text/tags")[SEARCH]
    [row] = board.get("plugin/text/text", run=SEARCH, tag="settings")
    assert "<code>" in row["text"] and "search.target_gmacs = 0.0006" in row["text"]
    assert all(line in row["text"] for line in ("joint.samples = 4", "table1.hidden = 16"))


def test_runs_compare_by_hparams(board):
    experiment = board.post("plugin/hparams/experiment", experimentName="")
    names = {info["name"] for info in experiment["hparamInfos"]}
    assert {"search.target_gmacs", "search.seed", "joint.samples", "alpha_optimizer.learning_rate"} <= names
    statuses = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
    found = board.post(
        "plugin/hparams/session_groups",
        experimentName="",
        allowedStatuses=statuses,
        colParams=[],
        startIndex=0,
        sliceSize=10,
    )
    groups = [group["hparams"] for group in found["sessionGroups"]]
    found = {group.get("search.name", "training"): group for group in groups}
    assert set(found) == {"attention", "dense_fusion", "sparse", "training"}
    assert found["sparse"]["search.target_gmacs"] == 0.0006 and found["sparse"]["search.batch_size"] == 6


def test_steps_that_were_asked_for_are_traced(finished):
    [trace] = (finished / SEARCH / "plugins" / "profile").glob("*/*.xplane.pb")
    assert b"train" in trace.read_bytes()


TEXT = """
const text = node => [...(node.shadowRoot ? [node.shadowRoot] : []), ...node.childNodes].map(
  child => child.nodeType == 3 ? child.textContent :
    ['SCRIPT', 'STYLE', 'TEMPLATE'].includes(child.tagName) ? '' : text(child)).join(' ');
return text(document.body);
"""
IMAGES = """
const images = node => [...(node.shadowRoot ? [node.shadowRoot] : []), ...node.children].flatMap(
  child => child.tagName == 'IMG' ? [child] : images(child));
return images(document.body).filter(image => image.naturalWidth > 100).length;
"""


DASHBOARDS = {
    "timeseries": ["accuracy", "alpha", "train/events"],
    "scalars": ["expected_gmacs", "entropy"],
    "custom_scalars": ["expected cost and target", "learning rates"],
    "images": ["architecture", "heat_map", "costs", "confusion"],
    "histograms": ["alpha", "drawn_gmacs"],
    "text": ["search.target_gmacs = 0.0006"],
    "hparams": ["search.target_gmacs", "joint.samples"],
}


def test_dashboards_in_a_browser(board, chromium, tmp_path):
    with chromium(1600) as window:
        for dashboard, shown in DASHBOARDS.items():
            window.open("about:blank")
            window.open(f"{board.url}/#{dashboard}")
            for _ in range(60):
                text = " ".join(window.run(TEXT).split())
                if all(name in text for name in shown) and (dashboard != "images" or window.run(IMAGES) >= 2):
                    break
                time.sleep(0.5)
            window.screenshot(str(tmp_path / f"{dashboard}.png"))
            assert [name for name in shown if name not in text] == [], dashboard
            assert dashboard != "images" or window.run(IMAGES) >= 2
            severe = [entry["message"] for entry in window.complaints() if entry["level"] == "SEVERE"]
            assert severe == [], dashboard


def test_report_of_the_same_runs(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "demo", ignore=shutil.ignore_patterns("videos", "data", "saved_model"))
    report(str(tmp_path / "demo"))
    page = (tmp_path / "demo" / "report.html").read_text()
    drawn = tmp_path / "demo" / "report"
    pictures = {path.stem for path in drawn.glob("*.svg")}
    assert {"architecture_train", "film_strip_sparse", "trade_off", "confusion_train", "samples_train"} <= pictures
    assert "What is missing" not in page and page.count("candidates of sparse") == 0
    front = json.loads((finished / "sparse" / "front.json").read_text())
    assert front and "candidates of sparse" in (drawn / "trade_off.svg").read_text()
    assert genotype.load(str(finished / "train" / "genotype.json")).classes == 18
    for svg in drawn.glob("samples_train*.svg"):
        assert svg.read_text().count("data:image/png;base64") == 12  # as many as are shown
        assert base64.b64decode(svg.read_text().split("base64,")[1].split('"')[0])[:4] == b"\x89PNG"
