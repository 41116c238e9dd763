import os
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _run(name, *arguments):
    return subprocess.run(
        [sys.executable, os.path.join(ROOT, "bin", name), *arguments],
        env={**os.environ, "PYTHONPATH": ROOT},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    "name, arguments, message",
    [
        ("make_demo_videos.py", [], "error: expected --output=DIR, found none"),
        (
            "make_demo_videos.py",
            ["--output=x", "--videos_per_class=1,2"],
            "error: --videos_per_class: expected three numbers such as 24,8,10, found '1,2'",
        ),
        ("prepare_data.py", ["--annotations=a.csv"], "error: expected --output=DIR, found none"),
        (
            "prepare_data.py",
            ["--output=x"],
            "error: expected either --annotations=CSV or --class_folders=DIR, found neither",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(name, arguments, message):
    result = _run(name, *arguments)
    assert result.returncode == 2
    assert result.stderr.splitlines() == [message]


def test_videos_in_folders_become_records_quietly(tmp_path, write_video):
    for number in range(3):
        write_video(tmp_path / "videos" / "run" / f"{number}.mp4")
    (tmp_path / "videos" / "run" / "bad.mp4").write_bytes(b"bad")
    result = _run(
        "prepare_data.py", f"--class_folders={tmp_path}/videos", f"--output={tmp_path}/data", "--short_side=24"
    )
    assert result.returncode == 0
    warning = [f"warning: 1 of 4 videos left out, see {tmp_path}/data/rejects.csv"]
    assert result.stderr.splitlines() == warning
    assert result.stdout.splitlines()[-1] == f"prepare: 3 videos of 1 classes in {tmp_path}/data"
    assert all(line.startswith("prepare: ") for line in result.stdout.splitlines())
    assert os.path.exists(tmp_path / "data" / "manifest.json")
