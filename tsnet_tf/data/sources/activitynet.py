"""JSON files as ActivityNet's, THUMOS' and HACS' are: videos with segments, each of which becomes a clip."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

from tsnet_tf import console
from tsnet_tf.console import counted
from tsnet_tf.data import media
from tsnet_tf.data.annotations import SPLIT_NAMES, Annotation, unique
from tsnet_tf.data.folders import files_below, is_video
from tsnet_tf.data.labels import spelled
from tsnet_tf.data.sources.text_file import read_json, shown
from tsnet_tf.errors import UserError

_SPLITS = {"training": "train", "testing": "test", **SPLIT_NAMES}


def read(paths: Sequence[str], flag: str, videos: str | None) -> list[Annotation]:
    """Reads an object ``database`` of video ids to ``subset`` and ``annotations`` of a ``segment`` and a ``label``.

    A clip is ``<video>#t=<begin>,<end>``, in seconds. Videos without annotations, as in the published test subset, are
    left out, and counted in one line.

    Args:
      paths: the files.
      flag: what the user named them with, for messages.
      videos: folder of the videos ``v_<id>.<any>`` or ``<id>.<any>``, which may be nested in it in any way; None for
        ``v_<id>.mp4`` without looking.

    Returns:
      Annotations sorted by path, relative to ``videos``. A video that is not there is ``v_<id>.mp4``.

    Raises:
      UserError: a file is missing or of another form, or a segment ends before it begins.
    """
    files = files_below(videos, "--videos", is_video) if videos is not None else []
    there = {os.path.splitext(os.path.basename(path))[0]: path for path in files}
    found, unlabelled = [], 0
    for path in paths:
        database = read_json(path, flag, dict).get("database")
        if not isinstance(database, dict):
            raise UserError(f"{flag}: expected an object 'database' in '{path}', found {shown(database)}")
        for name, video in database.items():
            where = f"'{name}' of '{path}'"
            split, segments = _split_and_segments(video, flag, where)
            unlabelled += not segments
            file = there.get(f"v_{name}") or there.get(name) or f"v_{name}.mp4"
            for number, segment in enumerate(segments, 1):
                place = f"annotation {number} of {where}"
                (begin, end), label = _times_and_label(segment, flag, place)
                clip = f"{file}#{media.SECONDS}={_written(begin)},{_written(end)}"
                found.append((Annotation(clip, spelled(label, flag, place), split), place))
    if not found:
        raise UserError(f"{flag}: expected videos with annotations in {', '.join(paths)}, found none")
    if unlabelled:
        console.warn(f"{counted(unlabelled, 'video', 'have')} no annotations, as test subsets may; not prepared")
    return unique(found, flag)


def _split_and_segments(video: object, flag: str, where: str) -> tuple[str, list]:
    if not isinstance(video, dict) or not isinstance(video.get("annotations"), list):
        raise UserError(f"{flag}: expected an object with a list of annotations in {where}, found {shown(video)}")
    subset = video.get("subset")
    if not isinstance(subset, str) or subset.lower() not in _SPLITS:
        raise UserError(
            f"{flag}: expected the subset training, validation or testing in {where}, found {shown(subset)}"
        )
    return _SPLITS[subset.lower()], video["annotations"]


def _times_and_label(annotation: object, flag: str, where: str) -> tuple[tuple[float, float], str]:
    annotation = annotation if isinstance(annotation, dict) else {}
    segment, label = annotation.get("segment"), annotation.get("label")
    if not isinstance(label, str) or not label.strip():
        raise UserError(f"{flag}: expected a label in {where}, found {shown(label)}")
    try:
        begin, end = map(float, segment)
    except (TypeError, ValueError):
        begin = end = math.nan
    if not 0 <= begin < end < math.inf:
        raise UserError(f"{flag}: expected a segment [begin, end] in seconds in {where}, found {shown(segment)}")
    return (begin, end), label


def _written(seconds: float) -> str:
    return f"{seconds:.3f}".rstrip("0").rstrip(".")
