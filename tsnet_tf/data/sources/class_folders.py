"""One folder per class."""

from __future__ import annotations

import os
from collections.abc import Sequence

import tensorflow as tf

from tsnet_tf.data.annotations import SPLIT_NAMES, VIDEO_SUFFIXES, Annotation, stable_hash
from tsnet_tf.errors import UserError

_SHARE_HELD_OUT = 0.1  # of each class, once for validation and once for test, where the folders do not say


def read(folder: str, *, split_seed: int) -> list[Annotation]:
    """Takes the label of a video from the folder it is in.

    Either ``folder/<split>/<class>/<video>``, or ``folder/<class>/<video>``, of which a seeded tenth of each class is
    held out for validation and another tenth for test (at least one each, if the class has three videos).

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
        found = [
            annotation
            for label in names
            for annotation in _split_class(
                label, [f"{label}/{video}" for video in _videos(os.path.join(folder, label))], split_seed
            )
        ]
    if not found:
        raise UserError(
            f"--class_folders: expected videos in {folder}/<class>/ or {folder}/<split>/<class>/, found none "
            f"(a video ends in {', '.join(VIDEO_SUFFIXES)})"
        )
    return sorted(found)


def _split_class(label: str, paths: Sequence[str], seed: int) -> list[Annotation]:
    shuffled = sorted(paths, key=lambda path: stable_hash(seed, path))
    held_out = max(round(_SHARE_HELD_OUT * len(paths)), 1 if len(paths) >= 3 else 0)
    splits = ["validation"] * held_out + ["test"] * held_out
    splits += ["train"] * (len(paths) - len(splits))
    return [Annotation(path, label, split) for path, split in zip(shuffled, splits, strict=False)]


def _subfolders(folder: str) -> list[str]:
    names = (name.rstrip("/") for name in tf.io.gfile.listdir(folder))
    return sorted(name for name in names if not name.startswith(".") and tf.io.gfile.isdir(os.path.join(folder, name)))


def _videos(folder: str) -> list[str]:
    names = tf.io.gfile.listdir(folder)
    return sorted(name for name in names if not name.startswith(".") and name.lower().endswith(VIDEO_SUFFIXES))
