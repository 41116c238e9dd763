"""The whole way with the real binaries, on few videos and for few steps: it holds together, good or not."""

import csv
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

ROOT = pathlib.Path(__file__).resolve().parents[1]
SHORT = [
    "search.epochs = 0.5",
    "search.finetune_epochs = 0.5",
    "search.recalibration_batches = 2",
    "search.report_every = 1",
    "train.epochs = 0.5",
    "batch_size = 8",
    "search.validation_batch_size = 8",
    "search.alpha_warmup = 0.0",
    # So few steps find nothing: whatever they end at is repaired to the target.
    "joint.samples = 2",
]


def run(binary, *arguments):
    done = subprocess.run(
        [sys.executable, str(ROOT / "bin" / binary), *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, f"{binary}: {done.stderr[-3000:]}\n{done.stdout[-2000:]}"
    assert "Traceback" not in done.stderr
    return done.stdout


def progressive(run_dir):
    bindings = [*SHORT, f"data_dir = '{run_dir}/data'", "seed = 0"]
    flags = [f"--gin_bindings={b}" for b in bindings]
    return run("progressive.py", "--gin_file=gin/demo.gin", f"--workdir={run_dir}", *flags)


def files(folder):
    return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run folder, and what the search said."""
    run_dir = tmp_path_factory.mktemp("demo")
    run("make_demo_videos.py", f"--output={run_dir}/videos", "--videos_per_class=2,1,1")
    run(
        "prepare_data.py",
        f"--annotations={run_dir}/videos/annotations.csv",
        "--short_side=32",
        f"--output={run_dir}/data",
    )
    said = progressive(run_dir)
    run("export.py", f"--workdir={run_dir}/train", f"--output={run_dir}/saved_model")
    return run_dir, said


def test_summary_keeps_the_contract(finished):
    run_dir, said = finished
    summary = json.loads((run_dir / "summary.json").read_text())
    assert [step["step"] for step in summary["steps"]] == ["sparse", "dense_fusion", "attention"]
    for step in summary["steps"]:
        assert {"gmacs", "target_gmacs", "params_m", "entropy_nats", "seconds", "test_top1"} <= set(step)
        assert set(step["entropy_nats"]) == {"start", "end"}
        assert 0 <= step["test_top1"] <= 1 and step["seconds"] > 0
        assert step["gmacs"] == pytest.approx(step["target_gmacs"], rel=0.1)
        assert step["entropy_nats"]["end"] <= step["entropy_nats"]["start"]
    final = summary["final"]
    assert set(final) == {"genotype", "gmacs", "params_m", "views", "top1", "top5"}
    assert final["views"] == "10-center" and 0 <= final["top1"] <= final["top5"] <= 1
    assert os.path.isfile(final["genotype"])
    assert summary["seconds_total"] >= sum(step["seconds"] for step in summary["steps"])
    assert f"tensorboard --logdir {run_dir}" in said.splitlines()[-1]


def test_every_run_folder_is_whole(finished):
    for name in ("sparse", "dense_fusion", "attention", "train"):
        folder = finished[0] / name
        for expected in ("config.gin", "genotype.json", "labels.json", "metrics.jsonl", "summary.json"):
            assert (folder / expected).is_file(), f"{name}/{expected}"
        steps = [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
        assert steps == sorted(set(steps))
        assert any((folder / "events").iterdir()) and any((folder / "checkpoints").iterdir())
    assert not [path for path in finished[0].rglob("*.tmp")]


def test_each_step_keeps_what_the_one_before_found(finished):
    from tsnet_tf.space import genotype
    from tsnet_tf.space.two_stream import values_of

    found = [
        values_of(genotype.load(str(finished[0] / name / "genotype.json")))
        for name in ("sparse", "dense_fusion", "attention", "train")
    ]
    for before, after, new in zip(found, found[1:], (("fusion",), ("attention",), ()), strict=False):
        kept = {label: value for label, value in before.items() if not label.endswith(new or ("no label",))}
        assert {label: after[label] for label in kept} == kept


def test_random_search_measures_its_draws_and_leaves_a_front(finished, tmp_path):
    from tsnet_tf.space import genotype
    from tsnet_tf.space.cost import complexity
    from tsnet_tf.space.two_stream import values_of

    settings = [
        *SHORT,
        f"data_dir = '{finished[0]}/data'",
        "search.target_gmacs = 0.0014",
        "search.finetune_epochs = 0",
    ]
    settings += ["search.alpha_warmup = 1.0", "search.refine = 3"]
    run(
        "search.py",
        "--gin_file=gin/ablation/random.gin",
        "--gin_file=gin/demo/settings.gin",
        f"--workdir={tmp_path}",
        *(f"--gin_bindings={b}" for b in settings),
    )
    summary = json.loads((tmp_path / "summary.json").read_text())
    front = json.loads((tmp_path / "front.json").read_text())
    assert summary["entropy_nats"]["end"] == pytest.approx(summary["entropy_nats"]["start"])  # alpha was at rest
    assert [row["gmacs"] for row in front] == sorted(row["gmacs"] for row in front)
    assert [row["validation_top1"] for row in front] == sorted(row["validation_top1"] for row in front)
    assert sum(row["selected"] for row in front) == 1 and front[-1]["selected"]
    for row in front:
        found = genotype.load(str(tmp_path / row["genotype"]))
        assert complexity(found).gmacs == pytest.approx(row["gmacs"]) and row["gmacs"] <= 0.0014 * 1.05
    assert values_of(found) == values_of(genotype.load(str(tmp_path / "genotype.json")))


def test_running_it_again_does_nothing(finished):
    run_dir = finished[0]
    before = files(run_dir)
    assert "already finished" in progressive(run_dir)
    assert files(run_dir) == before


def test_predictions_of_two_protocols_are_compared(finished):
    folder = finished[0] / "train"
    run("evaluate.py", f"--workdir={folder}", "--views=1-center")
    both = [f"{folder}/predictions/test_{views}.npz" for views in ("1-center", "10-center")]
    result = json.loads(run("compare.py", f"--first={both[0]}", f"--second={both[1]}", "--json"))
    assert result["videos"] == 16 and result["interval"][0] <= result["difference"] <= result["interval"][1]


def test_saved_model_says_how_good_it_is(finished):
    metadata = json.loads((finished[0] / "saved_model" / "assets" / "metadata.json").read_text())
    summary = json.loads((finished[0] / "summary.json").read_text())
    assert metadata["accuracy"]["top1"] == summary["final"]["top1"]
    assert metadata["gmacs"] == summary["final"]["gmacs"]


def test_prediction_on_a_video_file_names_classes(finished):
    run_dir = finished[0]
    rows = list(csv.DictReader((run_dir / "videos" / "annotations.csv").open()))
    video = next(row["path"] for row in rows if row["split"] == "test")
    said = run("predict.py", f"--saved_model={run_dir}/saved_model", f"--video={run_dir}/videos/{video}")
    named = re.findall(r"(\w+)\s+│\s+[01]\.\d+", said)
    assert len(set(named)) == 5 and set(named) <= {row["label"] for row in rows}


def test_saved_model_answers_without_this_package(finished):
    program = f"""
import sys
sys.modules["tsnet_tf"] = None  # makes every import of it fail
sys.modules["keras"] = None
import numpy as np
import tensorflow as tf
answer = tf.saved_model.load({str(finished[0] / "saved_model")!r}).signatures["serving_default"](
    frames=tf.constant(np.random.default_rng(0).integers(0, 256, [1, 16, 72, 96, 3], np.uint8)))
print(float(tf.reduce_sum(answer["probabilities"])), answer["probabilities"].shape[1])
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=finished[0], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    total, classes = done.stdout.split()
    assert float(total) == pytest.approx(1, abs=1e-5) and int(classes) == 16
