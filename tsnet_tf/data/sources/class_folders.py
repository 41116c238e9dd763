"""One folder per class."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import tensorflow as tf

from tsnet_tf import console
from tsnet_tf.console import counted
from tsnet_tf.data.annotations import SPLIT_NAMES, Annotation
from tsnet_tf.data.folders import VIDEO_SUFFIXES, files_below, is_video, list_folder
from tsnet_tf.data.held_out import hold_out
from tsnet_tf.data.labels import spelled
from tsnet_tf.errors import UserError

FLAG = "--class_folders"


def read(
    folder: str,
    *,
    split_seed: int,
    group_of: Callable[[str], str] = lambda path: path,
    known: Sequence[Annotation] = (),
) -> list[Annotation]:
    """Takes the label of a video from the folder it is in.

    Either ``folder/<split>/<class>/<video>``, or ``folder/<class>/<video>``, of which some are held out (`hold_out`).
    Videos elsewhere and folders without a video are left out, and one line says so.

    Returns:
      Annotations sorted by path, relative to ``folder``.

    Raises:
      UserError: the folder is missing, has no video in such a place, or has some in places of either kind.
    """
    if not tf.io.gfile.isdir(folder):
        raise UserError(f"{FLAG}: expected a folder, found none at '{folder}'")
    videos = [path.split("/") for path in files_below(folder, FLAG, is_video)]
    of_splits = [path for path in videos if len(path) == 3 and path[0] in SPLIT_NAMES]
    found = of_splits or [path for path in videos if len(path) == 2]
    if not found:
        raise UserError(
            f"{FLAG}: expected videos in {folder}/<class>/ or {folder}/<split>/<class>/, found none "
            f"(a video ends in {', '.join(VIDEO_SUFFIXES)})"
        )
    strangers = [path for path in videos if len(path) > 1 and path[0] not in SPLIT_NAMES]
    if of_splits and strangers:
        raise UserError(
            f"{FLAG}: expected the folders {', '.join(SPLIT_NAMES)} with the classes in them, or classes only, found "
            f"'{folder}/{'/'.join(of_splits[0])}' and '{folder}/{'/'.join(strangers[0])}'"
        )
    taken = {tuple(path) for path in found}
    _tell(
        ("video", "are"),
        "in no class's folder",
        ["/".join(path) for path in videos if tuple(path) not in taken],
        folder,
    )
    _tell(
        ("folder", "have"), "no video in them", _without(folder, {path[:-1] for path in taken}, bool(of_splits)), folder
    )
    labels = {name: spelled(name, FLAG, f"'{folder}'") for name in {path[-2] for path in found}}
    if of_splits:
        return sorted(Annotation("/".join(path), labels[path[1]], SPLIT_NAMES[path[0]]) for path in found)
    return hold_out((("/".join(path), labels[path[0]]) for path in found), split_seed, group_of, known)


def _without(folder: str, classes: set[tuple[str, ...]], have_splits: bool) -> list[str]:
    """Folders that could be a class's and are not among ``classes``."""
    places = [(name,) for name in _subfolders(folder)]
    if have_splits:
        inside = [(*place, name) for place in places for name in _subfolders(os.path.join(folder, *place))]
        places = [place for place in places if place[0] not in SPLIT_NAMES] + inside
    return ["/".join(place) for place in places if place not in classes]


def _subfolders(folder: str) -> list[str]:
    return [name for name in list_folder(folder, FLAG) if tf.io.gfile.isdir(os.path.join(folder, name))]


def _tell(what: tuple[str, str], how: str, left_out: list[str], folder: str) -> None:
    if left_out:
        console.warn(f"{counted(len(left_out), *what)} {how}; left out, such as '{folder}/{left_out[0]}'")
