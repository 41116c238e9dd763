"""Preparation by its binaries, and what they refuse."""

import json
import os

import pytest


@pytest.mark.parametrize(
    "name, arguments, message",
    [
        ("make_demo_videos.py", [], "error: expected --output=DIR, found none"),
        (
            "make_demo_videos.py",
            ["--output=x", "--videos_per_class=1,2"],
            "error: --videos_per_class: expected three numbers such as 64,20,28, found '1,2'",
        ),
        (
            "make_demo_videos.py",
            ["--output=x", "--difficulty=6"],
            "error: --difficulty: expected a level from 1 to 5, found 6",
        ),
        ("prepare_data.py", ["--annotations=a.csv"], "error: expected --output=DIR, found none"),
        (
            "prepare_data.py",
            ["--output=x"],
            "error: expected one of --annotations, --class_folders, --kinetics, --something_something; found none",
        ),
        (
            "prepare_data.py",
            ["--output=x", "--annotations=a.csv", "--kinetics=b.csv"],
            "error: expected one of --annotations, --class_folders, --kinetics, --something_something; "
            "found --annotations and --kinetics",
        ),
        (
            "prepare_data.py",
            ["--output=x", "--annotations=a.csv", "--labels=l.txt", "--random_classes=2"],
            "error: expected one of --labels, --classes, --random_classes; found --labels and --random_classes",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(programs, name, arguments, message):
    result = programs.run(name, *arguments, code=2)
    assert result.stderr.splitlines() == [message]


def test_videos_in_folders_become_records_quietly(programs, tmp_path, write_video):
    for number in range(3):
        write_video(tmp_path / "videos" / "run" / f"{number}.mp4")
    (tmp_path / "videos" / "run" / "bad.mp4").write_bytes(b"bad")
    result = programs.run(
        "prepare_data.py", f"--class_folders={tmp_path}/videos", f"--output={tmp_path}/data", "--short_side=24"
    )
    warning = [f"warning: 1 of 4 videos left out, see {tmp_path}/data/rejects.csv"]
    assert result.stderr.splitlines() == warning
    assert result.stdout.splitlines()[-1] == f"prepare: 3 videos of 1 class in {tmp_path}/data"
    assert all(line.startswith("prepare: ") for line in result.stdout.splitlines())
    assert os.path.exists(tmp_path / "data" / "manifest.json")


def test_kinetics_files_become_records_of_chosen_classes(programs, tmp_path, write_video):
    rows = [(f"abcdefghij{number}", "run" if number % 2 else "walk") for number in range(4)]
    for name, label in rows:
        write_video(tmp_path / "clips" / label / f"{name}_000003_000013.mp4")
    for split, part in (("train", rows[:2]), ("validate", rows[2:])):
        lines = [f"{label},{name},3,13,{split}" for name, label in part]
        (tmp_path / f"{split}.csv").write_text("label,youtube_id,time_start,time_end,split\n" + "\n".join(lines))
    (tmp_path / "classes.txt").write_text("walk\n")
    done = programs.run(
        "prepare_data.py",
        f"--kinetics={tmp_path}/train.csv",
        f"--kinetics={tmp_path}/validate.csv",
        f"--videos={tmp_path}/clips",
        f"--classes={tmp_path}/classes.txt",
        f"--output={tmp_path}/data",
        "--short_side=24",
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == f"prepare: 2 videos of 1 class in {tmp_path}/data"
    assert json.loads((tmp_path / "data" / "labels.json").read_text()) == ["walk"]
