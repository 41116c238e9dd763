"""The short form of `make chaos`: every phase of a small demo is stopped once, and the end is the same.

One phase of it is in `test_end_to_end.py`.
"""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """Holds the undisturbed run that both are compared with."""
    return tmp_path_factory.mktemp("chaos")


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("stop", ["SIGKILL", "SIGTERM"])
def test_a_demo_that_is_stopped_in_every_phase_ends_as_one_that_is_not(workdir, stop):
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "tests" / "chaos.py"),
            f"--workdir={workdir}",
            "--short",
            "--times=1",
            f"--stop={stop}",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-2000:]}"
    assert done.stdout.splitlines()[-1] == f"7 times {stop}, and nothing differs"
