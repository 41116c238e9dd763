"""What is installed for a GPU, and that the image is made of files that are there. Nothing is installed here."""

import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[1]


def planned(*settings):
    """What `make lint` would do in a folder that nothing is set up in."""
    command = ["make", "--dry-run", "--always-make", "lint", *settings]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout


def test_gpu_libraries_are_installed_if_asked_for():
    assert '-e ".[dev,gpu]"' in planned("GPU=1") and "touch .venv/.ready_gpu" in planned("GPU=1")
    for without in (planned(), planned("GPU=0")):
        assert '-e ".[dev]"' in without and "gpu" not in without
    assert '"gpu": ["tensorflow[and-cuda]' in (ROOT / "setup.py").read_text()


def test_image_is_made_of_what_is_there():
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = [name for line in lines if line.startswith("COPY") for name in line.split()[1:-1]]
    assert copied and all((ROOT / name).exists() for name in copied)
    assert [line for line in lines if line.startswith("FROM nvidia/cuda:")]
    assert any(re.search(r"-c constraints\.txt -e \"\.\[gpu\]\"", line) for line in lines)
