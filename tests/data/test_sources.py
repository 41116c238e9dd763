import collections
import os
import pathlib
import sys

import pytest

from tsnet_tf.data.annotations import Annotation, check_files, label_map, read_labels
from tsnet_tf.data.sources import class_folders, csv_file, kinetics
from tsnet_tf.errors import UserError

CASES = pathlib.Path(__file__).parent / "cases"


def _csv(folder, text):
    path = folder / "annotations.csv"
    path.write_text(text)
    return str(path)


def test_annotations_are_sorted_and_other_columns_are_left_alone(tmp_path):
    path = _csv(tmp_path, "split,path,seconds,label\ntest,z.mp4,3,run\nval, a.mp4,2,walk\n")
    assert csv_file.read(path, split_seed=0) == [
        Annotation("a.mp4", "walk", "validation"),
        Annotation("z.mp4", "run", "test"),
    ]


def test_without_a_column_of_splits_a_tenth_of_each_class_is_held_out_twice(tmp_path):
    rows = [f"{label}/{number}.mp4,{label}" for label in ("run", "walk") for number in range(20)]
    found = csv_file.read(_csv(tmp_path, "\n".join(["path,label", *rows])), split_seed=0)
    assert collections.Counter((a.label, a.split) for a in found) == {
        (label, split): 16 if split == "train" else 2
        for label in ("run", "walk")
        for split in ("train", "validation", "test")
    }
    assert found == csv_file.read(_csv(tmp_path, "\n".join(["path,label", *rows[::-1]])), split_seed=0)
    assert found != csv_file.read(_csv(tmp_path, "\n".join(["path,label", *rows])), split_seed=1)


@pytest.mark.parametrize(
    "text, message",
    [
        ("file,label,split\na.mp4,run,train\n", r"expected the columns path, label in .* found file.* \(no path\)"),
        ("", "found an empty file"),
        ("path,label,split\n", "expected one row per video .* found none"),
        ("path,label,split\na.mp4,,train\n", "expected a label in line 2 of"),
        ("path,label,split\na.mp4,run\n", "expected a split in line 2 of"),
        ("path,label,split\na.mp4,run,holdout\n", "expected the split train, validation, test in line 2 .*'holdout'"),
        (
            "path,label,split\na.mp4,run,train\na.mp4,run,test\n",
            "expected each video once, found 'a.mp4' again in line",
        ),
    ],
)
def test_a_faulty_file_is_named_with_the_fault(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        csv_file.read(_csv(tmp_path, text), split_seed=0)


@pytest.mark.parametrize(
    "text, message",
    [
        (
            "path,label\na.mp4,throwing, juggling\n",
            "expected 2 fields in line 2 of '.*', found 3; a field with a comma",
        ),
        ("path,label,split\na.mp4,up, down,train\n", "expected 3 fields in line 2 of '.*', found 4"),
        ("path,label,split\na,b.mp4,run,train\n", "expected 3 fields in line 2 of '.*', found 4"),
        (
            "path,label,\na.mp4,throwing, juggling\n",
            "expected 2 fields in line 2 of '.*', found 3; a field with a comma",
        ),
        ("path,split,label,,\na.mp4,train,up, down,\n", "expected 3 fields in line 2 of '.*', found 5; a field with"),
        ("path,label,split,label\na.mp4,run,train,walk\n", "expected each column once in '.*', found 'label' more"),
        ("path,label, split ,split\na.mp4,run,train,test\n", "expected each column once in '.*', found 'split' more"),
        ('path,label,split\na.mp4,"Holding" a cup,train\n', "expected a CSV file, found in line 2 of '.*': "),
        ('path,label,split\na.mp4,"run,train\nb.mp4,walk,train\n', "expected a CSV file, found in line 3 of '.*': "),
    ],
)
def test_what_would_be_lost_is_told_with_its_line(tmp_path, text, message):
    with pytest.raises(UserError, match=f"^--annotations: {message}"):
        csv_file.read(_csv(tmp_path, text), split_seed=0)


def test_labels_with_commas_are_no_longer_cut():
    with pytest.raises(UserError, match="expected 2 fields in line 2 of '.*comma_nolast.csv', found 3"):
        csv_file.read(str(CASES / "comma_nolast.csv"), split_seed=0)


def test_empty_fields_at_the_end_lose_nothing(tmp_path):
    path = _csv(tmp_path, "path,label,split,,\na.mp4,run,train,,\nb.mp4,walk,test,,,\n")
    assert [a.label for a in csv_file.read(path, split_seed=0)] == ["run", "walk"]


def test_a_column_of_row_numbers_needs_no_name(tmp_path):
    """As pandas writes them."""
    path = _csv(tmp_path, ",path,label,split\n0,a.mp4,run,train\n1,b.mp4,walk,test\n")
    assert [a.label for a in csv_file.read(path, split_seed=0)] == ["run", "walk"]


def test_kinetics_lines_are_looked_at_in_the_same_way(tmp_path):
    path = _csv(tmp_path, "label,youtube_id,time_start,time_end,split\nrun,abc,3,13,train,\n")
    assert len(kinetics.read([path], str(tmp_path))) == 1
    path = _csv(tmp_path, "label,youtube_id,time_start,time_end,split\nrun,abc,3,13,train,fast\n")
    with pytest.raises(UserError, match="--kinetics: expected 5 fields in line 2"):
        kinetics.read([path], str(tmp_path))


def test_one_file_under_two_names_has_one_label_and_split(tmp_path):
    _touch(tmp_path, "videos/v0.mp4", "videos/v1.mp4")
    found = csv_file.read(str(CASES / "dupspell.csv"), split_seed=0)
    message = "found './v0.mp4' as 'a0' in test and the same file, named 'v0.mp4', as 'a0' in train"
    with pytest.raises(UserError, match=message):
        check_files(found, lambda path: str(tmp_path / "videos" / path))


@pytest.mark.parametrize("name", ["./v0.mp4", "sub/../v0.mp4", "link.mp4", "folder/v0.mp4", "hard.mp4"])
def test_a_file_is_known_again_through_links_and_spellings(tmp_path, name):
    _touch(tmp_path, "v0.mp4", "sub/v1.mp4")
    (tmp_path / "link.mp4").symlink_to("v0.mp4")
    (tmp_path / "folder").symlink_to(".")
    os.link(tmp_path / "v0.mp4", tmp_path / "hard.mp4")

    def check(label, split):
        videos = [Annotation("v0.mp4", "run", "train"), Annotation(name, label, split)]
        check_files(videos, lambda path: os.path.join(str(tmp_path), path))

    check("run", "train")  # shown twice as often, which may be meant
    for label, split in (("run", "test"), ("walk", "train")):
        with pytest.raises(UserError, match=f"found 'v0.mp4' as 'run' in train and the same file, named '{name}', as"):
            check(label, split)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="--annotations: expected a CSV file, found nothing at '.*gone.csv'"):
        csv_file.read(str(tmp_path / "gone.csv"), split_seed=0)


def _touch(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"")


def test_folders_may_name_splits(tmp_path):
    _touch(tmp_path, "train/run/b.mp4", "val/walk/a.MP4", "train/run/notes.txt", "train/run/.hidden.mp4")
    assert class_folders.read(str(tmp_path), split_seed=0) == [
        Annotation("train/run/b.mp4", "run", "train"),
        Annotation("val/walk/a.MP4", "walk", "validation"),
    ]


def test_a_class_without_a_video_is_told(tmp_path, capsys):
    _touch(tmp_path, "run/b.mp4", "sit/deeper/a.mp4", "walk/a.txt")
    assert [a.label for a in class_folders.read(str(tmp_path), split_seed=0)] == ["run"]
    assert capsys.readouterr().err.splitlines() == [
        f"warning: 1 video is in no class's folder; left out, such as '{tmp_path}/sit/deeper/a.mp4'",
        f"warning: 2 folders have no video in them; left out, such as '{tmp_path}/sit'",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not allow such names")
def test_a_name_that_is_not_in_utf_8_is_told(tmp_path):
    _touch(tmp_path, "run/b.mp4")
    (tmp_path / "run" / os.fsdecode(b"caf\xe9.mp4")).write_bytes(b"")
    with pytest.raises(UserError, match=r"--class_folders: expected names in UTF-8 in '.*/run', found b'caf\\xe9.mp4'"):
        class_folders.read(str(tmp_path), split_seed=0)
    with pytest.raises(UserError, match="--videos: expected names in UTF-8 in '.*/run'"):
        kinetics._clips(str(tmp_path))


def test_folders_without_splits_are_split_per_class_by_seed(tmp_path):
    _touch(tmp_path, *(f"run/{i}.mp4" for i in range(20)), *(f"walk/{i}.avi" for i in range(3)), "sit/0.mp4")
    found = class_folders.read(str(tmp_path), split_seed=0)
    counts = collections.Counter((a.label, a.split) for a in found)
    assert counts == {
        ("run", "train"): 16,
        ("run", "validation"): 2,
        ("run", "test"): 2,
        ("walk", "train"): 1,
        ("walk", "validation"): 1,
        ("walk", "test"): 1,
        ("sit", "train"): 1,
    }
    assert found == class_folders.read(str(tmp_path), split_seed=0)
    assert found != class_folders.read(str(tmp_path), split_seed=1)


@pytest.mark.parametrize("folder, message", [("gone", "found none at"), (".", "expected videos in .*/<class>/")])
def test_folders_without_videos_are_an_error(tmp_path, folder, message):
    with pytest.raises(UserError, match=message):
        class_folders.read(str(tmp_path / folder), split_seed=0)


def test_label_indices_do_not_depend_on_the_order_of_the_videos():
    annotations = [Annotation("1", "walk", "test"), Annotation("2", "run", "train"), Annotation("3", "walk", "train")]
    assert label_map(annotations) == label_map(annotations[::-1]) == ["run", "walk"]


def test_a_given_label_map_keeps_its_order_and_must_hold_every_label():
    annotations = [Annotation("1", "walk", "test")]
    assert label_map(annotations, ["walk", "run"]) == ["walk", "run"]
    with pytest.raises(UserError, match="expected every label .* in the label map, found 1 that are not: 'walk'"):
        label_map(annotations, ["run"])


@pytest.mark.parametrize("text", ["walk\nrun\n", '["walk", "run"]'])
def test_a_label_map_is_lines_or_a_json_list(tmp_path, text):
    (tmp_path / "labels").write_text(text)
    assert read_labels(str(tmp_path / "labels")) == ["walk", "run"]


@pytest.mark.parametrize(
    "text, message",
    [("", "at least one label"), ("a\nb\na\n", "each label once .* 'a'"), ('{"a": 1}', "JSON list of strings")],
)
def test_a_faulty_label_map_is_an_error(tmp_path, text, message):
    (tmp_path / "labels").write_text(text)
    with pytest.raises(UserError, match=message):
        read_labels(str(tmp_path / "labels"))
