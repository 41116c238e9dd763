"""Diving48's annotation files, such as ``Diving48_V2_train.json``; a video is ``<vid_name>.mp4``."""

from __future__ import annotations

from collections.abc import Sequence

from tsnet_tf.data import media
from tsnet_tf.data.annotations import Annotation, split_of_file, unique, with_names
from tsnet_tf.data.sources.text_file import read_json, shown
from tsnet_tf.errors import UserError


def read(paths: Sequence[str], flag: str, names: Sequence[str] | None = None) -> list[Annotation]:
    """Reads JSON lists of objects with ``vid_name``, ``label``, ``start_frame`` and ``end_frame``.

    The clip ends before its end frame. The split is the word in the file's name: train or test.

    Args:
      paths: the files.
      flag: what the user named them with, for messages.
      names: of the classes, in the order of their numbers.

    Returns:
      Annotations sorted by path, ``<vid_name>.mp4#frames=<start>,<end>``.

    Raises:
      UserError: a file is missing or of another form, has neither word in its name, or a label has no name.
    """
    found = []
    for path in paths:
        split = split_of_file(path, flag)
        for number, entry in enumerate(read_json(path, flag, list), 1):
            where = f"entry {number} of '{path}'"
            name, label = (entry.get(key) for key in ("vid_name", "label")) if isinstance(entry, dict) else (None, None)
            if not isinstance(name, str) or not name.strip():
                raise UserError(f"{flag}: expected an object with a vid_name in {where}, found {shown(entry)}")
            if not _is_count(label):
                raise UserError(f"{flag}: expected a class number in {where}, found {shown(label)}")
            start, end = entry.get("start_frame"), entry.get("end_frame")
            if not _is_count(start) or not _is_count(end) or start >= end:
                raise UserError(
                    f"{flag}: expected a start_frame before the end_frame in {where}, found {shown(start)} and "
                    f"{shown(end)}"
                )
            clip = f"{name.strip()}.mp4#{media.FRAMES}={start},{end}"
            found.append((Annotation(clip, str(label), split), where))
    if not found:
        raise UserError(f"{flag}: expected one entry per video in {', '.join(paths)}, found none")
    return sorted(with_names(unique(found, flag), names, flag))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
