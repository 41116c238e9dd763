"""The README's way with an own data set, run as it is written: from videos to a model, and what it says of a film."""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tsnet_tf.data.demo_videos import write_video

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

ROOT = pathlib.Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FEW = ["search.epochs = 1", "batch_size = 2", "joint.samples = 1", "search.recalibration_batches = 1"]
# What follows the search is as it is written for pictures of any size.
SMALL = ["VideoDataset.crop = 32", "VideoDataset.train_jitter = (36, 40)", "VideoDataset.test_short_side = 36"]
SMALL += ["train.epochs = 1", "batch_size = 2"]


def command(beginning, having=""):
    """The first command of the README that begins so."""
    found = re.findall(r"^(?:\|[^|]*\| `)?(bin/[^`\n]+)", re.sub(r"\s*\\\n\s*", " ", README), re.M)
    return shlex.split(next(one for one in found if one.startswith(beginning) and having in one))


def run(folder, arguments, *more):
    done = subprocess.run(
        [sys.executable, str(ROOT / arguments[0]), *arguments[1:], *more],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=1400,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_own_videos_become_records_an_architecture_within_the_budget_and_a_model(tmp_path):
    rows = ["path,label,split"]
    for number, split in enumerate(["train", "train", "validation", "validation", "test", "test"]):
        frames = np.random.default_rng(number).integers(0, 256, (16, 192, 256, 3)).astype(np.uint8)
        (tmp_path / "DIR").mkdir(exist_ok=True)
        write_video(str(tmp_path / "DIR" / f"{number}.mp4"), frames)
        rows.append(f"{number}.mp4,{'run' if number % 2 else 'walk'},{split}")
    (tmp_path / "my.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "mine.gin").write_text(re.search(r"^# mine\.gin\n(.*?)```", README, re.S | re.M)[1])
    assert "6 videos of 2 classes" in run(tmp_path, command("bin/prepare_data.py"))
    run(tmp_path, command("bin/inspect_data.py data"))
    assert (tmp_path / "runs" / "inspection" / "data" / "clips.png").is_file()
    search = command("bin/search.py --gin_file=gin/steps/sparse.gin", having="search.target_gmacs")
    assert search[-1] == "--gin_bindings=search.target_gmacs = 0.8"
    said = run(tmp_path, search, *(f"--gin_bindings={setting}" for setting in FEW))
    assert said.startswith("devices: ")
    summary = json.loads((tmp_path / "runs" / "sparse" / "summary.json").read_text())
    assert summary["target_gmacs"] == 0.8 and summary["gmacs"] <= 0.8 * 1.05

    # One step stands for all three, one evaluation for two.
    shutil.copytree(tmp_path / "runs" / "sparse", tmp_path / "runs" / "attention")
    shutil.copy(tmp_path / "DIR" / "0.mp4", tmp_path / "film.mp4")
    run(tmp_path, command("bin/train.py"), *(f"--gin_bindings={setting}" for setting in SMALL))
    run(tmp_path, command("bin/evaluate.py"))
    evaluation = json.loads((tmp_path / "runs" / "train" / "evaluation.json").read_text())
    assert (evaluation["views"], evaluation["videos"]) == ("10-center", 2)
    [predicted] = (tmp_path / "runs" / "train" / "predictions").glob("*center.npz")
    for name in ("a.npz", "b.npz"):
        shutil.copy(predicted, tmp_path / name)
    run(tmp_path, command("bin/compare.py"))
    run(tmp_path, command("bin/export.py"))
    said = run(tmp_path, command("bin/predict.py"))
    assert "film.mp4" in said and "walk" in said
    (tmp_path / "runs" / "demo").mkdir()
    for name in ("sparse", "train"):
        shutil.copytree(tmp_path / "runs" / name, tmp_path / "runs" / "demo" / name)
    run(tmp_path, command("bin/report.py"))
    assert (tmp_path / "runs" / "demo" / "report.html").is_file()
