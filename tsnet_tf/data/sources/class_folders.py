"""One folder per class."""

from __future__ import annotations

import os

import tensorflow as tf

from tsnet_tf import console
from tsnet_tf.data.annotations import SPLIT_NAMES, VIDEO_SUFFIXES, Annotation, hold_out, list_folder
from tsnet_tf.errors import UserError

FLAG = "--class_folders"


def read(folder: str, *, split_seed: int) -> list[Annotation]:
    """Takes the label of a video from the folder it is in.

    Either ``folder/<split>/<class>/<video>``, or ``folder/<class>/<video>``, of which some are held out (`hold_out`).

    Returns:
      Annotations sorted by path, relative to ``folder``.

    Raises:
      UserError: the folder is missing or has no video in such a place.
    """
    if not tf.io.gfile.isdir(folder):
        raise UserError(f"{FLAG}: expected a folder, found none at '{folder}'")
    names = _subfolders(folder)
    have_splits = all(name in SPLIT_NAMES for name in names)
    folders = names
    if have_splits:
        folders = [f"{split}/{label}" for split in names for label in _subfolders(os.path.join(folder, split))]
    videos = {name: _videos(os.path.join(folder, name)) for name in folders}
    found = [(f"{name}/{video}", os.path.basename(name)) for name in folders for video in videos[name]]
    if not found:
        raise UserError(
            f"{FLAG}: expected videos in {folder}/<class>/ or {folder}/<split>/<class>/, found none "
            f"(a video ends in {', '.join(VIDEO_SUFFIXES)})"
        )
    empty = [name for name in folders if not videos[name]]
    if empty:
        console.warn(f"{len(empty)} folders have no video in them and are left out, such as '{folder}/{empty[0]}'")
    if have_splits:
        return sorted(Annotation(path, label, SPLIT_NAMES[path.split("/")[0]]) for path, label in found)
    return hold_out(found, split_seed)


def _subfolders(folder: str) -> list[str]:
    names = list_folder(folder, FLAG)
    return [name for name in names if not name.startswith(".") and tf.io.gfile.isdir(os.path.join(folder, name))]


def _videos(folder: str) -> list[str]:
    names = list_folder(folder, FLAG)
    return [name for name in names if not name.startswith(".") and name.lower().endswith(VIDEO_SUFFIXES)]
