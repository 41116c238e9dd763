"""One folder per class."""

from __future__ import annotations

import os

import tensorflow as tf

from tsnet_tf.data.annotations import SPLIT_NAMES, VIDEO_SUFFIXES, Annotation, hold_out
from tsnet_tf.errors import UserError


def read(folder: str, *, split_seed: int) -> list[Annotation]:
    """Takes the label of a video from the folder it is in.

    Either ``folder/<split>/<class>/<video>``, or ``folder/<class>/<video>``, of which some are held out (`hold_out`).

    Returns:
      Annotations sorted by path, relative to ``folder``.

    Raises:
      UserError: the folder is missing or has no video in such a place.
    """
    if not tf.io.gfile.isdir(folder):
        raise UserError(f"--class_folders: expected a folder, found none at '{folder}'")
    names = _subfolders(folder)
    if names and all(name in SPLIT_NAMES for name in names):
        found = [
            Annotation(f"{split}/{label}/{video}", label, SPLIT_NAMES[split])
            for split in names
            for label in _subfolders(os.path.join(folder, split))
            for video in _videos(os.path.join(folder, split, label))
        ]
    else:
        found = hold_out(
            ((f"{label}/{video}", label) for label in names for video in _videos(os.path.join(folder, label))),
            split_seed,
        )
    if not found:
        raise UserError(
            f"--class_folders: expected videos in {folder}/<class>/ or {folder}/<split>/<class>/, found none "
            f"(a video ends in {', '.join(VIDEO_SUFFIXES)})"
        )
    return sorted(found)


def _subfolders(folder: str) -> list[str]:
    names = (name.rstrip("/") for name in tf.io.gfile.listdir(folder))
    return sorted(name for name in names if not name.startswith(".") and tf.io.gfile.isdir(os.path.join(folder, name)))


def _videos(folder: str) -> list[str]:
    names = tf.io.gfile.listdir(folder)
    return sorted(name for name in names if not name.startswith(".") and name.lower().endswith(VIDEO_SUFFIXES))
