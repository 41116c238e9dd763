"""The record of one video: a `tf.train.SequenceExample` with its JPEG frames, in MediaSequence's names.

Context: ``clip/label/index`` (int64), ``clip/label/text``, ``clip/media_id`` (the path in the annotations),
``image/format``, ``image/channels``, ``image/width``, ``image/height`` (pixels), ``image/frame_rate`` (per second).
Feature list: ``image/encoded``, one JPEG per frame.

`official.vision.dataloaders.video_input` of the TensorFlow Model Garden reads these records as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

IMAGE = "image/encoded"
LABEL_INDEX = "clip/label/index"
LABEL_TEXT = "clip/label/text"
MEDIA_ID = "clip/media_id"


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
        "image/frame_rate": tf.train.Feature(float_list=tf.train.FloatList(value=[frame_rate])),
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


def parse_video(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Reads what training needs of one record.

    Args:
      serialized: scalar string.

    Returns:
      JPEG frames, string [frames], and the label, int32 scalar.
    """
    context, sequence = tf.io.parse_single_sequence_example(
        serialized,
        context_features={LABEL_INDEX: tf.io.FixedLenFeature((), tf.int64)},
        sequence_features={IMAGE: tf.io.FixedLenSequenceFeature((), tf.string)},
    )
    return sequence[IMAGE], tf.cast(context[LABEL_INDEX], tf.int32)


def _integer(value: int) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def _text(value: str) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
