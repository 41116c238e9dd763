"""Checkpoints that a kill or a full disk at any moment leaves usable, and that are read before they are believed."""

from __future__ import annotations

import os
import re

import keras
import tensorflow as tf

from tsnet_tf import console, paths
from tsnet_tf.errors import UserError
from tsnet_tf.layers.glore import GloRe

KEPT = 3
FOLDER = "checkpoints"
_PREFIX = "ckpt"


def manager(checkpoint: tf.train.Checkpoint, folder: str, step: tf.Variable, every: int) -> tf.train.CheckpointManager:
    """Saves to ``folder`` every so many steps, each checkpoint under the number of its step, and keeps the last `KEPT`.

    TensorFlow writes the tensors under a temporary name, renames them, writes the index, and then the list of
    checkpoints: whatever stops it, the one before is whole, and is deleted last. What a kill has left under temporary
    names is removed here.

    Raises:
      UserError: TensorFlow would take the folder's name for a pattern.
    """
    paths.check_no_pattern(folder)
    _remove(folder, r".+_temp")
    return tf.train.CheckpointManager(
        checkpoint, folder, max_to_keep=KEPT, checkpoint_name=_PREFIX, step_counter=step, checkpoint_interval=every
    )


def marks(model: keras.Model) -> dict[str, tf.Variable]:
    """What a checkpoint has besides, so that it fits none of a model whose layers computed something else.

    The variables of a training are saved in their order, without names.
    """
    found = any(isinstance(layer, GloRe) for layer in model._flatten_layers())
    return {"divided_assignments": tf.Variable(True, trainable=False)} if found else {}


def save(manager: tf.train.CheckpointManager, step: int, check_interval: bool = True) -> str | None:
    """Saves if it is time, and returns where. What a failed attempt leaves is removed: the disk may be full."""
    try:
        return manager.save(checkpoint_number=step, check_interval=check_interval)
    except BaseException:
        _remove(manager.directory, rf"{_PREFIX}-{step}[._].+")
        raise


def restore_latest(checkpoint: tf.train.Checkpoint, folder: str, title: str) -> str | None:
    """Restores the latest checkpoint in ``folder`` that can be read as a whole; returns it, None if there are none.

    Files are taken for what they are, whatever the list of checkpoints says. Those that cannot be read are named.

    Raises:
      UserError: there are checkpoints, but none that can be read, or the latest is one of something else; or TensorFlow
        would take the folder's name for a pattern.
    """
    paths.check_no_pattern(folder)
    numbers = _numbers(folder)
    for number in numbers:
        path = os.path.join(folder, f"{_PREFIX}-{number}")
        fault = _fault(path)
        if fault is None:
            try:
                checkpoint.restore(path).assert_existing_objects_matched()
            except (AssertionError, ValueError) as error:
                said = str(error).splitlines()[0]
                raise UserError(f"{title}: expected a checkpoint of this model in '{path}', found: {said}") from error
            return path
        console.warn(f"{title}: checkpoint '{path}' cannot be read ({fault}); trying the one before")
    if numbers:
        raise UserError(
            f"{title}: expected a checkpoint that can be read in '{folder}', found {len(numbers)} that cannot; nothing "
            "was changed. To start anew, remove them"
        )
    return None


def _remove(folder: str, pattern: str) -> None:
    """Removes what has a name that matches as a whole."""
    for name in _names(folder):
        if re.fullmatch(pattern, name):
            path = os.path.join(folder, name)
            tf.io.gfile.rmtree(path) if tf.io.gfile.isdir(path) else tf.io.gfile.remove(path)


def _names(folder: str) -> list[str]:
    # Object stores end the names of folders with a slash.
    return [name.rstrip("/") for name in tf.io.gfile.listdir(folder)] if tf.io.gfile.isdir(folder) else []


def _numbers(folder: str) -> list[int]:
    """Steps of which there is any file, the latest first."""
    found = (re.fullmatch(rf"{_PREFIX}-(\d+)\.(index|data-\d+-of-\d+)", name) for name in _names(folder))
    return sorted({int(match[1]) for match in found if match}, reverse=True)


def _fault(path: str) -> str | None:
    """Why a checkpoint cannot be read; None if it can. Every tensor is read, which checks its checksum."""
    if not tf.io.gfile.exists(f"{path}.index"):
        return "its index is missing"
    try:
        reader = tf.train.load_checkpoint(path)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except Exception as error:  # of TensorFlow's and of Python's, as the damage may be
        return " ".join(str(error).split())
    return None
