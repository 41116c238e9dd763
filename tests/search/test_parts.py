"""The parts of a progressive search get their files and settings, from whatever folder it is started."""

import json
import os
import pathlib

import gin
import pytest

from tsnet_tf import settings
from tsnet_tf.errors import UserError
from tsnet_tf.search import parts, progressive
from tsnet_tf.training import run_folder

SUMMARY = {"gmacs": 1.0, "params_m": 1.0, "seconds": 1.0, "test_top1": 0.5, "target_gmacs": 1.0}
SUMMARY |= {"entropy_nats": {"start": 1.0, "end": 0.0}}


@pytest.fixture
def called(tmp_path, monkeypatch):
    """The commands of the parts, which do nothing but leave their results."""
    commands = []

    def run(command):
        flags = dict(a.removeprefix("--").split("=", 1) for a in command[2:] if not a.startswith("--gin_bindings"))
        bindings = [a.removeprefix("--gin_bindings=") for a in command if a.startswith("--gin_bindings=")]
        commands.append((os.path.basename(command[1]), flags, bindings))
        folder = pathlib.Path(flags["workdir"])
        folder.mkdir(exist_ok=True)
        (folder / "summary.json").write_text(json.dumps({"step": folder.name, **SUMMARY}))
        (folder / "config.gin").write_text("data_dir = 'x'\nVideoDataset.directory = %data_dir\n")
        (folder / "study.jsonl").write_text('{"origin": "hand", "top1": 0.25}\n')
        if command[1].endswith("evaluate.py"):
            (folder / "evaluation.json").write_text(
                json.dumps({"views": flags["views"], "top1": 0.5, "top5": 1.0, "seconds": 1.0})
            )

    monkeypatch.setattr(progressive, "_run", run)
    monkeypatch.chdir(tmp_path)
    gin.clear_config()
    yield commands
    gin.clear_config()


def test_parts_are_found_and_get_what_means_something_to_them(called, tmp_path):
    bindings = ["seed = 1", "data_dir = 'x'", "search.epochs = 2", "learning_rate = 0.1"]
    given = settings.read(["gin/demo.gin"], bindings)
    parts.check(given, bindings)
    settings.apply(given)
    progressive.progressive(workdir=str(tmp_path / "run"), bindings=bindings, binaries="bin", views="10-Center")
    assert [(binary, flags.get("gin_file"), os.path.basename(flags["workdir"])) for binary, flags, _ in called] == [
        ("search.py", "gin/demo/sparse.gin", "sparse"),
        ("search.py", "gin/demo/dense_fusion.gin", "dense_fusion"),
        ("search.py", "gin/demo/attention.gin", "attention"),
        ("train.py", "gin/demo/train.gin", "train"),
        ("evaluate.py", None, "train"),
        ("study.py", "gin/demo/compare.gin", "comparison"),
    ]
    for _, flags, own in called[:4]:
        assert own == bindings and settings.find(flags["gin_file"]) == str(settings.ROOT / flags["gin_file"])
    # The run that is evaluated has a macro for the data only.
    assert called[4][2] == ["data_dir = 'x'", "search.epochs = 2"] and called[4][1]["views"] == "10-center"
    assert run_folder.summary_of(str(tmp_path / "run"))["final"]["views"] == "10-center"


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
        parts.check(given, [])
