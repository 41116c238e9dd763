"""What would mislead a training without an error is told by bin/inspect_data.py."""

import dataclasses

import pytest

from tsnet_tf.data import advice, held_out
from tsnet_tf.data.annotations import SPLITS
from tsnet_tf.data.sources import csv_file
from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.errors import UserError

DATA = VideoDataset("data")
FILMS = [(f"run/film{film}_{n}.mp4", "run") for film in range(10) for n in range(3)]


def test_clips_of_one_group_are_held_out_together():
    """Of thirty clips of ten films, a tenth is one film."""
    found = held_out.hold_out(FILMS, 0, held_out.group_by(r"(.*)_\d+"))
    films = {}
    for one in found:
        films.setdefault(one.path.split("_")[0], set()).add(one.split)
    assert sorted(split for (split,) in films.values()) == ["test"] + ["train"] * 8 + ["validation"]


def test_groups_of_a_csv_file(tmp_path):
    rows = [f"{n}.mp4,run,{n // 3}" for n in range(30)]
    (tmp_path / "my.csv").write_text("\n".join(["path,label,group", *rows]))
    found = csv_file.read(str(tmp_path / "my.csv"), split_seed=0)
    assert {split: sum(one.split == split for one in found) for split in SPLITS} == {
        "train": 24, "validation": 3, "test": 3,
    }  # fmt: skip
    assert len({int(one.path[:-4]) // 3 for one in found if one.split == "test"}) == 1


def test_a_group_that_is_most_of_a_class_is_trained_on():
    found = held_out.hold_out([(f"a_{n}.mp4", "run") for n in range(9)] + [("b_0.mp4", "run")], 0, lambda path: path[0])
    assert {one.split for one in found if one.path.startswith("a")} == {"train"}


@pytest.mark.parametrize(
    "pattern, said", [("(", "expected a regular expression, found '\\('"), ("a", "expected parenthe")]
)
def test_patterns_that_are_none(pattern, said):
    with pytest.raises(UserError, match=said):
        held_out.group_by(pattern)


@pytest.mark.parametrize("label", ["turn_left", "Moving something from right to left", "clockwise"])
def test_mirroring_is_advised_against_where_labels_name_directions(label):
    [line] = advice.warnings(DATA, ["jump", label], {"train": [20, 20]})
    assert line.startswith(f"1 label names a direction, such as '{label}'") and "VideoDataset.flip = False" in line
    assert not list(advice.warnings(dataclasses.replace(DATA, flip=False), ["jump", label], {"train": [20, 20]}))


def test_words_within_words_are_no_directions():
    assert not list(advice.warnings(DATA, ["upright", "bright_copyright", "leftover"], {"train": [20] * 3}))


def test_few_videos_are_told_with_figures():
    said = list(
        advice.warnings(DATA, ["a", "b", "c"], {"train": [9, 3, 10], "test": [2, 2, 1], "validation": [10] * 3})
    )
    assert said == [
        "2 of 3 classes have fewer than 10 training videos; 'b' has 3",
        "test has 5 videos: one of them is 20.0 % of an accuracy that is measured on it",
    ]


def test_clips_of_one_film_in_two_splits_are_told_by_their_names():
    names = {
        "train": [(f"run/{film}_{n:06d}_{n + 10:06d}.mp4", "run") for film in ("abc", "xyz", "uvw") for n in (0, 10)],
        "test": [("run/abc_000020_000030.mp4", "run"), ("walk/other_1.mp4", "walk")],
    }
    [line] = advice.of_one_film(names)
    assert line.startswith("1 names say that clips of one film are both in train and in test, such as those of 'abc'")


def test_numbered_videos_of_a_class_are_no_film():
    names = {"train": [(f"run_{n}.mp4", "run") for n in range(8)], "test": [("run_8.mp4", "run")]}
    assert not list(advice.of_one_film(names))


@pytest.mark.parametrize(
    "path, film",
    [
        ("a/film-part2.mp4", "film"),
        ("Match 3 - 0012.avi", "Match"),
        ("0012.mp4", None),
        ("walk.mp4", None),
        ("film_2#fps=12", "film"),
    ],
)
def test_film_of_a_name(path, film):
    assert advice.film_of(path) == film
