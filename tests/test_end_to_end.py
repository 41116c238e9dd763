"""The whole way with the real binaries, on few videos and for few steps: it holds together, good or not."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def files(folder):
    return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def finished(tiny_demo):
    """The folder of the finished demo."""
    return tiny_demo.folder


def test_summary_keeps_the_contract(finished):
    summary = json.loads((finished / "summary.json").read_text())
    assert [step["step"] for step in summary["steps"]] == ["sparse", "dense_fusion", "attention"]
    for step in summary["steps"]:
        assert {"gmacs", "target_gmacs", "params_m", "entropy_nats", "seconds", "test_top1"} <= set(step)
        assert set(step["entropy_nats"]) == {"start", "end"}
        assert 0 <= step["test_top1"] <= 1 and step["seconds"] > 0
        assert step["gmacs"] <= step["target_gmacs"]
        assert step["entropy_nats"]["end"] <= step["entropy_nats"]["start"] + 1e-6  # alpha may have stood still
    final = summary["final"]
    assert set(final) == {"genotype", "gmacs", "params_m", "views", "top1", "top5", "hand_made_top1"}
    assert final["views"] == "10-center" and 0 <= final["top1"] <= final["top5"] <= 1
    assert os.path.isfile(final["genotype"])
    assert summary["seconds_total"] >= sum(step["seconds"] for step in summary["steps"])
    assert f"tensorboard --logdir {finished}" in (finished / "said.txt").read_text().splitlines()[-1]


def test_every_run_folder_is_whole(finished):
    for name in ("sparse", "dense_fusion", "attention", "train"):
        folder = finished / name
        for expected in ("config.gin", "genotype.json", "labels.json", "metrics.jsonl", "summary.json"):
            assert (folder / expected).is_file(), f"{name}/{expected}"
        steps = [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
        assert steps == sorted(set(steps))
        assert any((folder / "events").iterdir()) and any((folder / "checkpoints").iterdir())
    assert not [path for path in finished.rglob("*.tmp")]


def test_each_step_keeps_what_the_one_before_found(finished):
    from tsnet_tf.space import genotype
    from tsnet_tf.space.two_stream import values_of

    found = [
        values_of(genotype.load(str(finished / name / "genotype.json")))
        for name in ("sparse", "dense_fusion", "attention", "train")
    ]
    for before, after, new in zip(found, found[1:], (("fusion",), ("attention",), ()), strict=False):
        kept = {label: value for label, value in before.items() if not label.endswith(new or ("no label",))}
        assert {label: after[label] for label in kept} == kept


def test_random_search_measures_its_draws_and_leaves_a_front(tiny_demo, programs, tmp_path):
    from tsnet_tf.space import genotype
    from tsnet_tf.space.cost import complexity
    from tsnet_tf.space.two_stream import values_of

    _, *bindings = tiny_demo.flags()
    settings = ["search.target_gmacs = 0.0006", "search.alpha_warmup = 1.0", "search.refine = 3"]
    programs.run(
        "search.py",
        "--gin_file=gin/ablation/random.gin",
        "--gin_file=gin/demo/settings.gin",
        f"--workdir={tmp_path}",
        *bindings,
        *(f"--gin_bindings={setting}" for setting in settings),
    )
    summary = json.loads((tmp_path / "summary.json").read_text())
    front = json.loads((tmp_path / "front.json").read_text())
    assert summary["entropy_nats"]["end"] == pytest.approx(summary["entropy_nats"]["start"])  # alpha was at rest
    assert [row["gmacs"] for row in front] == sorted(row["gmacs"] for row in front)
    losses = [row["validation_log_loss"] for row in front]
    assert losses == sorted(losses, reverse=True) and all(0 <= row["validation_top1"] <= 1 for row in front)
    assert sum(row["selected"] for row in front) == 1 and front[-1]["selected"]
    for row in front:
        found = genotype.load(str(tmp_path / row["genotype"]))
        assert complexity(found).gmacs == pytest.approx(row["gmacs"]) and row["gmacs"] <= 0.0006
    assert values_of(found) == values_of(genotype.load(str(tmp_path / "genotype.json")))


def test_running_it_again_does_nothing(tiny_demo, programs):
    before = files(tiny_demo.folder)
    again = programs.run("progressive.py", f"--workdir={tiny_demo.folder}", *tiny_demo.flags())
    assert "already finished" in again.stdout
    assert files(tiny_demo.folder) == before


def test_a_search_that_is_killed_and_run_again_ends_as_the_one_that_was_not(tiny_demo, programs, tmp_path):
    """The second step, killed after its first checkpoint: the same records, architecture and weights, bit for bit."""
    search = ("search.py", *tiny_demo.flags("dense_fusion"), f"--previous={tiny_demo.folder}/sparse")
    workdir = tmp_path / "dense_fusion"
    killed = programs.start(*search, f"--workdir={workdir}")
    while not (workdir / "checkpoints" / "ckpt-1.index").exists():
        assert killed.poll() is None, killed.stderr
        time.sleep(0.05)
    killed.signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert "going on from step" in programs.run(*search, f"--workdir={workdir}").stdout
    undisturbed = tiny_demo.folder / "dense_fusion"
    for name in ("metrics.jsonl", "finetune/metrics.jsonl", "genotype.json"):
        assert (workdir / name).read_text() == (undisturbed / name).read_text(), name
    for name in ("ckpt-4", "final"):
        found, expected = (tensors(folder / "checkpoints" / name) for folder in (workdir, undisturbed))
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            np.testing.assert_array_equal(found[key], value, err_msg=key)


def tensors(path):
    """The checkpoint's values by name, but for how often was saved."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(path))
    names = [n for n in reader.get_variable_to_shape_map() if not n.startswith(("_CHECK", "save_counter"))]
    return {name: reader.get_tensor(name) for name in names}


def test_predictions_of_two_protocols_are_compared(finished, programs, tmp_path):
    shutil.copytree(finished / "train", tmp_path / "train")
    programs.run("evaluate.py", f"--workdir={tmp_path}/train", "--views=1-center")
    both = [f"{tmp_path}/train/predictions/test_{views}.npz" for views in ("1-center", "10-center")]
    result = json.loads(programs.run("compare.py", f"--first={both[0]}", f"--second={both[1]}", "--json").stdout)
    assert result["videos"] == 18 and result["interval"][0] <= result["difference"] <= result["interval"][1]


def test_saved_model_says_how_good_it_is(finished):
    metadata = json.loads((finished / "saved_model" / "assets" / "metadata.json").read_text())
    summary = json.loads((finished / "summary.json").read_text())
    assert metadata["accuracy"]["top1"] == summary["final"]["top1"]
    assert metadata["gmacs"] == summary["final"]["gmacs"]


def test_prediction_on_a_video_file_names_classes(finished, programs):
    rows = list(csv.DictReader((finished / "videos" / "annotations.csv").open()))
    video = next(row["path"] for row in rows if row["split"] == "test")
    said = programs.run("predict.py", f"--saved_model={finished}/saved_model", f"--video={finished}/videos/{video}")
    named = re.findall(r"(\w+)\s+│\s+[01]\.\d+", said.stdout)
    assert len(set(named)) == 5 and set(named) <= {row["label"] for row in rows}


def test_saved_model_answers_without_this_package(finished):
    program = f"""
import sys
sys.modules["tsnet_tf"] = None  # makes every import of it fail
sys.modules["keras"] = None
import numpy as np
import tensorflow as tf
answer = tf.saved_model.load({str(finished / "saved_model")!r}).signatures["serving_default"](
    frames=tf.constant(np.random.default_rng(0).integers(0, 256, [1, 8, 72, 96, 3], np.uint8)))
print(float(tf.reduce_sum(answer["probabilities"])), answer["probabilities"].shape[1])
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=finished, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    total, classes = done.stdout.split()
    assert float(total) == pytest.approx(1, abs=1e-5) and int(classes) == 18
