"""Every subject of ``bin/benchmark.py`` has flags of its own, and takes no others."""

import os
import subprocess
import sys

import pytest

from tsnet_tf.benchmark import results

SUBJECTS = ("layers", "model", "search", "data", "latency", "serving", "hlo")

# The flags of every subject, beside what its module takes of them.
TAKEN = """
import importlib, inspect, runpy

found = runpy.run_path("bin/benchmark.py")
for subject, own in found["SUBJECTS"].items():
    report = importlib.import_module(f"tsnet_tf.benchmark.subjects.{subject}").report
    flags = {"parts" if name == "part" else name for name in own}
    flags |= {"workdir"} if subject == "serving" else set()
    assert set(inspect.signature(report).parameters) == flags, subject
    print(subject)
"""


def test_a_subject_takes_its_flags(programs):
    assert tuple(programs.run(TAKEN).stdout.split()) == SUBJECTS


@pytest.mark.parametrize(
    "subject, own, others",
    [
        ("model", {"part", "check", "batch_size", "against", "repeats", "json"}, {"genotype", "output", "space"}),
        ("latency", {"genotype", "space", "output", "batch_size"}, {"part", "repeats", "json", "against"}),
    ],
)
def test_help_shows_what_a_subject_has(subject, own, others):
    command = [sys.executable, "bin/benchmark.py", subject, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "80"})
    assert done.returncode == 0
    shown = done.stdout.split("flags:\n")[1].replace("[no]", "")
    assert {name for name in own | others if f"  --{name}:" in shown} == own


@pytest.mark.parametrize(
    "subject, flag, owners",
    [
        ("latency", "--repeats=3", "layers or model or search or data or serving"),
        ("hlo", "--json", "layers or model or search or data or serving"),
        ("model", "--architectures=3", "search"),
    ],
)
def test_a_flag_of_other_subjects_is_refused(programs, subject, flag, owners):
    said = programs.run("benchmark.py", subject, flag, code=2).stderr
    name = flag.split("=")[0]
    assert said == f"error: {name}: expected with {owners} only, found with {subject}\n"


def test_numbers_are_shown_with_three_digits():
    assert [results._shown(value) for value in (0.12345, 1234.5, 7, "a", None, [1, 2.0])] == [
        "0.123",
        "1234",
        "7",
        "a",
        "",
        "1, 2",
    ]
