"""Checkpoints that a kill or a full disk at any moment leaves usable, and that are read before they are believed."""

from __future__ import annotations

import os
import re

import keras
import tensorflow as tf

from tsnet_tf import console, paths
from tsnet_tf.errors import UserError
from tsnet_tf.layers.glore import GloRe
from tsnet_tf.training.strategy import of_chief

KEPT = 3
FOLDER = "checkpoints"
_PREFIX = "ckpt"


class Saves:
    """The checkpoints of one training: the latest is read when it begins, others are written while it goes on.

    All workers read the chief's; all write, since some values are sums over workers, but only the chief's are kept.

    Args:
      model: compiled. Everything that its training changes goes into one checkpoint: the step; weights, alpha,
        multiplier, the state of random numbers; both optimizers; and what has been measured since the last report.
      strategy: the one ``model`` was made under.
      workdir: run folder.
      own_workdir: where this process writes (`run_folder.own`).
      title: what is being done, for messages.
      every: steps between two checkpoints.

    Attributes:
      step: how many steps are done, int64 ``[]``.
      resumed_from: how many were done when this process began.
      last_good: the latest checkpoint that can be read; None if there is none yet.

    Raises:
      UserError: there are checkpoints, but none that can be read, or workers see different ones.
    """

    def __init__(
        self,
        model: keras.Model,
        strategy: tf.distribute.Strategy,
        workdir: str,
        own_workdir: str,
        title: str,
        every: int,
    ):
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        checkpoint = tf.train.Checkpoint(
            model=model,
            optimizer=model.optimizer,
            step=self.step,
            # They are listed: a checkpoint's own walk misses layers in lists (BN statistics) and dropout's state.
            variables=[variable.value for variable in model.variables],
            metrics=[variable.value for metric in model.metrics for variable in metric.variables],
            **marks(model),
        )
        self._folder = os.path.join(workdir, FOLDER)
        with strategy.scope():
            self.last_good = restore_latest(checkpoint, self._folder, title)
        self.resumed_from = int(self.step)
        if self.resumed_from != of_chief(self.resumed_from, strategy):
            raise UserError(
                f"{title}: expected a run folder that all workers see, found step {self.resumed_from} in it, the chief "
                "another"
            )
        if self.resumed_from:
            console.say(f"{title}: going on from step {self.resumed_from}")
        self._manager = manager(checkpoint, os.path.join(own_workdir, FOLDER), self.step, every)

    def save(self, check_interval: bool = True) -> bool:
        """Saves if it is time, or at once without ``check_interval``; returns whether it did."""
        saved = save(self._manager, int(self.step), check_interval)
        if saved:
            is_chief = self._manager.directory == self._folder
            self.last_good = saved if is_chief else tf.train.latest_checkpoint(self._folder)
        return bool(saved)


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
