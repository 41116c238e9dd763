"""Report draws what is there, and says what is not."""

import base64
import json
import os
import re

import numpy as np
import pytest

from tsnet_tf import console
from tsnet_tf.errors import UserError
from tsnet_tf.evaluation import samples
from tsnet_tf.evaluation.samples import Samples
from tsnet_tf.report import drawing, figures
from tsnet_tf.report.curves import read_metrics
from tsnet_tf.report.figures import DARK, LIGHT
from tsnet_tf.report.report import report
from tsnet_tf.report.run import runs_of
from tsnet_tf.space import genotype
from tsnet_tf.space.cost import smallest
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import choices, restrict, values_of

SMALL = table1(resolution=64, sparse_width=0.25, depths=((1,),) * 4, hidden=8, classes=4)
SECTIONS = ["Summary", "Architecture", "Search", "Training", "Accuracy and cost", "Confusion matrix", "Test clips"]
SECTIONS += ["Configuration", "Versions and commands"]
REACHABLE = "a, summary, details[open] [tabindex], section > div[tabindex], figure [tabindex], section > pre"


def not_drawn(path, kinds, content="a picture"):
    """The files of a picture, without one in them."""
    written = [f"{path}{suffix}.{kind}" for suffix in ("", "_dark") for kind in kinds]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    for name in written:
        with open(name, "w", encoding="utf-8") as file:
            file.write(f"<svg>{content}</svg>")
    return written


@pytest.fixture(autouse=True)
def without_drawing(request, monkeypatch):
    """Pictures have tests of their own, and are drawn here by the slow tests only."""
    if request.node.get_closest_marker("slow") is None:
        monkeypatch.setattr(figures, "save_themes", lambda make, path, kinds: not_drawn(path, kinds))
        monkeypatch.setattr(drawing, "draw", lambda found, path, kinds: not_drawn(path, kinds, found.name))


def write_run(folder, started=0, with_genotype=True):
    folder.mkdir()
    (folder / "config.gin").write_text("seed = 0\n")
    os.utime(folder / "config.gin", (1e9 + started, 1e9 + started))
    if with_genotype:
        space = table1(name=folder.name, resolution=64, sparse_width=0.25, depths=((1,),) * 4, hidden=8, classes=4)
        (folder / "genotype.json").write_text(genotype.dumps(smallest(space)))
    rows = [{"step": s, "loss": 2.0 - s, "accuracy": 0.5 * s} for s in (0, 1)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def names(written):
    return {os.path.basename(path).removesuffix(".svg") for path in written if path.endswith(".svg")}


def both_themes(*files):
    return {file + suffix for file in files for suffix in ("", "_dark")}


def finish(folder, **summary):
    costs = {"gmacs": 0.0123456789, "params_m": 0.4, "seconds": 77.125}
    (folder / "summary.json").write_text(json.dumps({**costs, **summary}))


def write_search(folder, started=0):
    """A finished search step that recorded everything, with numbers that no rounding leaves alone."""
    write_run(folder, started)
    space = restrict(SMALL, ("sparse/s1/g1/expansion", "sparse/s2/g1/spatial_kernel"), values_of(smallest(SMALL)))
    (folder / "config.gin").write_text("search.name = 'sparse'\nsearch.views = '1-center'\n")
    (folder / "space.json").write_text(genotype.dumps(space))
    widest = max(len(choice.values) for choice in choices(space))
    rows = [{"step": s, "entropy": 2.0 - s, "probabilities": [[1 / widest] * widest] * 2} for s in (0, 1)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    entropies = {"start": 2.6390573296, "end": 1.0123456789}
    finish(folder, step="sparse", target_gmacs=0.0131, entropy_nats=entropies, test_top1=0.1512345)


def write_whole(folder):
    """A finished progressive search of one step, with its training and evaluation."""
    write_search(folder / "sparse")
    write_run(folder / "train", started=1)
    finish(folder / "train", step="train", steps=384)
    clips = np.random.default_rng(0).integers(0, 256, (4, 8, 24, 24, 3), np.uint8)
    said = Samples(["1", "2", "3", "4"], ["run <b>"] * 3 + ["walk"], ["run <b>"] * 2 + ["walk"] * 2, np.ones(4), clips)
    samples.write(said, str(folder / "train" / "predictions" / "test_10-center"))
    (folder / "sparse" / "front.json").write_text(
        json.dumps([{"gmacs": 0.01, "validation_top1": 0.2}, {"gmacs": 0.0123, "validation_top1": 0.25}])
    )
    evaluation = {
        "split": "test",
        "views": "10-center",
        "videos": 4,
        "gmacs_per_video": 0.123456789,
        "top1": 0.7512345,
        "top5": 1.0,
    }
    evaluation |= {"confusion": [[2, 1], [0, 1]], "labels": ["run <b>", "walk"]}
    (folder / "train" / "evaluation.json").write_text(json.dumps(evaluation))
    final = {"gmacs": 0.0123456789, "params_m": 0.4, "views": "10-center", "top1": 0.7512345, "top5": 1.0}
    (folder / "summary.json").write_text(json.dumps({"steps": [], "final": final, "seconds_total": 793.1304345}))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A finished progressive search with its report and all pictures; for slow tests."""
    folder = tmp_path_factory.mktemp("whole")
    write_whole(folder)
    report(str(folder))
    return folder


def numbers(page):
    return {float(value) for value in re.findall(r'<data value="([^"]+)"', page)}


def test_progressive_search_in_the_order_of_its_steps(tmp_path):
    for started, name in enumerate(("sparse", "attention", "a_last_training")):
        write_run(tmp_path / name, started)
    (tmp_path / "data").mkdir()
    written = report(str(tmp_path))
    steps = [f"architecture_{name}" for name in ("sparse", "attention", "a_last_training")]
    assert names(written) == both_themes(*steps, "architecture", "training_curves")
    # The last run's architecture is the final one.
    final = (tmp_path / "report" / "architecture.svg").read_text()
    assert final == (tmp_path / "report" / "architecture_a_last_training.svg").read_text()
    assert all(os.path.exists(path) for path in written)
    assert written[-1] == str(tmp_path / "report.html")


def test_a_copy_whose_times_say_nothing_is_in_order(tmp_path):
    after = {"attention": "dense_fusion", "dense_fusion": "sparse", "sparse": None, "again": "again"}
    write_run(tmp_path / "train", started=0)
    for started, (name, before) in enumerate(after.items(), start=1):
        write_run(tmp_path / name)
        (tmp_path / name / "config.gin").write_text(f"search.after = {before!r}\nsearch.name = {name!r}\n")
        os.utime(tmp_path / name / "config.gin", (1e9 + started, 1e9 + started))
    found = [run.name for run in runs_of(str(tmp_path), "whole")]
    assert found == ["sparse", "dense_fusion", "attention", "again", "train"]


def test_everything_of_a_finished_search_is_in_the_page(tmp_path):
    write_whole(tmp_path)
    pictures = ("architecture", "architecture_sparse", "architecture_train", "film_strip_sparse", "heat_map_sparse")
    pictures += ("curves", "training_curves", "trade_off", "confusion_train", "samples_train")
    assert names(report(str(tmp_path))) == both_themes(*pictures)
    page = (tmp_path / "report.html").read_text()
    assert "What is missing" not in page
    # Every number is the one that the run wrote, with all its digits.
    assert {0.0123456789, 0.4, 77.125, 0.0131, 2.6390573296, 1.0123456789, 0.1512345} <= numbers(page)
    assert {384, 0.123456789, 0.7512345, 1.0, 793.1304345} <= numbers(page)
    assert ">75.1</data>" in page and "<b>" not in page
    assert "4 test clips of train, 3 of them classified rightly" in page


def test_what_the_page_shows_is_drawn_once_and_nothing_else(tmp_path, monkeypatch):
    made, said = [], []
    monkeypatch.setattr(console, "say", said.append)
    write_whole(tmp_path)
    draw = figures.save_themes
    monkeypatch.setattr(figures, "save_themes", lambda make, path, kinds: made.append(path) or draw(make, path, kinds))
    written = report(str(tmp_path))
    assert {path.rsplit(".")[-1] for path in written} == {"svg", "html"}
    pictures = (tmp_path / "report.html").read_text().count("<figure")
    # Light and dark of each, and a copy of the last architecture.
    assert pictures == 9 and len(written) == 2 * pictures + 2 + 1
    assert len(made) + 2 == pictures  # two architectures are drawn in another way here
    assert said[-3].startswith("report: 9/9, done")


def test_png_files_are_drawn_where_they_are_wanted(tmp_path):
    write_whole(tmp_path)
    written = report(str(tmp_path), kinds=figures.EVERY_KIND)
    assert sum(path.endswith(".png") for path in written) == sum(path.endswith(".svg") for path in written) == 20
    assert all(os.path.exists(path) for path in written)


def test_page_asks_for_nothing(tmp_path):
    write_whole(tmp_path)
    report(str(tmp_path))
    page = (tmp_path / "report.html").read_text()
    addresses = re.findall(r'(?:src|srcset|href)="([^"]{,30})', page)
    assert addresses and all(address.startswith(("data:image/svg+xml;base64,", "#")) for address in addresses)
    assert "<script" not in page and "url(" not in page
    assert all(' alt="' in image for image in re.findall(r"<img [^>]+>", page))


def test_single_run(tmp_path):
    write_run(tmp_path / "run")
    assert names(report(str(tmp_path / "run"))) == both_themes("architecture", "architecture_run", "training_curves")


def test_half_finished_search_has_a_page_that_says_so(tmp_path, capsys):
    write_search(tmp_path / "sparse")
    for file in ("genotype.json", "summary.json"):
        (tmp_path / "sparse" / file).unlink()
    assert names(report(str(tmp_path))) == both_themes("film_strip_sparse", "heat_map_sparse", "curves")
    page = (tmp_path / "report.html").read_text()
    said = capsys.readouterr().err
    for file in ("genotype.json", "summary.json"):
        line = f"sparse: no {file}: it is still running or ended early, after step 1"
        assert line in page and line in said
    assert "unfinished, after step 1" in page


def test_run_that_failed_before_its_first_report(tmp_path):
    (tmp_path / "config.gin").write_text("search.name = 'sparse'\n")
    assert names(report(str(tmp_path))) == set()
    assert "unfinished, before its first report" in (tmp_path / "report.html").read_text()


def test_unfinished_progressive_search_says_so(tmp_path, capsys):
    write_whole(tmp_path)
    (tmp_path / "summary.json").unlink()
    report(str(tmp_path))
    assert "no summary.json" not in (tmp_path / "report.html").read_text()  # runs that somebody put in one folder
    (tmp_path / "settings.json").write_text("{}")
    report(str(tmp_path))
    line = f"{tmp_path.name}: no summary.json: not every part of it has been done"
    assert line in (tmp_path / "report.html").read_text() and line in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", '{"steps": [', '{"steps": []}'])
def test_broken_summary_is_said_not_fatal(tmp_path, content):
    write_whole(tmp_path)
    (tmp_path / "summary.json").write_text(content)
    report(str(tmp_path))
    page = (tmp_path / "report.html").read_text()
    assert f"{tmp_path.name}: summary.json cannot be read: " in page and "The final model" not in page


def test_target_of_milliseconds(tmp_path):
    write_search(tmp_path / "sparse")
    entropies = {"start": 2.6, "end": 1.0}
    measured = {"latency_ms": 21.5, "target_latency_ms": 20.0, "measured_latency_ms": 19.25}
    finish(tmp_path / "sparse", step="sparse", entropy_nats=entropies, test_top1=0.15, **measured)
    report(str(tmp_path))
    cell = '<data value="20.0">20</data> ms, found <data value="19.25">19.25</data>'
    assert cell in (tmp_path / "report.html").read_text()


def test_broken_file_is_said_not_fatal(tmp_path):
    write_run(tmp_path / "run")
    (tmp_path / "run" / "genotype.json").write_text("{")
    report(str(tmp_path / "run"))
    assert "run: genotype.json cannot be read: run/genotype.json: expected JSON" in (
        tmp_path / "run" / "report.html"
    ).read_text().replace("&#x27;", "'")


def test_evaluation_without_clips_says_how_to_get_them(tmp_path):
    write_whole(tmp_path)
    (tmp_path / "train" / "predictions" / "test_10-center_samples.npz").unlink()
    assert "samples_train" not in names(report(str(tmp_path)))
    page = (tmp_path / "report.html").read_text()
    assert "train: no predictions/test_10-center_samples.npz: there are no test clips to show (bin/evaluate.py" in page


def test_several_folders_are_compared(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_whole(tmp_path / name)
    assert "confusion_two_train" in names(report(str(tmp_path / "one"), [str(tmp_path / "two")]))
    page = (tmp_path / "one" / "report.html").read_text()
    assert "Report of one, two" in page
    assert all(f">{name}</th>" in page for name in ("one/sparse", "one/train", "two/sparse", "two/train"))
    assert "The final models" in page
    assert all(f">{tmp_path / name}</th>" in page for name in ("one", "two"))


def test_folders_of_the_same_name_are_told_apart(tmp_path):
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        write_run(tmp_path / place / "train")
    one, two = (str(tmp_path / place / "train") for place in ("one", "two"))
    drawn = names(report(one, [two]))
    assert {f"architecture_{path.strip('/').replace('/', '_')}" for path in (one, two)} <= drawn
    page = (tmp_path / "one" / "train" / "report.html").read_text()
    assert f">{one}</th>" in page and f">{two}</th>" in page


def test_commands_go_on_from_the_step_of_the_same_search(tmp_path):
    for place in ("the first", "second"):
        (tmp_path / place).mkdir()
        write_search(tmp_path / place / "sparse")
        write_search(tmp_path / place / "attention", started=1)
        (tmp_path / place / "attention" / "config.gin").write_text("search.after = 'sparse'\nsearch.name = 'a'\n")
    report(str(tmp_path / "the first"), [str(tmp_path / "second")])
    page = (tmp_path / "the first" / "report.html").read_text().replace("&#x27;", "'")
    assert f"'--workdir=again/the first/attention' '--previous={tmp_path}/the first/sparse'" in page
    assert f"--workdir=again/second/attention --previous={tmp_path}/second/sparse" in page


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390], ids=["desk", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_in_a_browser(drawn, tmp_path, chromium, width, dark):
    address = f"file://{drawn}/report.html"
    with chromium(width, dark) as window:
        window.open(address)
        assert window.requests() == [address]
        assert window.complaints() == []
        # Only what scrolls by itself is wider than the window.
        assert window.run("return [innerWidth, document.documentElement.scrollWidth]") == [width, width]
        pictures = "return [...document.images].map(i => [i.naturalWidth > 0, i.alt.length > 0, i.currentSrc])"
        shown = window.run(pictures)
        assert len(shown) == 9 and all(drawn and alt for drawn, alt, _ in shown)
        drawing = base64.b64decode(shown[0][2].split(",")[1]).decode()
        assert f"fill: {(DARK if dark else LIGHT).paper}" in drawing
        assert window.run("return [...document.querySelectorAll('h2')].map(h => h.innerText)") == SECTIONS
        values = window.run("return [...document.querySelectorAll('data')].map(d => Number(d.value))")
        assert 0.7512345 in values and 793.1304345 in values
        colours = window.run("const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]")
        assert colours == (
            ["rgb(232, 234, 237)", "rgb(22, 25, 29)"] if dark else ["rgb(43, 47, 54)", "rgb(255, 255, 255)"]
        )
        reached = []
        for _ in range(window.run(f"return document.querySelectorAll('{REACHABLE}').length")):
            window.press_tab()
            reached.append(window.run("return document.activeElement.outerHTML.slice(0, 60)"))
        assert reached[0].startswith('<a class="skip"') and not any(text.startswith("<body") for text in reached)
        assert any(text.startswith("<summary") for text in reached) and any(text.startswith("<div") for text in reached)
        window.screenshot(str(tmp_path / "page.png"))
        assert (tmp_path / "page.png").stat().st_size > 50_000


def test_metrics_of_a_resumed_and_killed_run(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "loss": 3}\n{"step": 2, "loss": 9}\n{"step": 2, "loss": 2}\n{"step": 3, "lo')
    assert read_metrics(str(path)) == [{"step": 1, "loss": 3}, {"step": 2, "loss": 2}]


@pytest.mark.parametrize("exists", [True, False])
def test_folder_without_a_run_is_a_users_mistake(tmp_path, exists):
    folder = tmp_path if exists else tmp_path / "nothing"
    with pytest.raises(UserError, match="expected a run folder"):
        report(str(folder))
