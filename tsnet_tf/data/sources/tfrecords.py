"""TFRecords of the TensorFlow Model Garden, DMVR and MediaSequence: the frames as JPEGs, the label in the context."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence

import tensorflow as tf
from google.protobuf.message import DecodeError

from tsnet_tf import console
from tsnet_tf.console import counted
from tsnet_tf.data import media, record_file, schema
from tsnet_tf.data.annotations import Annotation, split_of_file, unique, with_names, without_unknown
from tsnet_tf.data.labels import spelled
from tsnet_tf.errors import UserError

_IDS = (schema.MEDIA_ID, "video/filename")
_TIMES = ("clip/start/timestamp", "clip/end/timestamp")


def read(paths: Sequence[str], flag: str, videos: str, names: Sequence[str] | None = None) -> list[Annotation]:
    """Reads each `tf.train.SequenceExample`'s ``clip/label/text``, else ``clip/label/index``.

    The text counts because DMVR's script numbers classes anew for each file. The split is the word in the file's name.
    Records without a label are left out, and counted in one line. The same ``clip/media_id`` twice is the same video.

    Args:
      paths: the files.
      flag: what the user named them with, for messages.
      videos: folder that paths are relative to.
      names: of the classes, for labels that are their numbers.

    Returns:
      Annotations sorted by path, ``<file>#byte=<where the record begins>``.

    Raises:
      UserError: a file is missing, damaged or of another schema, says no split in its name, or a record has two labels.
    """
    found, places, unlabelled = [], {}, 0
    for path in paths:
        split, file, byte = split_of_file(path, flag), _relative(path, videos), 0
        for number, record in enumerate(_records(path, flag)):
            where = f"record {number} of '{path}'"
            context = _context(record, flag, where)
            label = _label(context, flag, where)
            place = f"{file}#{media.BYTE}={byte}"
            byte += len(record) + record_file.AROUND
            if label is None:
                unlabelled += 1
                continue
            name = _id(context) or place
            places.setdefault(name, place)
            found.append((Annotation(name, spelled(label, flag, where), split), where))
    if not found:
        raise UserError(f"{flag}: expected records with a label in {', '.join(paths)}, found none")
    if unlabelled:
        console.warn(f"{counted(unlabelled, 'record', 'have')} no label, as test splits may; not prepared")
    videos_found = (dataclasses.replace(video, path=places[video.path]) for video in unique(found, flag))
    return sorted(with_names(without_unknown(list(videos_found)), names, flag))


def _records(path: str, flag: str) -> Iterator[bytes]:
    if not tf.io.gfile.exists(path) or tf.io.gfile.isdir(path):
        raise UserError(f"{flag}: expected TFRecords, found nothing at '{path}'")
    try:
        yield from tf.data.TFRecordDataset(path).as_numpy_iterator()
    except tf.errors.OpError as error:
        raise UserError(f"{flag}: expected whole TFRecords in '{path}', found: {error.message}") from error


def _context(record: bytes, flag: str, where: str) -> dict[str, tf.train.Feature]:
    try:
        example = tf.train.SequenceExample.FromString(record)
    except DecodeError as error:
        raise UserError(f"{flag}: expected a tf.train.SequenceExample in {where}, found other bytes") from error
    if schema.IMAGE not in example.feature_lists.feature_list:
        raise UserError(f"{flag}: expected frames in '{schema.IMAGE}' in {where}, found none")
    return dict(example.context.feature)


def _label(context: dict[str, tf.train.Feature], flag: str, where: str) -> str | None:
    for name in (schema.LABEL_TEXT, schema.LABEL_INDEX):
        feature = context.get(name) or tf.train.Feature()
        values = [*feature.int64_list.value, *(text.decode(errors="replace") for text in feature.bytes_list.value)]
        if len(values) > 1:
            raise UserError(f"{flag}: expected one label in {where}, found {', '.join(map(repr, values[:5]))}")
        if values and str(values[0]).strip():
            return str(values[0])
    return None


def _id(context: dict[str, tf.train.Feature]) -> str:
    """The name of a record's video, with the times of a clip of it; empty if there is none."""
    names = [
        text.decode(errors="replace") for name in _IDS if name in context for text in context[name].bytes_list.value
    ]
    times = [str(time) for name in _TIMES if name in context for time in context[name].int64_list.value]
    return " ".join([*names[:1], *times]) if names else ""


def _relative(path: str, videos: str) -> str:
    inside = videos.rstrip("/") + "/"
    if path.startswith(inside):
        return path[len(inside) :]
    return path if "://" in path else os.path.relpath(path) if videos == "." else os.path.abspath(path)
