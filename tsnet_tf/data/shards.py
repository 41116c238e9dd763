"""One shard of TFRecords: which videos it holds, and how it is written.

The plan is made before anything runs, from the annotations alone, so the same input gives the same bytes on any number
of workers; a shard that is there need not be written again.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import io
import json
import math
import os
import uuid
from collections.abc import Sequence

import tensorflow as tf

from tsnet_tf import atomic
from tsnet_tf.data import decode, media, schema
from tsnet_tf.data.annotations import SPLITS, Annotation, stable_hash
from tsnet_tf.data.frames import open_frames

MISSING = "is missing"  # the reason of a video that is not there
_VIDEOS_PER_SHARD = 32
_MOST_SHARDS = 1024
_LARGEST_RECORD = 2**30  # bytes; a protocol buffer ends at twice that
_CHUNK = 2**24  # bytes read at once for a checksum


@dataclasses.dataclass(frozen=True)
class Shard:
    """The ``index``-th of ``count`` shards of a split, and its videos in the order they are written."""

    split: str
    index: int
    count: int
    annotations: tuple[Annotation, ...]

    @property
    def name(self) -> str:
        return f"{self.split}-{self.index:05d}-of-{self.count:05d}.tfrecord"

    @property
    def report_name(self) -> str:
        return f"{self.name}.report.json"


@dataclasses.dataclass(frozen=True)
class Report:
    """What became of a shard's videos.

    Attributes:
      videos: number written.
      frames: number written.
      bytes: size of the shard.
      sha256: checksum of the shard, as it was read back.
      classes: videos written per label.
      rejects: (path, label, split, reason) of each video left out.
    """

    videos: int
    frames: int
    bytes: int
    sha256: str
    classes: dict[str, int]
    rejects: list[list[str]]


def plan_shards(annotations: Sequence[Annotation], shards_per_split: int | None) -> list[Shard]:
    """Deals the videos of each split out to shards of nearly equal size, classes well mixed.

    Args:
      annotations: every video.
      shards_per_split: number of shards of each split; None for one per 32 videos and at most 1024.
    """
    plan = []
    for split in SPLITS:
        mixed = sorted((a for a in annotations if a.split == split), key=lambda a: (stable_hash(a.path), a.path))
        if not mixed:
            continue
        count = shards_per_split or min(_MOST_SHARDS, math.ceil(len(mixed) / _VIDEOS_PER_SHARD))
        bounds = [len(mixed) * index // count for index in range(count + 1)]
        plan += [Shard(split, index, count, tuple(mixed[bounds[index] : bounds[index + 1]])) for index in range(count)]
    return plan


def write_shard(
    shard: Shard,
    folder: str,
    videos: str,
    label_indices: dict[str, int],
    short_side: int,
    jpeg_quality: int,
    limits: decode.Limits,
) -> None:
    """Writes a shard and, when that is done, its report; does nothing when the report is there."""
    report_path = os.path.join(folder, shard.report_name)
    if tf.io.gfile.exists(report_path):
        return
    path = os.path.join(folder, shard.name)
    temporary = f"{path}.{uuid.uuid4().hex}.tmp"  # a runner may let two workers write the same shard
    frames, classes, rejects = 0, collections.Counter(), []
    with tf.io.TFRecordWriter(temporary) as writer:
        for annotation in shard.annotations:
            try:
                record, count = _record(annotation, videos, label_indices, short_side, jpeg_quality, limits)
            except decode.VideoError as error:
                rejects.append([annotation.path, annotation.label, annotation.split, str(error)])
                continue
            writer.write(record)
            classes[annotation.label] += 1
            frames += count
    tf.io.gfile.rename(temporary, path, overwrite=True)
    size, digest = checksum(path)
    report = Report(sum(classes.values()), frames, size, digest, dict(sorted(classes.items())), rejects)
    atomic.write_json(report_path, dataclasses.asdict(report))


def read_report(folder: str, shard: Shard) -> Report:
    """Reads what `write_shard` reported."""
    with tf.io.gfile.GFile(os.path.join(folder, shard.report_name)) as file:
        return Report(**json.load(file))


def checksum(path: str) -> tuple[int, str]:
    """Returns a file's number of bytes and SHA-256."""
    size, digest = 0, hashlib.sha256()
    with tf.io.gfile.GFile(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            size += len(chunk)
            digest.update(chunk)
    return size, digest.hexdigest()


def location_of(videos: str, path: str) -> str:
    """Returns where a video's file is, of a path in the annotations and the folder that it may be relative to."""
    file = media.file_of(path)
    return file if "://" in file else os.path.join(videos, file)


def _record(
    annotation: Annotation,
    videos: str,
    label_indices: dict[str, int],
    short_side: int,
    jpeg_quality: int,
    limits: decode.Limits,
) -> tuple[bytes, int]:
    """Returns the serialized record of one video and its number of frames."""
    encoded, size, last = [], 0, None
    source = _source(videos, annotation.path)
    with open_frames(source, annotation.path, short_side=short_side, limits=limits) as video:
        for frame in video:
            if frame is not last:  # else it is held
                jpeg = tf.io.encode_jpeg(frame, quality=jpeg_quality).numpy()
            last = frame
            encoded.append(jpeg)
            size += len(jpeg)
            if size > _LARGEST_RECORD:
                raise decode.VideoError(f"makes a record of more than {_LARGEST_RECORD / 2**30:g} GB")
    record = schema.serialize_video(
        encoded,
        height=frame.shape[0],
        width=frame.shape[1],
        frame_rate=video.frame_rate,
        label_index=label_indices[annotation.label],
        label_text=annotation.label,
        media_id=annotation.path,
    )
    return record, len(encoded)


def _source(videos: str, path: str) -> str | io.BytesIO:
    location = location_of(videos, path)
    try:
        if not tf.io.gfile.exists(location):
            raise decode.VideoError(MISSING)
        said = media.fragment(path)
        if tf.io.gfile.isdir(location) != (media.RATE in said and media.BYTE not in said):
            raise decode.VideoError("is no folder of pictures" if media.RATE in said else "is a folder")
        if "://" not in location or media.RATE in said or media.BYTE in said:
            return location
        with tf.io.gfile.GFile(location, "rb") as file:
            return io.BytesIO(file.read())
    except tf.errors.OpError as error:
        raise decode.VideoError(f"cannot be read: {' '.join(error.message.split())}") from error
