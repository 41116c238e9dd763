"""The training loop: Orbit drives a Keras model's ``train_step`` under a strategy, checkpoints and reports."""

import contextlib
import dataclasses
import io
import json
import math
import os
from collections.abc import Callable

import keras
import numpy as np
import orbit
import tensorflow as tf

from tsnet_tf import console
from tsnet_tf.errors import UserError

CHECKPOINTS_KEPT = 3
ARRAY_DECIMALS = 4


class _Trainer(orbit.StandardTrainer):
    """One call of ``model.train_step`` per step on every replica."""

    def __init__(self, model: keras.Model, dataset, step: tf.Variable, strategy: tf.distribute.Strategy):
        options = orbit.StandardTrainerOptions(use_tf_function=True, use_tf_while_loop=False)
        super().__init__(dataset, options)
        self._model, self._step, self._strategy = model, step, strategy

    def train_loop_begin(self) -> None:
        self._model.reset_metrics()

    def train_step(self, iterator) -> None:
        self._strategy.run(self._model.train_step, args=(next(iterator),))
        self._step.assign_add(1)

    def train_loop_end(self) -> dict[str, float]:
        return {name: float(value) for name, value in self._model.get_metrics_result().items()}


@dataclasses.dataclass(frozen=True)
class Pace:
    """How often a run reports and saves.

    Attributes:
      steps: length of the run.
      report_every: steps between two lines of ``metrics.jsonl`` and TensorBoard.
      checkpoint_every: steps between two checkpoints.
    """

    steps: int
    report_every: int
    checkpoint_every: int


def train_loop(
    model: keras.Model,
    make_dataset: Callable[[tf.distribute.InputContext, int], tf.data.Dataset],
    strategy: tf.distribute.Strategy,
    *,
    workdir: str,
    title: str,
    pace: Pace,
    measure: Callable[[dict[str, float]], dict[str, float]] = dict,
    arrays: Callable[[], dict[str, np.ndarray]] = dict,
    shown: Callable[[dict[str, float]], dict[str, str]] = dict,
) -> None:
    """Trains ``model``, from the latest checkpoint in ``workdir`` if there is one.

    Args:
      model: compiled; its `train_step` takes one element of the data set.
      make_dataset: ``(input_context, steps_done)`` to the data set from that step on.
      strategy: the one ``model`` was made under.
      workdir: run folder.
      title: what is being done, for the progress bar.
      pace: how long, and how often to report and save.
      measure: metrics of the last steps to everything that is worth recording.
      arrays: what else is worth recording: nested lists in ``metrics.jsonl``, histograms in TensorBoard.
      shown: what was recorded to what is shown beside the progress bar.

    Raises:
      UserError: a value is not a number any more; the message names the step and the last checkpoint.
    """
    # 1. The step counter and everything that training changes go into one checkpoint.
    step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
    #    The variables are listed: a checkpoint's own walk misses layers in lists (BN statistics) and dropout's state.
    variables = [variable.value for variable in model.variables]
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer, step=step, variables=variables)
    manager = tf.train.CheckpointManager(
        checkpoint,
        os.path.join(workdir, "checkpoints"),
        max_to_keep=CHECKPOINTS_KEPT,
        step_counter=step,
        checkpoint_interval=pace.checkpoint_every,
    )
    # 2. Weights, optimizers, alpha and step come back together, before anything reads them.
    if manager.latest_checkpoint:
        checkpoint.restore(manager.latest_checkpoint).assert_existing_objects_matched()
        console.say(f"{title}: going on from step {int(step)}")
    done = int(step)
    # 3. The data start where they were: a clip is a function of the seed and its number.
    dataset = strategy.distribute_datasets_from_function(lambda context: make_dataset(context, done))
    # 4. Lines that a lost attempt wrote beyond the checkpoint are dropped, and written again.
    records = os.path.join(workdir, "metrics.jsonl")
    _drop_records_after(records, done)

    with console.progress(title, pace.steps, done) as bar:

        def record(metrics: dict[str, float]) -> None:
            now = int(step)
            measured = measure(metrics)
            broken = [name for name, value in measured.items() if not math.isfinite(value)]
            if broken:
                last = manager.latest_checkpoint or "none yet"
                raise UserError(f"{title}: {broken[0]} is not a number at step {now}; last good checkpoint: {last}")
            distributions = arrays()
            lists = {name: np.round(value, ARRAY_DECIMALS).tolist() for name, value in distributions.items()}
            with tf.io.gfile.GFile(records, "a") as file:
                file.write(json.dumps({"step": now, **measured, **lists}) + "\n")
            with events.as_default(step=now):
                for name, value in measured.items():
                    tf.summary.scalar(name, value)
                for name, value in distributions.items():
                    tf.summary.histogram(name, value)
            bar.advance(min(pace.report_every, now - bar.done), **shown(measured))

        events = tf.summary.create_file_writer(os.path.join(workdir, "events"))
        with contextlib.redirect_stdout(io.StringIO()):  # Orbit prints; the bar says it better
            orbit.Controller(
                trainer=_Trainer(model, dataset, step, strategy),
                strategy=strategy,
                global_step=step,
                steps_per_loop=pace.report_every,
                checkpoint_manager=manager,
                train_actions=[record],
            ).train(pace.steps)
        events.close()


def _drop_records_after(path: str, step: int) -> None:
    if not tf.io.gfile.exists(path):
        return
    with tf.io.gfile.GFile(path) as file:
        lines = file.read().splitlines()
    kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
    with tf.io.gfile.GFile(path, "w") as file:
        file.write("".join(line + "\n" for line in kept))
