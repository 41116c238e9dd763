"""The README's way with an own data set, run as it is written: from a folder of clips to a prediction."""

import json
import pathlib
import re
import shlex
import shutil

import numpy as np
import pytest

from tsnet_tf.data.demo_videos import write_video

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

ROOT = pathlib.Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SMALL = ["search.epochs = 0.5", "train.epochs = 1", "joint.samples = 2", "search.refine = 0"]
SMALL += ["table1.depths = ((1,), (1,))", "progressive.views = '1-center'"]


def command(beginning, having=""):
    """The first command of the README that begins so."""
    found = re.findall(r"^(?:\|[^|]*\| `)?(bin/[^`\n]+)", re.sub(r"\\\n\s*", " ", README), re.M)
    return shlex.split(next(one for one in found if one.startswith(beginning) and having in one))


def test_a_folder_of_a_hundred_clips_becomes_an_exported_model_within_the_budget(programs, tmp_path):
    """Five classes of twenty clips, by the README's five commands and its gin file; small and short."""

    def run(arguments, *more):
        return programs.run(str(ROOT / arguments[0]), *arguments[1:], *more, cwd=tmp_path).stdout

    for number in range(100):
        bright, noise = 40 + 40 * (number % 5), np.random.default_rng(number).integers(0, 40, (24, 48, 64, 3))
        folder = tmp_path / "videos" / f"class_{number % 5}"
        folder.mkdir(parents=True, exist_ok=True)
        write_video(str(folder / f"{number}.mp4"), (bright + noise).astype(np.uint8))
    (tmp_path / "film.mp4").write_bytes((folder / f"{number}.mp4").read_bytes())
    (tmp_path / "mine.gin").write_text(re.search(r"^# mine\.gin\n(.*?)```", README, re.S | re.M)[1])

    assert "100 videos of 5 classes" in run(command("bin/prepare_data.py --class_folders"))
    run(command("bin/inspect_data.py data --gin_file=mine.gin"))
    assert (tmp_path / "runs" / "inspection" / "data" / "clips.png").is_file()
    whole = command("bin/progressive.py --gin_file=mine.gin")
    small = [f"--gin_bindings={setting}" for setting in SMALL]
    planned = run(whole, *small, "--dry_run")
    targets = [float(target) for target in re.findall(r"([\d.]+) │ GMACs per view", planned)]
    assert len(targets) == 3 and targets == sorted(targets) and targets[-1] == 0.1
    assert not (tmp_path / "runs" / "mine").exists()
    run(whole, *small)
    summary = json.loads((tmp_path / "runs" / "mine" / "summary.json").read_text())
    budgets = [step["target_gmacs"] for step in summary["steps"]]
    assert max(budgets) <= 0.1 and all(step["gmacs"] <= step["target_gmacs"] for step in summary["steps"])
    assert summary["final"]["gmacs"] <= 0.1
    run(command("bin/export.py --workdir=runs/mine"))
    assert re.search(r"class_\d", run(command("bin/predict.py --saved_model=saved_model --video=film")))

    # What the table of commands has besides; a part of this run stands for a run of its own.
    shutil.copytree(tmp_path / "runs" / "mine" / "train", tmp_path / "runs" / "train")
    run(command("bin/evaluate.py"))
    evaluation = json.loads((tmp_path / "runs" / "train" / "evaluation.json").read_text())
    assert evaluation["views"] == "10-center" and evaluation["videos"] > 0
    [predicted] = (tmp_path / "runs" / "train" / "predictions").glob("*10-center.npz")
    for name in ("a.npz", "b.npz"):
        shutil.copy(predicted, tmp_path / name)
    run(command("bin/compare.py"))
    shutil.copytree(tmp_path / "runs" / "mine", tmp_path / "runs" / "demo")
    run(command("bin/report.py"))
    assert (tmp_path / "runs" / "demo" / "report.html").is_file()
