"""The training loop: Orbit drives a Keras model's ``train_step`` under a strategy, checkpoints and reports."""

import contextlib
import dataclasses
import io
import os
from collections.abc import Callable

import keras
import orbit
import tensorflow as tf

from tsnet_tf import console
from tsnet_tf.errors import UserError
from tsnet_tf.training import tensorboard
from tsnet_tf.training.recorder import Recorder

CHECKPOINTS_KEPT = 3


class _Trainer(orbit.StandardTrainer):
    """One call of ``model.train_step`` per step on every replica."""

    def __init__(self, model, dataset, step: tf.Variable, strategy: tf.distribute.Strategy, profiler: "_Profiler"):
        options = orbit.StandardTrainerOptions(use_tf_function=True, use_tf_while_loop=False)
        super().__init__(dataset, options)
        self._model, self._step, self._strategy, self._profiler = model, step, strategy, profiler

    def create_train_loop_fn(self) -> Callable:
        step_fn = tf.function(self.train_step)
        return orbit.utils.create_loop_fn(lambda iterator: self._profiler.run(step_fn, iterator))

    def train_loop_begin(self) -> None:
        self._model.reset_metrics()

    def train_step(self, iterator) -> None:
        self._strategy.run(self._model.train_step, args=(next(iterator),))
        self._step.assign_add(1)

    def train_loop_end(self) -> dict[str, float]:
        return {name: float(value) for name, value in self._model.get_metrics_result().items()}


class _Profiler:
    """Traces the steps from ``first`` to ``last``, for TensorBoard's profiler."""

    def __init__(self, workdir: str, steps: tuple[int, int] | None, done: int):
        self._folder, self._step = os.path.join(workdir, tensorboard.EVENTS), done
        # What is already done cannot be traced any more.
        self._first, self._last = (max(steps[0], done + 1), steps[1]) if steps else (0, 0)

    def run(self, step_fn: Callable, iterator) -> None:
        self._step += 1
        if not self._first <= self._step <= self._last:
            step_fn(iterator)
            return
        if self._step == self._first:
            tf.profiler.experimental.start(self._folder)
        with tf.profiler.experimental.Trace("train", step_num=self._step, _r=1):
            step_fn(iterator)
        if self._step == self._last:
            tf.profiler.experimental.stop()


@dataclasses.dataclass(frozen=True)
class Pace:
    """How long a run is, how often it reports and saves, and which of its steps are traced.

    Attributes:
      steps: length of the run.
      report_every: steps between two lines of ``metrics.jsonl`` and TensorBoard.
      checkpoint_every: steps between two checkpoints.
      batch_size: training clips per step, for the speed that is shown; 0 if it is not.
      profile_steps: the first and the last step to trace for TensorBoard's profiler; None for none.

    Raises:
      UserError: there are no such steps to trace.
    """

    steps: int
    report_every: int
    checkpoint_every: int
    batch_size: int = 0
    profile_steps: tuple[int, int] | None = None

    def __post_init__(self):
        if self.profile_steps is not None:
            first, last = self.profile_steps
            if not 1 <= first <= last <= self.steps:
                raise UserError(
                    f"profile_steps: expected first and last of the steps 1 to {self.steps}, found {first} and {last}"
                )


def train_loop(
    model: keras.Model,
    make_dataset: Callable[[tf.distribute.InputContext, int], tf.data.Dataset],
    strategy: tf.distribute.Strategy,
    *,
    recorder: Recorder,
    pace: Pace,
) -> None:
    """Trains ``model``, from the latest checkpoint in the run folder if there is one.

    Args:
      model: compiled; its `train_step` takes one element of the data set.
      make_dataset: ``(input_context, steps_done)`` to the data set from that step on.
      strategy: the one ``model`` was made under.
      recorder: what is written down, in which run folder, under which title.
      pace: how long, and how often to report and save.

    Raises:
      UserError: a value is not a number any more; the message names the step and the last checkpoint.
    """
    workdir, title = recorder.workdir, recorder.title
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
    recorder.drop_after(done)

    with console.progress(title, pace.steps, done) as bar:

        def record(metrics: dict[str, float]) -> None:
            now = int(step)
            rate = {"learning_rate/weights": float(model.optimizer.learning_rate)}
            clips = (now - bar.done) * pace.batch_size
            try:
                shown = recorder.record(now, {**metrics, **rate}, clips=clips, last=now >= pace.steps)
            except UserError as error:
                raise UserError(f"{error}; last good checkpoint: {manager.latest_checkpoint or 'none yet'}") from error
            bar.advance(now - bar.done, **shown)

        trainer = _Trainer(model, dataset, step, strategy, _Profiler(workdir, pace.profile_steps, done))
        with contextlib.redirect_stdout(io.StringIO()):  # Orbit prints; the bar says it better
            orbit.Controller(
                trainer=trainer,
                strategy=strategy,
                global_step=step,
                steps_per_loop=pace.report_every,
                checkpoint_manager=manager,
                train_actions=[record],
            ).train(pace.steps)
        recorder.close()
