"""The parts of a progressive search get their files and settings, from whatever folder it is started."""

import json
import os
import pathlib
import re
import sys
from dataclasses import replace

import gin
import pytest

from tsnet_tf import console, settings
from tsnet_tf.errors import UserError
from tsnet_tf.search import forecast, parts, progressive
from tsnet_tf.space.cost import complexity, largest, smallest
from tsnet_tf.space.genotype import dumps
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import restrict, values_of
from tsnet_tf.training import run_folder

SUMMARY = {"gmacs": 1.0, "params_m": 1.0, "seconds": 1.0, "test_top1": 0.5, "target_gmacs": 1.0}
SPACE = {"resolution": 64, "dense_frames": 16, "sparse_width": 0.5, "depths": ((1,), (1,), (1, 1), (1, 1))}
SPACE |= {"hidden": 256, "classes": 2}  # of gin/own.gin
SUMMARY |= {"entropy_nats": {"start": 1.0, "end": 0.0}}


@pytest.fixture
def called(tmp_path, monkeypatch):
    """The commands of the parts, which do nothing but leave their results: the cheapest architecture there is."""
    commands = []

    def run(command):
        flags = [a.removeprefix("--").split("=", 1) for a in command[2:]]
        files, bindings = ([value for name, value in flags if name == kind] for kind in ("gin_file", "gin_bindings"))
        flags = dict(flag for flag in flags if not flag[0].startswith("gin_"))
        commands.append((os.path.basename(command[1]), files, bindings, flags))
        folder = pathlib.Path(flags["workdir"])
        folder.mkdir(exist_ok=True)
        if command[1].endswith("evaluate.py"):
            evaluation = {"views": flags["views"], "top1": 0.5, "top5": 1.0, "seconds": 1.0}
            (folder / "evaluation.json").write_text(json.dumps(evaluation))
            return
        if not command[1].endswith("study.py"):
            settings.apply(settings.read(files, bindings))  # as the part does; it notes what it was given
            flags = {name: flags[name] for name in ("previous", "genotype") if name in flags}
            run_folder.start(str(folder), None, flags)
            os.close(run_folder._locked.pop(os.path.realpath(folder)))  # which the end of a process does
        (folder / "summary.json").write_text(json.dumps({"step": folder.name, **SUMMARY}))
        (folder / "genotype.json").write_text(dumps(smallest(table1(**SPACE))))
        (folder / "config.gin").write_text("data_dir = 'x'\nVideoDataset.directory = %data_dir\n")
        (folder / "study.jsonl").write_text('{"origin": "hand", "top1": 0.25}\n')

    monkeypatch.setattr(progressive, "_run", run)
    monkeypatch.chdir(tmp_path)
    gin.clear_config()
    yield commands
    gin.clear_config()
    for file in run_folder._locked.values():
        os.close(file)
    run_folder._locked.clear()


def whole(files, bindings, **more):
    """What ``bin/progressive.py`` does, in the run folder ``run``."""
    given = settings.read(files, bindings)
    parts.check(given, files, bindings)
    settings.apply(given)
    result = progressive.progressive(workdir="run", files=files, bindings=bindings, binaries="bin", **more)
    for file in run_folder._locked.values():
        os.close(file)
    run_folder._locked.clear()
    return result


def mine(tmp_path, bright_and_dark, *more):
    """A gin file of one's own."""
    lines = ["include 'gin/own.gin'", f"data_dir = '{bright_and_dark}'", "progressive.target_gmacs = 0.1", *more]
    (tmp_path / "mine.gin").write_text("\n".join(lines) + "\n")
    return [str(tmp_path / "mine.gin")]


def test_parts_get_every_file_and_the_bindings_that_mean_something_to_them(called, tmp_path, bright_and_dark):
    (tmp_path / "mine.gin").write_text("search.epochs = 2\ntrain.epochs = 3\n")
    bindings, files = ["seed = 1", f"data_dir = '{bright_and_dark}'"], ["gin/demo.gin", str(tmp_path / "mine.gin")]
    whole(files, bindings, views="10-Center")
    assert [(binary, own, os.path.basename(flags["workdir"])) for binary, own, _, flags in called] == [
        ("search.py", ["gin/demo/sparse.gin", *files], "sparse"),
        ("search.py", ["gin/demo/dense_fusion.gin", *files], "dense_fusion"),
        ("search.py", ["gin/demo/attention.gin", *files], "attention"),
        ("train.py", ["gin/demo/train.gin", *files], "train"),
        ("evaluate.py", files, "train"),
        ("study.py", ["gin/demo/compare.gin", *files], "comparison"),
    ]
    for _, own, given, _ in called[:4]:
        assert given == bindings
        found = settings.read(own, given)
        assert found.value("search.epochs") == 2 and found.value("train.epochs") == 3
        assert found.value("batch_size") == 16  # the demo's, which the last file does not name
    # The run that is evaluated has a macro for the data only.
    assert called[4][2] == bindings[1:] and called[4][3]["views"] == "10-center"
    assert run_folder.summary_of("run")["final"]["views"] == "10-center"


@pytest.fixture
def tables(monkeypatch):
    """Rows of the tables that are shown."""
    rows = []
    monkeypatch.setattr(console, "table", lambda title, columns, own: rows.append(own))
    return rows


def test_one_budget_is_divided_over_the_steps(called, tmp_path, bright_and_dark, tables):
    """By the paper's targets 1.4, 2.0 and 2.5: 0.1 x 0.56 and 0.1 x 0.8, which each step can reach."""
    whole(mine(tmp_path, bright_and_dark), [])
    targets = [
        next(float(b.split(" = ")[1]) for b in bindings if b.startswith("search.target_gmacs"))
        for _, _, bindings, _ in called[:3]
    ]
    assert targets == pytest.approx([0.056, 0.08, 0.1])
    assert all("search.target_params_m = None" in bindings for _, _, bindings, _ in called[:3])
    assert [row[3] for row in tables[0]] == ["0.056", "0.08", "0.1"]
    assert re.fullmatch(r"0\.01\d* to 0\.0\d+", tables[0][0][2])


def test_a_step_gets_no_more_than_what_it_can_reach_with_what_was_found(called, tmp_path, bright_and_dark):
    """The cheapest sparse stream leaves a dearest dense one whose cost is below 0.8 of a budget of 0.4 GMACs."""
    whole(mine(tmp_path, bright_and_dark, "progressive.target_gmacs = 0.4"), [])
    space = replace(table1(**SPACE), classes=2)
    dense = [f"dense/*/{kind}" for kind in ("temporal_kernel", "spatial_kernel", "channels", "expansion")]
    dearest = complexity(largest(restrict(space, [*dense, "sparse/*/fusion"], values_of(smallest(space))))).gmacs
    assert dearest < 0.32
    [binding] = [b for b in called[1][2] if b.startswith("search.target_gmacs")]
    assert float(binding.split(" = ")[1]) == pytest.approx(dearest)


@pytest.mark.parametrize("target, found", [(0.001, "0.001"), (5.0, "5")])
def test_a_budget_that_cannot_be_reached_is_told_before_the_first_part(
    called, tmp_path, bright_and_dark, target, found
):
    with pytest.raises(UserError, match=rf"expected a budget of 0\.01\d+ to 0\.5\d* GMACs per view.*; found {found}\b"):
        whole(mine(tmp_path, bright_and_dark, f"progressive.target_gmacs = {target}"), [])
    assert not called


def test_two_budgets_are_refused(called, tmp_path, bright_and_dark):
    with pytest.raises(
        UserError, match="expected one budget, the others None; found progressive.target_gmacs = 0.1 and"
    ):
        whole(mine(tmp_path, bright_and_dark, "progressive.target_params_m = 1.0"), [])


@pytest.mark.parametrize("name, value", [("target_gmacs", "1.0"), ("name", "'mine'")])
def test_what_is_one_steps_is_not_shared_by_all(tmp_path, bright_and_dark, name, value):
    files = mine(tmp_path, bright_and_dark, f"search.{name} = {value}")
    with pytest.raises(UserError, match=rf"mine.gin, line 4: expected .*'search.{name}'"):
        parts.check(settings.read(files), files, [])


def test_dry_run_says_what_would_be_done_and_writes_nothing(called, tmp_path, bright_and_dark, tables, monkeypatch):
    """Eight videos, 40 epochs, batches of 16: 20 steps of 2 x 16 x 3 passes in training, half of 4 x 16 in validation,
    at a second per GMAC: 20 x 128 x 0.056 = 143 s; and 50 steps of 48 passes at 0.1 GMACs: 240 s."""
    monkeypatch.setattr(forecast, "seconds_per_gmac", lambda space: 1.0)
    assert whole(mine(tmp_path, bright_and_dark), [], dry_run=True) is None
    assert not called and not (tmp_path / "run").exists()
    plan, found = tables
    assert [row[3] for row in plan] == ["0.056", "0.08", "0.1"]
    assert [(row[0], row[2], row[3], str(row[6])) for row in (found[0], found[3])] == [
        ("sparse", "run/sparse", 20, "0:02:23"),
        ("train", "run/train", 50, "0:04:00"),
    ]
    assert found[1][1] == f"{bright_and_dark}, run/sparse"


def test_what_has_changed_since_is_told_and_is_done_anew_if_wanted(called, tmp_path, bright_and_dark):
    """A change of the training leaves the searches alone; one of a step is a change of all that comes after it."""
    files = mine(tmp_path, bright_and_dark)
    whole(files, [])
    whole(files, [])
    assert len(called) == 5  # the second time nothing was done
    files = mine(tmp_path, bright_and_dark, "train.epochs = 7")
    with pytest.raises(UserError, match=r"'run/train' was made with, found train.epochs = 7 \(was 100\)") as error:
        whole(files, [])
    assert "check_settings.anew" in str(error.value) and "may_differ" not in str(error.value)
    whole(files, ["check_settings.anew = True"])
    assert [binary for binary, *_ in called[5:]] == ["train.py", "evaluate.py"]
    assert (tmp_path / "run" / "earlier" / "train.1" / "summary.json").exists()
    whole(files, ["check_settings.anew = True"])  # what is made with these settings goes on
    assert len(called) == 7
    whole(mine(tmp_path, bright_and_dark, "train.epochs = 7", "search.epochs = 5"), ["check_settings.anew = True"])
    assert [binary for binary, *_ in called[7:]] == ["search.py"] * 3 + ["train.py", "evaluate.py"]


@pytest.mark.parametrize("code, again", [(2, False), (3, False), (1, True), (4, True)])
def test_the_same_command_is_recommended_where_it_would_help(monkeypatch, code, again):
    with pytest.raises(progressive.PartFailed) as error:
        progressive._run([sys.executable, "-c", f"raise SystemExit({code})"])
    assert ("run the same command again" in str(error.value)) == again and error.value.exit_code == code


@pytest.mark.parametrize(
    "steps, said",
    [
        (("a/sparse.gin", "b/sparse.gin"), "expected gin files of different names"),
        (("a/train.gin",), "none called train.gin"),
        (("a/[1].gin",), r"expected a path without \[ \] \* \? "),
        (
            ("gin/demo/sparse.gin", "gone.gin"),
            "progressive.steps: expected an existing gin file, found nothing at 'gone.g",
        ),
        (
            "gin/demo/sparse.gin",
            r"progressive.steps: expected several gin files such as \('gin/demo/sparse.gin',\), found",
        ),
    ],
)
def test_parts_that_cannot_be_are_refused(tmp_path, monkeypatch, steps, said):
    monkeypatch.chdir(tmp_path)
    for path in ("a/sparse.gin", "b/sparse.gin", "a/train.gin", "a/[1].gin"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    given = settings.read([], [f"progressive.steps = {steps!r}", "progressive.training = 'gin/demo/train.gin'"])
    with pytest.raises(UserError, match=said):
        parts.check(given, [], [])
