"""Half a step of the demo searched in bfloat16 ends as one in float32 does, but for what seeds differ by.

python -m pytest -m nightly -s tests/search/test_bfloat16.py     prints the table
"""

import json
import math
import os
import pathlib
import statistics
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(10_800)]  # six searches

ROOT = pathlib.Path(__file__).resolve().parents[2]
POLICIES, SEEDS = ("float32", "mixed_bfloat16"), (0, 1, 2)
STUDENTS_T = 4.6  # of 4 degrees of freedom, at 1 %


def run(binary, *flags):
    done = subprocess.run(
        [sys.executable, str(ROOT / "bin" / binary), "--console=quiet", *map(str, flags)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{binary}: {done.stderr[-3000:]}"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Policy to the summaries of its searches, one per seed; and every number that was recorded."""
    folder = tmp_path_factory.mktemp("bfloat16")
    run("make_demo_videos.py", f"--output={folder}/videos")
    run(
        "prepare_data.py",
        f"--annotations={folder}/videos/annotations.csv",
        "--short_side=32",
        f"--output={folder}/data",
    )
    summaries, recorded = {policy: [] for policy in POLICIES}, []
    for seed in SEEDS:
        for policy in POLICIES:
            workdir = folder / f"{policy}_{seed}"
            bindings = [f"data_dir = '{folder}/data'", f"seed = {seed}", f"precision.policy = '{policy}'"]
            bindings.append("search.epochs = 10")
            flags = [f"--gin_bindings={binding}" for binding in bindings]
            run("search.py", "--gin_file=gin/demo/sparse.gin", f"--workdir={workdir}", *flags)
            lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
            recorded += [value for line in lines for value in line.values() if isinstance(value, float)]
            summary = json.loads((workdir / "summary.json").read_text())
            summaries[policy].append({**summary, "loss": lines[-1]["loss"], "nats": summary["entropy_nats"]["end"]})
            print("\n", policy, seed, {k: summaries[policy][-1][k] for k in ("loss", "nats", "gmacs", "test_top1")})
    return summaries, recorded


def test_nothing_is_no_number(found):
    assert all(map(math.isfinite, found[1]))


@pytest.mark.parametrize("name", ["loss", "nats", "test_top1"])
def test_bfloat16_ends_within_what_seeds_differ_by(found, name):
    """Student's t-test does not tell them apart."""
    single, half = ([summary[name] for summary in found[0][policy]] for policy in POLICIES)
    noise = statistics.mean([statistics.variance(single), statistics.variance(half)])
    if name == "test_top1":  # at least that of a draw of 160 test videos
        noise = max(noise, statistics.mean(single) * (1 - statistics.mean(single)) / 160)
    difference = abs(statistics.mean(single) - statistics.mean(half))
    print(f"{name}: float32 {single}, bfloat16 {half}")
    assert difference < STUDENTS_T * math.sqrt(noise * 2 / len(SEEDS))


@pytest.mark.parametrize("policy", POLICIES)
def test_the_target_is_kept_to(found, policy):
    assert all(summary["gmacs"] <= summary["target_gmacs"] for summary in found[0][policy])
