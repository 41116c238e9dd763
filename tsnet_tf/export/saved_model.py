"""Writes a SavedModel with preprocessing, softmax and labels inside.

It has two signatures:

- ``serving_default`` takes ``frames``, uint8 ``[batch, frames, height, width, 3]`` of any height and width;
- ``jpeg`` takes ``encoded_frames``, string ``[batch, frames]``, a JPEG file each, of any and also of different sizes.

Both give

- ``probabilities``: float32 ``[batch, classes]``;
- ``top_k_labels``: string ``[batch, k]`` and ``top_k_scores``: float32 ``[batch, k]``, the best 5 (or all, if fewer).

``assets/labels.txt`` has one label per line; ``assets/metadata.json`` says which frames of a video make a clip, so that
whoever serves the model needs no other file, and where the model comes from. ``assets.extra`` holds what a server does
not load: the model in other formats.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Mapping, Sequence

import keras
import tensorflow as tf

import tsnet_tf
from tsnet_tf import paths
from tsnet_tf.data.sampling import SPANS, Sampling
from tsnet_tf.errors import UserError
from tsnet_tf.export import preprocessing
from tsnet_tf.kernels import plane

LABELS_FILE = "labels.txt"
METADATA_FILE = "metadata.json"
EXTRA_FOLDER = "assets.extra"
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
    about: Mapping[str, object] | None = None,
    extra: Mapping[str, bytes] | None = None,
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
      sampling: which frames of a video make a clip.
      about: what else ``metadata.json`` should say, such as genotype and accuracy.
      extra: contents of the files in ``assets.extra``, by name.

    Raises:
      UserError: ``output`` is there and is no SavedModel, or there are more or fewer labels than logits.
    """
    output = output.rstrip("/")
    paths.check_no_pattern(output)
    if tf.io.gfile.exists(output) and not tf.saved_model.contains_saved_model(output):
        raise UserError(f"--output: expected a new folder or an earlier SavedModel, found something else in {output}")
    metadata = {
        "frames": frames,
        "frame_stride": frame_stride,
        "short_side": short_side,
        "crop": crop,
        "sampling": dataclasses.asdict(sampling),
        "labels": list(labels),
        **(about or {}),
        "versions": _versions(),
        "git_revision": _git_revision(),
    }
    temporary, replaced = (f"{output}.{uuid.uuid4().hex}.tmp" for _ in range(2))
    try:
        with tempfile.TemporaryDirectory() as assets:
            module = _serving_module(model, metadata, assets)
            signatures = {"serving_default": module.serve_frames, "jpeg": module.serve_jpeg}
            with plane.portable():
                tf.saved_model.save(module, temporary, signatures=signatures)
        for name, content in (extra or {}).items():
            tf.io.gfile.makedirs(os.path.join(temporary, EXTRA_FOLDER))
            with tf.io.gfile.GFile(os.path.join(temporary, EXTRA_FOLDER, name), "wb") as file:
                file.write(content)
        if tf.io.gfile.exists(output):  # whose name is never to stand for half of it
            tf.io.gfile.rename(output, replaced)
        tf.io.gfile.rename(temporary, output)
        if tf.io.gfile.exists(replaced):
            tf.io.gfile.rmtree(replaced)
    finally:
        if tf.io.gfile.exists(temporary):
            tf.io.gfile.rmtree(temporary)


def read_metadata(saved_model: str) -> dict:
    """What ``metadata.json`` of a SavedModel says.

    Raises:
      UserError: `export` has not written this folder.
    """
    paths.check_no_pattern(saved_model)
    path = os.path.join(saved_model, "assets", METADATA_FILE)
    if not tf.saved_model.contains_saved_model(saved_model) or not tf.io.gfile.exists(path):
        raise UserError(f"--saved_model: expected a folder written by bin/export.py, found none at '{saved_model}'")
    with tf.io.gfile.GFile(path) as file:
        return json.load(file)


def keras_archive(model: keras.Model) -> bytes:
    """The contents of a ``.keras`` file, from which Keras and this package make the model again."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.keras")
        model.save(path)
        with open(path, "rb") as file:
            return file.read()


def _serving_module(model: keras.Model, metadata: dict, assets: str) -> tf.Module:
    """Builds what is saved. It owns plain variables only: Keras objects would want Keras when it is loaded."""
    frames, crop = metadata["frames"], metadata["crop"]
    names = tf.constant(metadata["labels"])

    def answer_with(preprocess: Callable, signature: tf.TensorSpec) -> tf.types.experimental.PolymorphicFunction:
        def serve(clips):
            crops = preprocess(clips, frames, metadata["short_side"], crop)
            crops = tf.ensure_shape(crops, [None, frames, crop, crop, 3])
            probabilities = tf.nn.softmax(tf.cast(model(crops, training=False), tf.float32))
            classes = probabilities.shape[-1]
            if classes != len(metadata["labels"]):
                raise UserError(
                    f"expected a label for each of the model's {classes} classes, found {len(metadata['labels'])}"
                )
            scores, indices = tf.math.top_k(probabilities, min(TOP_K, classes))
            return {
                "probabilities": probabilities,
                "top_k_labels": tf.gather(names, indices),
                "top_k_scores": scores,
            }

        return tf.function(serve, input_signature=[signature], autograph=False)

    module = tf.Module()
    module.model_variables = [weight.value for weight in model.weights]
    module.serve_frames = answer_with(
        preprocessing.from_pixels, tf.TensorSpec([None, frames, None, None, 3], tf.uint8, "frames")
    )
    module.serve_jpeg = answer_with(preprocessing.from_jpeg, tf.TensorSpec([None, frames], tf.string, "encoded_frames"))
    module.labels_file = _asset(assets, LABELS_FILE, "".join(f"{label}\n" for label in metadata["labels"]))
    module.metadata_file = _asset(assets, METADATA_FILE, json.dumps(metadata, indent=2) + "\n")
    return module


def _asset(folder: str, name: str, text: str) -> tf.saved_model.Asset:
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return tf.saved_model.Asset(path)


def _versions() -> dict[str, str]:
    return {
        "tsnet_tf": tsnet_tf.__version__,
        **{name: importlib.metadata.version(name) for name in ("tensorflow", "keras", "numpy")},
    }


def _git_revision() -> str | None:
    """The commit of this code; None where it does not stand in its repository."""
    git = ["git", "-C", os.path.dirname(tsnet_tf.__file__)]
    try:
        # Installed below another project's repository, that one would answer.
        subprocess.run([*git, "ls-files", "--error-unmatch", "__init__.py"], capture_output=True, check=True)
        return subprocess.run(
            [*git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
