"""Which videos there are, and their labels and splits: an annotation file or folders named by class."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import os
from collections.abc import Iterable, Sequence

import tensorflow as tf

from tsnet_tf.errors import UserError

SPLITS = ("train", "validation", "test")
COLUMNS = ("path", "label", "split")
VIDEO_SUFFIXES = (".mp4", ".webm", ".avi", ".mkv", ".mov", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp")

_SPLIT_NAMES = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "test": "test",
}
_SHARE_HELD_OUT = 0.1  # of each class, once for validation and once for test, where the folders do not say


@dataclasses.dataclass(frozen=True, order=True)
class Annotation:
    """One video. ``path`` is relative to the folder of the videos, with forward slashes, or complete."""

    path: str
    label: str
    split: str


def read_annotations(path: str) -> list[Annotation]:
    """Reads a CSV file with the columns path, label and split; other columns are left alone.

    Returns:
      Annotations sorted by path.

    Raises:
      UserError: the file is missing, lacks a column, or has a row that is incomplete, repeated or of no known split.
    """
    if not tf.io.gfile.exists(path) or tf.io.gfile.isdir(path):
        raise UserError(f"--annotations: expected a CSV file, found nothing at '{path}'")
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            rows = csv.DictReader(io.StringIO(file.read().decode("utf-8-sig"), newline=""), skipinitialspace=True)
        columns = list(rows.fieldnames or [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"--annotations: expected a CSV file in UTF-8, found in '{path}': {error}") from error
    missing = [column for column in COLUMNS if column not in columns]
    if missing:
        raise UserError(
            f"--annotations: expected the columns {', '.join(COLUMNS)} in '{path}', "
            f"found {', '.join(columns) or 'an empty file'} (no {', '.join(missing)})"
        )
    annotations: dict[str, Annotation] = {}
    for row in rows:
        where = f"line {rows.line_num} of '{path}'"
        values = {column: (row[column] or "").strip() for column in COLUMNS}
        for column, value in values.items():
            if not value:
                raise UserError(f"--annotations: expected a {column} in {where}, found none")
        split = _SPLIT_NAMES.get(values["split"])
        if split is None:
            raise UserError(
                f"--annotations: expected the split {', '.join(SPLITS)} in {where}, found '{values['split']}'"
            )
        if values["path"] in annotations:
            raise UserError(f"--annotations: expected each video once, found '{values['path']}' again in {where}")
        annotations[values["path"]] = Annotation(values["path"], values["label"], split)
    if not annotations:
        raise UserError(f"--annotations: expected one row per video in '{path}', found none")
    return sorted(annotations.values())


def find_class_folders(folder: str, *, split_seed: int) -> list[Annotation]:
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
    if names and all(name in _SPLIT_NAMES for name in names):
        found = [
            Annotation(f"{split}/{label}/{video}", label, _SPLIT_NAMES[split])
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


def read_labels(path: str) -> list[str]:
    """Reads a label map: one label per line, or a JSON list; the position is the label's index.

    Raises:
      UserError: the file is missing or empty, is no list of strings, or names a label twice.
    """
    if not tf.io.gfile.exists(path) or tf.io.gfile.isdir(path):
        raise UserError(f"--labels: expected a file with one label per line or a JSON list, found nothing at '{path}'")
    with tf.io.gfile.GFile(path) as file:
        text = file.read()
    if text.lstrip().startswith(("[", "{")):
        try:
            labels = json.loads(text)
        except ValueError as error:
            raise UserError(f"--labels: expected a JSON list in '{path}', found {error}") from error
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise UserError(f"--labels: expected a JSON list of strings in '{path}', found something else")
    else:
        labels = [line.strip() for line in text.splitlines() if line.strip()]
    if not labels:
        raise UserError(f"--labels: expected at least one label in '{path}', found none")
    repeated = sorted({label for label in labels if labels.count(label) > 1})
    if repeated:
        raise UserError(f"--labels: expected each label once in '{path}', found '{repeated[0]}' more than once")
    return labels


def label_map(annotations: Iterable[Annotation], given: Sequence[str] | None = None) -> list[str]:
    """Returns the labels in the order of their indices: as ``given``, else all that occur, sorted.

    Raises:
      UserError: an annotation has a label that is not in ``given``.
    """
    used = sorted({annotation.label for annotation in annotations})
    if given is None:
        return used
    known = set(given)
    unknown = [label for label in used if label not in known]
    if unknown:
        raise UserError(
            f"--labels: expected every label of the annotations in the label map, found {len(unknown)} that are not: "
            f"{', '.join(repr(label) for label in unknown[:5])}"
        )
    return list(given)


def stable_hash(*parts: object) -> str:
    """Returns a hexadecimal digest that is the same on every machine and in every process."""
    return hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()


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
