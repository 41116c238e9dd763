"""The README's way with an own data set, run as it is written: prepared, looked at, searched at the paper's size."""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest

from tsnet_tf.data.demo_videos import write_video

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

ROOT = pathlib.Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FEW = ["search.epochs = 1", "batch_size = 2", "joint.samples = 1", "search.recalibration_batches = 1"]


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


def test_own_videos_become_records_and_an_architecture_within_the_budget(tmp_path):
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
