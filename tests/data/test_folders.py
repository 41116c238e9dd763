"""What in a folder is a video, in preparation as in prediction."""

import os
import sys

import pytest

from tsnet_tf.data import folders
from tsnet_tf.data.annotations import Annotation
from tsnet_tf.data.sources import class_folders, kinetics
from tsnet_tf.errors import UserError
from tsnet_tf.export.predict import find_videos

linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not allow such names")


def touch(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"")


def test_hidden_names_and_those_of_systems_are_no_videos(tmp_path):
    touch(tmp_path, "a.mp4", "._a.mp4", ".hidden/b.mp4", "__MACOSX/._a.mp4", "__MACOSX/c.mp4", "@eaDir/a.mp4/d.mp4")
    touch(tmp_path, "lost+found/e.mp4", "sub/f.MP4", "notes.txt")
    assert folders.files_below(str(tmp_path), "--video", folders.is_video) == ["a.mp4", "sub/f.MP4"]
    assert find_videos([str(tmp_path)]) == [str(tmp_path / "a.mp4"), str(tmp_path / "sub" / "f.MP4")]


def test_links_to_folders_are_followed_and_those_that_lead_back_are_not(tmp_path):
    touch(tmp_path, "elsewhere/b.mp4", "videos/a.mp4", "videos/deep/c.mp4", "videos/folder.mp4/d.mp4")
    (tmp_path / "videos" / "linked").symlink_to(tmp_path / "elsewhere")
    for name in ("l1", "l2", "deep/l3"):
        (tmp_path / "videos" / name).symlink_to(tmp_path / "videos")
    found = ["a.mp4", "deep/c.mp4", "folder.mp4/d.mp4", "linked/b.mp4"]
    assert find_videos([str(tmp_path / "videos")]) == [str(tmp_path / "videos" / name) for name in found]


def test_a_link_that_leads_nowhere_is_told_when_it_is_decoded(tmp_path):
    (tmp_path / "a.mp4").symlink_to(tmp_path / "gone.mp4")
    assert find_videos([str(tmp_path)]) == [str(tmp_path / "a.mp4")]


def test_links_back_in_the_folder_of_kinetics_clips_come_to_an_end(tmp_path):
    touch(tmp_path, "run/abc_000003_000013.mp4", "._abc_000003_000013.mp4")
    for name in ("l1", "l2"):
        (tmp_path / name).symlink_to(".")
    assert kinetics._clips(str(tmp_path)) == {"abc_000003_000013": "run/abc_000003_000013.mp4"}


@linux
def test_a_name_that_is_not_in_utf_8_is_told_before_anything_is_predicted(tmp_path):
    name = os.fsdecode(b"caf\xe9.mp4")
    touch(tmp_path, name)
    with pytest.raises(UserError, match=r"--video: expected names in UTF-8 in '.*', found b'caf\\xe9.mp4'"):
        find_videos([str(tmp_path)])
    with pytest.raises(UserError, match=r"--video: expected a name in UTF-8, found b'.*/caf\\xe9.mp4'"):
        find_videos([str(tmp_path / name)])


SPLITS = ("train/run/b.mp4", "val/walk/a.mp4")
FOUND = [Annotation("train/run/b.mp4", "run", "train"), Annotation("val/walk/a.mp4", "walk", "validation")]


def test_what_an_archive_of_macos_has_beside_the_splits_is_no_class(tmp_path, capsys):
    touch(tmp_path, *SPLITS, "__MACOSX/train/run/._b.mp4", ".DS_Store", "train/__MACOSX/x.mp4", "train/run/._b.mp4")
    assert class_folders.read(str(tmp_path), split_seed=0) == FOUND and not capsys.readouterr().err


@pytest.mark.parametrize("stray", ["stray.mp4", "train/stray.mp4", "train/run/deep/stray.mp4"])
def test_a_video_that_is_in_no_class_is_told(tmp_path, capsys, stray):
    touch(tmp_path, *SPLITS, stray)
    assert class_folders.read(str(tmp_path), split_seed=0) == FOUND
    assert capsys.readouterr().err == (
        f"warning: 1 video is in no class's folder; left out, such as '{tmp_path}/{stray}'\n"
    )


def test_folders_without_videos_beside_the_splits_are_told(tmp_path, capsys):
    touch(tmp_path, *SPLITS, "notes/read.txt", "train/sit/list.txt")
    assert class_folders.read(str(tmp_path), split_seed=0) == FOUND
    assert capsys.readouterr().err == (
        f"warning: 2 folders have no video in them; left out, such as '{tmp_path}/notes'\n"
    )


@pytest.mark.parametrize("other", ["holdout/run/c.mp4", "run/c.mp4"])
def test_classes_beside_splits_are_refused(tmp_path, other):
    touch(tmp_path, *SPLITS, other)
    with pytest.raises(UserError, match=f"with the classes in them, or classes only, found '.*b.mp4' and '.*/{other}'"):
        class_folders.read(str(tmp_path), split_seed=0)


def test_a_class_may_be_called_train(tmp_path):
    touch(tmp_path, "train/a.mp4", "bus/b.mp4")
    assert {a.label for a in class_folders.read(str(tmp_path), split_seed=0)} == {"train", "bus"}
