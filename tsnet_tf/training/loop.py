"""The training loop: Orbit drives a Keras model's ``train_step`` under a strategy, checkpoints and reports."""

import contextlib
import dataclasses
import io
import json
import math
import os
import signal
import tempfile
from collections.abc import Callable

import gin
import keras
import numpy as np
import orbit
import tensorflow as tf

from tsnet_tf import atomic, console
from tsnet_tf.errors import NotFinite, TryAgain
from tsnet_tf.training import checkpoints, stopping

ARRAY_DECIMALS = 4


class _Trainer(orbit.StandardTrainer):
    """One call of ``model.train_step`` per step on every replica, as long as ``stops`` does not say otherwise."""

    def __init__(
        self,
        model: keras.Model,
        dataset,
        step: tf.Variable,
        strategy: tf.distribute.Strategy,
        report_every: int,
        stops: Callable[[], bool],
    ):
        super().__init__(dataset, orbit.StandardTrainerOptions(use_tf_function=True, use_tf_while_loop=False))
        self._model, self._step, self._strategy = model, step, strategy
        self._report_every, self._stops = report_every, stops

    def create_train_loop_fn(self) -> Callable:
        train_step = tf.function(self.train_step)

        def loop(iterator, steps: tf.Tensor) -> None:
            for _ in range(int(steps)):
                if self._stops():
                    raise stopping.Stopped
                train_step(iterator)

        return loop

    def train_loop_begin(self) -> None:
        if int(self._step) % self._report_every == 0:  # else a run goes on that was stopped between two reports
            self._model.reset_metrics()

    def train_step(self, iterator) -> None:
        self._strategy.run(self._model.train_step, args=(next(iterator),))
        self._step.assign_add(1)

    def train_loop_end(self) -> dict[str, float]:
        # What was not measured at all has no mean, such as what says about alpha while it is frozen.
        means = [mean for mean in self._model.metrics if tf.convert_to_tensor(mean.count) > 0]
        return {mean.name: float(mean.result()) for mean in means}


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


@gin.configurable
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
    skipped_allowed: int = 0,
) -> None:
    """Trains ``model``, from the latest checkpoint in ``workdir`` that can be read, if there is any.

    SIGTERM and SIGINT end it after the step in flight, with a checkpoint.

    Args:
      model: compiled; its `train_step` takes one element of the data set, its metrics are means.
      make_dataset: ``(input_context, steps_done)`` to the data set from that step on.
      strategy: the one ``model`` was made under.
      workdir: run folder.
      title: what is being done, for the progress bar.
      pace: how long, and how often to report and save.
      measure: metrics of the last steps to everything that is worth recording.
      arrays: what else is worth recording: nested lists in ``metrics.jsonl``, histograms in TensorBoard.
      shown: what was recorded to what is shown beside the progress bar.
      skipped_allowed: how many updates may be left out because a gradient is not finite, before the run stops.

    Raises:
      NotFinite: a value or a gradient is not a number any more; the message names the step and the last checkpoint.
      NoSpace: the disk is full; the last checkpoint is whole.
      TryAgain: a signal has come, or another worker is gone.
      UserError: there are checkpoints, but none that can be read.
    """
    # Resumption, in this order:
    # 1. Everything that training changes goes into one checkpoint: the step; weights, alpha, multiplier, the state of
    #    random numbers; both optimizers; and what has been measured since the last report.
    step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
    #    The variables are listed: a checkpoint's own walk misses layers in lists (BN statistics) and dropout's state.
    variables = [variable.value for variable in model.variables]
    measured_so_far = [variable.value for metric in model.metrics for variable in metric.variables]
    checkpoint = tf.train.Checkpoint(
        model=model, optimizer=model.optimizer, step=step, variables=variables, metrics=measured_so_far
    )
    # 2. They come back together, before anything reads them, from the latest checkpoint that is whole. All workers read
    #    the chief's; all write, since some values are sums over workers, but only the chief's are kept.
    folder = os.path.join(workdir, checkpoints.FOLDER)
    is_chief = strategy.extended.should_checkpoint
    own_folder = workdir if is_chief else tempfile.mkdtemp()
    with strategy.scope():
        last_good = checkpoints.restore_latest(checkpoint, folder, title)
    done = int(step)
    if done:
        console.say(f"{title}: going on from step {done}")
    manager = checkpoints.manager(checkpoint, os.path.join(own_folder, checkpoints.FOLDER), step, pace.checkpoint_every)
    # 3. The data start where they were: a clip is a function of the seed and its number.
    dataset = strategy.distribute_datasets_from_function(lambda context: make_dataset(context, done))
    # 4. Lines that a lost attempt wrote beyond the checkpoint are dropped, and written again.
    records = os.path.join(own_folder, "metrics.jsonl")
    _drop_records_after(records, done)
    # 5. The first report comes where it would have come, and covers what it would have covered (`_Trainer`).
    with console.progress(title, pace.steps, done) as bar, stopping.noted_signals(title) as received:

        def record(metrics: dict[str, float]) -> None:
            now = int(step)
            measured = {**measure(metrics), **stopping.skipped(model, skipped_allowed, title, last_good)}
            broken = [name for name, value in measured.items() if not math.isfinite(value)]
            if broken:
                raise NotFinite(f"{title}: {broken[0]} is not a number at step {now}; {stopping.said(last_good)}")
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

        def save(_=None, check_interval: bool = True) -> None:
            nonlocal last_good
            last_good = checkpoints.save(manager, int(step), check_interval) or last_good

        events = tf.summary.create_file_writer(os.path.join(own_folder, "events"))
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # Orbit prints; the bar says it better
                orbit.Controller(
                    trainer=_Trainer(
                        model, dataset, step, strategy, pace.report_every, stopping.wanted(strategy, received)
                    ),
                    strategy=strategy,
                    global_step=step,
                    steps_per_loop=lambda now: int(pace.report_every - now % pace.report_every),
                    train_actions=[record, save],
                ).train(pace.steps)
        except stopping.Stopped:
            pass
        except (OSError, tf.errors.OpError) as error:
            found = stopping.foreseen(error, title, last_good)
            if found is None:
                raise
            raise found from error
        finally:
            events.close()
        if int(step) > done:
            save(check_interval=False)
        if received or int(step) < pace.steps:
            name = signal.Signals(received[0]).name if received else "another worker"
            raise TryAgain(
                f"{title}: stopped by {name} after step {int(step)}; {stopping.said(last_good)}; {stopping.AGAIN}"
            )
    if model.optimizer.use_ema:
        model.optimizer.finalize_variable_values(model.trainable_variables)


def _drop_records_after(path: str, step: int) -> None:
    if not tf.io.gfile.exists(path):
        return
    with tf.io.gfile.GFile(path) as file:
        lines = file.read().splitlines()
    kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
    atomic.write_text(path, "".join(line + "\n" for line in kept))
