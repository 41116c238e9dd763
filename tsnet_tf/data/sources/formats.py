"""Which format annotation files have, by what is in them, and the reader of each."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Callable, Sequence

import tensorflow as tf

from tsnet_tf.data import media, record_file
from tsnet_tf.data.annotations import Annotation, read_text
from tsnet_tf.data.folders import VIDEO_SUFFIXES
from tsnet_tf.data.sources import (
    activitynet,
    csv_file,
    diving48,
    hmdb51,
    jester,
    kinetics,
    path_label,
    something_something,
    tfrecords,
    ucf101,
)
from tsnet_tf.errors import UserError

FLAG = "--annotations"
_UCF101 = re.compile(r"([^/]+)/v_[^/]+_g\d+_c\d+\.avi(\s+\d+)?")
_HMDB51 = re.compile(r"\S.*\.avi\s+[012]")
_PATH_LABEL = re.compile(
    rf".+(?:{'|'.join(map(re.escape, VIDEO_SUFFIXES))})(?:#\S+)?\s*[\s,;]\s*[^\s,;][^,;\t]*", re.IGNORECASE
)


@dataclasses.dataclass(frozen=True)
class Given:
    """What else the user said.

    Attributes:
      videos: folder that paths in annotations are relative to.
      names: of the classes, in the order of their numbers; None if there are none.
      frame_rate: videos are folders of pictures, to be shown at so many per second, or records that do not say their
        rate; None if they are neither.
      split_seed, group_of, known: for `tsnet_tf.data.held_out.hold_out`, where the files say no splits.
    """

    videos: str
    names: Sequence[str] | None
    frame_rate: float | None
    split_seed: int
    group_of: Callable[[str], str]
    known: Sequence[Annotation]

    @property
    def drawn(self) -> dict[str, object]:
        """What `tsnet_tf.data.held_out.hold_out` needs, with paths as they are in the files."""
        known = self.known
        if self.frame_rate is not None:
            known = [dataclasses.replace(video, path=media.file_of(video.path)) for video in known]
        return {"split_seed": self.split_seed, "group_of": self.group_of, "known": known}


def read(patterns: Sequence[str], name: str | None, given: Given) -> list[Annotation]:
    """Reads annotation files of one format.

    Args:
      patterns: of their paths; "*" stands for anything.
      name: of the format, one of `READERS`; None to find it by what is in them.
      given: what else the user said.

    Raises:
      UserError: as the format's reader does; or nothing has a pattern, or files are of several formats.
    """
    paths = _files(patterns)
    return READERS[name or _format_of(paths)](paths, given)


def with_rate(annotations: Sequence[Annotation], frame_rate: float) -> list[Annotation]:
    """Puts folders of pictures in the place of video files (`media.with_rate`); records get a rate."""
    return [dataclasses.replace(video, path=media.with_rate(video.path, frame_rate)) for video in annotations]


def _csv(paths: Sequence[str], given: Given) -> list[Annotation]:
    if len(paths) > 1:
        raise UserError(f"{FLAG}: expected one CSV file, found '{paths[0]}' and '{paths[1]}'")
    return csv_file.read(paths[0], **given.drawn)


def _path_label(paths: Sequence[str], given: Given) -> list[Annotation]:
    of_folders = given.frame_rate is not None
    return path_label.read(paths, FLAG, names=given.names, of_folders=of_folders, **given.drawn)


def _jester(paths: Sequence[str], given: Given) -> list[Annotation]:
    if given.frame_rate is None:
        raise UserError("expected --frame_rate=RATE of the pictures that Jester's videos are, such as 12, found none")
    return jester.read(paths, FLAG)


READERS: dict[str, Callable[[Sequence[str], Given], list[Annotation]]] = {
    "csv": _csv,
    "path_label": _path_label,
    "kinetics": lambda paths, given: kinetics.read(paths, given.videos, FLAG),
    "something_something": lambda paths, given: something_something.read(paths, FLAG),
    "ucf101": lambda paths, given: ucf101.read(paths, FLAG),
    "hmdb51": lambda paths, given: hmdb51.read(paths, FLAG),
    "activitynet": lambda paths, given: activitynet.read(paths, FLAG, None if given.frame_rate else given.videos),
    "diving48": lambda paths, given: diving48.read(paths, FLAG, given.names),
    "jester": _jester,
    "tfrecords": lambda paths, given: tfrecords.read(paths, FLAG, given.videos, given.names),
}


def _files(patterns: Sequence[str]) -> list[str]:
    found = []
    for pattern in patterns:
        if "*" not in pattern or tf.io.gfile.exists(pattern):
            found.append(pattern)
            continue
        matching = sorted(tf.io.gfile.glob(pattern))
        if not matching:
            raise UserError(f"{FLAG}: expected annotation files, found nothing like '{pattern}'")
        found += matching
    return list(dict.fromkeys(found))


def _format_of(paths: Sequence[str]) -> str:
    first: dict[str, str] = {}
    for path in paths:
        if len(paths) == 1 or not tf.io.gfile.exists(path) or tf.io.gfile.stat(path).length:  # a shard may be empty
            first.setdefault(_format_of_one(path), path)
    if len(first) > 1:
        (one, path), (other, other_path) = list(first.items())[:2]
        raise UserError(
            f"{FLAG}: expected files of one format, found '{path}', which is of {one}, and '{other_path}' of {other}; "
            "--format says which"
        )
    return next(iter(first), "csv")


def _format_of_one(path: str) -> str:
    """A file's format where it is certain, else "csv", whose reader then says what it misses."""
    if record_file.begins_with_record(path):
        return "tfrecords"
    try:
        text = read_text(path, FLAG, "a CSV file")
    except UserError:
        return "csv"
    if text.lstrip().startswith(("[", "{")):
        return _format_of_json(path, text)
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    columns = {column.strip().strip('"') for column in line.split(",")}
    for name, needed in (("csv", csv_file.COLUMNS), ("kinetics", kinetics.COLUMNS)):
        if set(needed) <= columns:
            return name
    if _UCF101.fullmatch(line):
        return "ucf101"
    if hmdb51.NAME.fullmatch(os.path.basename(path)) and _HMDB51.fullmatch(line):
        return "hmdb51"
    if jester.LINE.fullmatch(line):
        return "jester"
    return "path_label" if _PATH_LABEL.fullmatch(line) else "csv"


def _format_of_json(path: str, text: str) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{FLAG}: expected a JSON file in '{path}', found {error}") from error
    if isinstance(value, dict) and "database" in value:
        return "activitynet"
    entries = [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
    for name, key in (("diving48", "vid_name"), ("something_something", "id")):
        if any(key in entry for entry in entries):
            return name
    raise UserError(
        f"{FLAG}: expected an object with a 'database', or a list of objects with a 'vid_name' or an 'id', in the JSON "
        f"file '{path}', found neither"
    )
