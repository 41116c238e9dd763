"""The record of one video: a `tf.train.SequenceExample` with its JPEG frames, in MediaSequence's names.

Context: ``clip/label/index`` (int64), ``clip/label/text``, ``clip/media_id`` (the path in the annotations),
``image/format``, ``image/channels``, ``image/width``, ``image/height`` (pixels), ``image/frame_rate`` (per second).
Feature list: ``image/encoded``, one JPEG per frame.

`official.vision.dataloaders.video_input` of the TensorFlow Model Garden reads these records as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
from google.protobuf.message import DecodeError

IMAGE = "image/encoded"
LABEL_INDEX = "clip/label/index"
LABEL_TEXT = "clip/label/text"
MEDIA_ID = "clip/media_id"
FRAME_RATE = "image/frame_rate"


def serialize_video(
    encoded_frames: Sequence[bytes],
    *,
    height: int,
    width: int,
    frame_rate: float,
    label_index: int,
    label_text: str,
    media_id: str,
) -> bytes:
    """Returns one serialized record; equal arguments give equal bytes."""
    context = {
        LABEL_INDEX: _integer(label_index),
        LABEL_TEXT: _text(label_text),
        MEDIA_ID: _text(media_id),
        "image/format": _text("JPEG"),
        "image/channels": _integer(3),
        "image/height": _integer(height),
        "image/width": _integer(width),
        FRAME_RATE: tf.train.Feature(float_list=tf.train.FloatList(value=[frame_rate])),
    }
    frames = tf.train.FeatureList(
        feature=[tf.train.Feature(bytes_list=tf.train.BytesList(value=[frame])) for frame in encoded_frames]
    )
    example = tf.train.SequenceExample(
        context=tf.train.Features(feature=context),
        feature_lists=tf.train.FeatureLists(feature_list={IMAGE: frames}),
    )
    # Protocol buffers promise an order of map entries only on request.
    return example.SerializeToString(deterministic=True)


def parse_video(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Reads what training needs of one record.

    Args:
      serialized: scalar string.

    Returns:
      JPEG frames, string [frames]; the label, int32 scalar, -1 if there is none; and the frame rate per second, float32
      scalar, 0 if there is none (records of other programs).
    """
    context, sequence = tf.io.parse_single_sequence_example(
        serialized,
        context_features={
            LABEL_INDEX: tf.io.FixedLenFeature((), tf.int64, default_value=-1),
            FRAME_RATE: tf.io.FixedLenFeature((), tf.float32, default_value=0.0),
        },
        sequence_features={IMAGE: tf.io.FixedLenSequenceFeature((), tf.string, allow_missing=True)},
    )
    return sequence[IMAGE], tf.cast(context[LABEL_INDEX], tf.int32), context[FRAME_RATE]


def name_of(serialized: bytes) -> str:
    """The path that the annotations have for a record's video; empty if there is none."""
    context, _ = tf.io.parse_single_sequence_example(
        serialized, context_features={MEDIA_ID: tf.io.FixedLenFeature((), tf.string, default_value="")}
    )
    return context[MEDIA_ID].numpy().decode(errors="replace")


def name_and_label(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The path that the annotations have for a record's video, and the index of its label; no frame is looked at."""
    context, _ = tf.io.parse_single_sequence_example(
        serialized,
        context_features={
            MEDIA_ID: tf.io.FixedLenFeature((), tf.string),
            LABEL_INDEX: tf.io.FixedLenFeature((), tf.int64),
        },
    )
    return context[MEDIA_ID], context[LABEL_INDEX]


def fault(serialized: bytes, classes: int, *, decode_frames: bool = True) -> str | None:
    """Returns what is wrong with a record, in words that follow "found"; None if nothing is.

    Args:
      serialized: the record.
      classes: labels must be below.
      decode_frames: whether each JPEG is decoded.
    """
    try:
        example = tf.train.SequenceExample.FromString(serialized)
    except DecodeError:
        return "bytes that are no tf.train.SequenceExample"
    context, lists = example.context.feature, example.feature_lists.feature_list
    frames = lists[IMAGE].feature if IMAGE in lists else []
    if not frames or LABEL_INDEX not in context:
        return f"one without {LABEL_INDEX if frames else IMAGE} (is it of another schema?)"
    labels = context[LABEL_INDEX].int64_list.value
    if len(labels) != 1 or not 0 <= labels[0] < classes:
        return f"the label {', '.join(map(str, labels)) or 'none'}, of {classes} classes"
    for number, frame in enumerate(frames if decode_frames else []):
        try:
            tf.io.decode_jpeg(frame.bytes_list.value[0], channels=3)
        except (tf.errors.InvalidArgumentError, IndexError):
            return f"frame {number} that is no JPEG"
    return None


def _integer(value: int) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def _text(value: str) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
