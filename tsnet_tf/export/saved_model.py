"""Writes a SavedModel with preprocessing, softmax and labels inside.

Its serving signature takes ``frames``, uint8 ``[batch, frames, height, width, 3]`` of any height and width, and gives

- ``probabilities``: float32 ``[batch, classes]``;
- ``top_k_labels``: string ``[batch, k]`` and ``top_k_scores``: float32 ``[batch, k]``, the best 5 (or all, if fewer).

Beside it, ``assets/labels.txt`` has one label per line and ``assets/metadata.json`` says which frames of a video make
a clip, so that whoever serves the model needs no other file.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
import uuid
from collections.abc import Sequence

import keras
import tensorflow as tf

from tsnet_tf.data import clips
from tsnet_tf.data.sampling import SPANS, Sampling
from tsnet_tf.errors import UserError

LABELS_FILE = "labels.txt"
METADATA_FILE = "metadata.json"
TOP_K = 5


def export(
    model: keras.Model,
    labels: Sequence[str],
    output: str,
    *,
    frames: int,
    frame_stride: int,
    short_side: int,
    crop: int,
    sampling: Sampling = SPANS,
) -> None:
    """Writes ``output``, whole or not at all; an earlier SavedModel of that name is replaced.

    Args:
      model: ``model(clips, training=False)`` gives logits ``[batch, classes]`` for uint8 clips.
      labels: class names in the order of the logits.
      output: folder of the SavedModel.
      frames: frames of a clip.
      frame_stride: distance of a clip's frames in the video, in frames.
      short_side: frames are resized so that the shorter side has this many pixels.
      crop: side of the square centre crop in pixels.
      sampling: how a video's frames are chosen.

    Raises:
      UserError: ``output`` is there and is no SavedModel.
    """
    output = output.rstrip("/")
    if tf.io.gfile.exists(output) and not tf.saved_model.contains_saved_model(output):
        raise UserError(f"--output: expected a new folder or an earlier SavedModel, found something else in {output}")
    metadata = {
        "frames": frames,
        "frame_stride": frame_stride,
        "short_side": short_side,
        "crop": crop,
        "labels": list(labels),
        "sampling": dataclasses.asdict(sampling),
    }
    temporary = f"{output}.{uuid.uuid4().hex}.tmp"
    try:
        with tempfile.TemporaryDirectory() as assets:
            module = _serving_module(model, metadata, assets)
            tf.saved_model.save(module, temporary, signatures=module.serve)
        if tf.io.gfile.exists(output):
            tf.io.gfile.rmtree(output)
        tf.io.gfile.rename(temporary, output)
    finally:
        if tf.io.gfile.exists(temporary):
            tf.io.gfile.rmtree(temporary)


def preprocess(frames: tf.Tensor, short_side: int, crop: int) -> tf.Tensor:
    """Resizes the shorter side and takes the centre crop, as the multi-view evaluation does.

    Args:
      frames: uint8 ``[batch, frames, height, width, 3]``.
      short_side: pixels.
      crop: pixels.

    Returns:
      uint8 ``[batch, frames, crop, crop, 3]``.
    """
    shape = tf.shape(frames)
    images = tf.reshape(frames, tf.stack([-1, shape[2], shape[3], 3]))
    # The evaluation's plain bilinear resize looks at 2 x 2 pixels. Of much larger pictures than it ever sees, that
    # would make patterns that were not there, so these are brought to twice the size first.
    images = _shrink_smoothly(images, 2 * short_side)
    images = clips.test_crops(clips.resize_short_side(images, short_side), crop, clips.CENTER)[0]
    return tf.reshape(images, tf.stack([shape[0], shape[1], crop, crop, 3]))


def _shrink_smoothly(images: tf.Tensor, short_side: int) -> tf.Tensor:
    """Brings images, uint8 ``[n, height, width, 3]``, with a larger shorter side to ``short_side`` pixels."""
    size = tf.shape(images)[1:3]

    def shrink() -> tf.Tensor:
        new_size = tf.cast(tf.round(size * short_side / tf.reduce_min(size)), tf.int32)
        shrunk = tf.image.resize(images, new_size, antialias=True)
        return tf.cast(tf.clip_by_value(tf.round(shrunk), 0.0, 255.0), tf.uint8)

    return tf.cond(tf.reduce_min(size) > short_side, shrink, lambda: tf.identity(images))


def _serving_module(model: keras.Model, metadata: dict, assets: str) -> tf.Module:
    """Builds what is saved. It owns plain variables only: Keras objects would want Keras when it is loaded."""
    k = min(TOP_K, len(metadata["labels"]))
    labels = tf.constant(metadata["labels"])
    signature = tf.TensorSpec([None, metadata["frames"], None, None, 3], tf.uint8, "frames")

    def serve(frames):
        crops = preprocess(frames, metadata["short_side"], metadata["crop"])
        crops = tf.ensure_shape(crops, [None, metadata["frames"], metadata["crop"], metadata["crop"], 3])
        probabilities = tf.nn.softmax(tf.cast(model(crops, training=False), tf.float32))
        scores, indices = tf.math.top_k(probabilities, k)
        return {
            "probabilities": probabilities,
            "top_k_labels": tf.gather(labels, indices),
            "top_k_scores": scores,
        }

    module = tf.Module()
    module.model_variables = [variable.value for variable in model.variables]
    module.serve = tf.function(serve, input_signature=[signature])
    module.labels_file = _asset(assets, LABELS_FILE, "".join(f"{label}\n" for label in metadata["labels"]))
    module.metadata_file = _asset(assets, METADATA_FILE, json.dumps(metadata, indent=2) + "\n")
    return module


def _asset(folder: str, name: str, text: str) -> tf.saved_model.Asset:
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return tf.saved_model.Asset(path)
