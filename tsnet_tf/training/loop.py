"""The training loop: Orbit drives a Keras model's ``train_step`` under a strategy, checkpoints and reports."""

import contextlib
import dataclasses
import io
import os
import signal
from collections.abc import Callable

import gin
import keras
import orbit
import tensorflow as tf

from tsnet_tf import console, interruption
from tsnet_tf.errors import NotFinite, TryAgain, UserError
from tsnet_tf.training import checkpoints, divergence, stopping, tensorboard
from tsnet_tf.training.recorder import Recorder
from tsnet_tf.training.strategy import of_chief


class _Trainer(orbit.StandardTrainer):
    """``model.train_step`` on every replica, ``steps_per_call`` times a call, as long as ``stops`` does not say no."""

    def __init__(
        self,
        model: keras.Model,
        dataset,
        step: tf.Variable,
        strategy: tf.distribute.Strategy,
        report_every: int,
        stops: Callable[[], bool],
        profiler: "_Profiler",
        steps_per_call: int,
    ):
        super().__init__(dataset, orbit.StandardTrainerOptions(use_tf_function=True, use_tf_while_loop=False))
        self.steps_done, self.is_tracing = 0, False
        self.began: Callable[[int], None] = lambda steps: None  # told of the first steps, which compile as well
        self._model, self._step, self._strategy = model, step, strategy
        self._report_every, self._stops, self._profiler = report_every, stops, profiler
        # What the profiler is to see has to be a call of its own.
        self._steps_per_call = 1 if profiler.wanted else steps_per_call

    def create_train_loop_fn(self) -> Callable:
        # Autograph would take seconds to find no control flow over tensors.
        train_step = tf.function(self.train_step, autograph=False)
        train_steps = tf.function(self.train_steps, autograph=False)

        def loop(iterator, steps: tf.Tensor) -> None:
            left = int(steps)
            while left:
                if self._stops():
                    raise stopping.Stopped
                count = min(left, self._steps_per_call)
                if self._steps_per_call == 1:
                    self._profiler.run(train_step, iterator)
                else:
                    train_steps(iterator, tf.constant(count))
                if not self.steps_done:
                    self.began(count)
                self.steps_done += count
                left -= count

        return loop

    def train_loop_begin(self) -> None:
        if int(self._step) % self._report_every == 0:  # else a run goes on that was stopped between two reports
            self._model.reset_metrics()

    def train_step(self, iterator) -> None:
        self.is_tracing = True  # Python comes here for nothing else
        try:
            self._strategy.run(self._model.train_step, args=(next(iterator),))
            self._step.assign_add(1)
        finally:
            self.is_tracing = False

    def train_steps(self, iterator, count: tf.Tensor) -> None:
        """``count`` steps in a loop of the graph: Python, and on several hosts the others, are asked once for all."""

        def one(done: tf.Tensor) -> tf.Tensor:
            self.train_step(iterator)
            return done + 1

        tf.while_loop(lambda done: done < count, one, [tf.constant(0)], parallel_iterations=1)

    def train_loop_end(self) -> dict[str, float]:
        # What was not measured at all has no mean, such as what says about alpha while it is frozen.
        means = [mean for mean in self._model.metrics if tf.convert_to_tensor(mean.count) > 0]
        return {mean.name: float(mean.result()) for mean in means}


class _Profiler:
    """Traces the steps from ``first`` to ``last``, for TensorBoard's profiler."""

    def __init__(self, workdir: str, steps: tuple[int, int] | None, done: int):
        self._folder, self._step, self.wanted = os.path.join(workdir, tensorboard.EVENTS), done, steps is not None
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


@gin.configurable
def train_loop(
    model: keras.Model,
    make_dataset: Callable[[tf.distribute.InputContext, int], tf.data.Dataset],
    strategy: tf.distribute.Strategy,
    *,
    workdir: str,
    recorder: Recorder,
    pace: Pace,
    skipped_allowed: int = 0,
    steps_per_call: int = 1,
) -> None:
    """Trains ``model``, from the latest checkpoint in ``workdir`` that can be read, if there is any.

    SIGTERM and SIGINT end it after the step in flight, with a checkpoint; where the first step is still being traced,
    at once, since there is nothing to save.

    Args:
      model: compiled; its `train_step` takes one element of the data set, its metrics are means.
      make_dataset: ``(input_context, steps_done)`` to the data set from that step on.
      strategy: the one ``model`` was made under.
      workdir: run folder.
      recorder: what is written down under which title, where this process writes (`run_folder.start`).
      pace: how long, and how often to report and save.
      skipped_allowed: how many updates may be left out because a gradient is not finite, before the run stops.
      steps_per_call: how many steps a device does before Python sees to signals and, on several hosts, asks the others:
        more where a step is short. A profiled run does them one by one.

    Raises:
      NotFinite: a value or a gradient is not a number any more; the message names the step and the last checkpoint.
      NoSpace: the disk is full; the last checkpoint is whole.
      TryAgain: a signal has come, or another worker is gone.
      UserError: there are checkpoints, but none that can be read.
    """
    title = recorder.title
    if not isinstance(steps_per_call, int) or steps_per_call < 1:
        raise UserError(f"train_loop.steps_per_call: expected an integer from 1 on, found {steps_per_call!r}")
    # Resumption, in this order:
    # 1. Everything that training changes goes into one checkpoint: the step; weights, alpha, multiplier, the state of
    #    random numbers; both optimizers; and what has been measured since the last report.
    step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
    #    The variables are listed: a checkpoint's own walk misses layers in lists (BN statistics) and dropout's state.
    variables = [variable.value for variable in model.variables]
    measured_so_far = [variable.value for metric in model.metrics for variable in metric.variables]
    checkpoint = tf.train.Checkpoint(
        model=model,
        optimizer=model.optimizer,
        step=step,
        variables=variables,
        metrics=measured_so_far,
        **checkpoints.marks(model),
    )
    # 2. They come back together, before anything reads them, from the latest checkpoint that is whole. All workers read
    #    the chief's; all write, since some values are sums over workers, but only the chief's are kept.
    folder = os.path.join(workdir, checkpoints.FOLDER)
    with strategy.scope():
        last_good = checkpoints.restore_latest(checkpoint, folder, title)
    done = int(step)
    if done != of_chief(done, strategy):
        raise UserError(
            f"{title}: expected a run folder that all workers see, found step {done} in it, the chief another"
        )
    if done:
        console.say(f"{title}: going on from step {done}")
    own_folder = os.path.join(recorder.workdir, checkpoints.FOLDER)
    manager = checkpoints.manager(checkpoint, own_folder, step, pace.checkpoint_every)
    # 3. The data start where they were: a clip is a function of the seed and its number.
    dataset = strategy.distribute_datasets_from_function(lambda context: make_dataset(context, done))
    # 4. Lines that a lost attempt wrote beyond the checkpoint are dropped, and written again.
    recorder.drop_after(done)
    # 5. The first report comes where it would have come, and covers what it would have covered (`_Trainer`).
    received: list[int] = []

    def receive(number: int) -> None:
        received.append(number)
        nothing_to_save = trainer.is_tracing and not trainer.steps_done
        if nothing_to_save and not several_workers:  # which wait for each other
            raise interruption.Interrupted

    several_workers = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    stops = stopping.wanted(strategy, received)
    watch = divergence.Watch(model, title, pace.batch_size)
    profiler = _Profiler(recorder.workdir, pace.profile_steps, done)
    trainer = _Trainer(model, dataset, step, strategy, pace.report_every, stops, profiler, steps_per_call)
    with (
        console.progress(title, pace.steps, done) as bar,
        interruption.on_signal(receive),
        interruption.during(lambda: stopping.under_way(title, done, trainer.steps_done, last_good)),
    ):

        def what_now() -> str:
            return f"{stopping.said(last_good)}; {watch.hint}"

        def record(metrics: dict[str, float]) -> None:
            now = int(step)
            rate = {"learning_rate/weights": float(tf.convert_to_tensor(model.optimizer.learning_rate))}
            clips = (now - max(bar.done, timed_from)) * pace.batch_size
            skipped = stopping.skipped(model, skipped_allowed, title, what_now())
            try:
                shown = recorder.record(now, {**metrics, **rate, **skipped}, clips=clips, last=now >= pace.steps)
            except NotFinite as error:
                raise NotFinite(f"{error}; {what_now()}") from error
            watch.look(now, metrics.get("loss", 0.0))
            bar.advance(now - bar.done, **shown)

        def began(steps: int) -> None:
            nonlocal timed_from
            timed_from = done + steps
            recorder.began()
            bar.began(steps)

        trainer.began, timed_from = began, done

        def save(_=None, check_interval: bool = True) -> None:
            nonlocal last_good
            saved = checkpoints.save(manager, int(step), check_interval)
            if saved:
                recorder.save_seconds()
                last_good = saved if own_folder == folder else tf.train.latest_checkpoint(folder)

        try:
            with contextlib.redirect_stdout(io.StringIO()):  # Orbit prints; the bar says it better
                orbit.Controller(
                    trainer=trainer,
                    strategy=strategy,
                    global_step=step,
                    steps_per_loop=lambda now: int(pace.report_every - now % pace.report_every),
                    train_actions=[record, save],
                ).train(pace.steps)
        except interruption.Interrupted:
            raise TryAgain(
                f"{title}: stopped by {signal.Signals(received[0]).name} while its first step was being traced, so "
                f"nothing is lost; {stopping.said(last_good)}; {interruption.AGAIN}"
            ) from None
        except stopping.Stopped:
            stopping.skipped(model, skipped_allowed, title, what_now())  # what would end the run is not saved before it
        except (OSError, tf.errors.OpError) as error:
            found = stopping.foreseen(error, title, last_good)
            if found is None:
                raise
            raise found from error
        finally:
            recorder.close()
        if int(step) > done:
            save(check_interval=False)
        if received or int(step) < pace.steps:
            name = signal.Signals(received[0]).name if received else "another worker"
            raise TryAgain(
                f"{title}: stopped by {name} after step {int(step)}; {stopping.said(last_good)}; {interruption.AGAIN}"
            )
    if model.optimizer.use_ema:
        model.optimizer.finalize_variable_values(model.trainable_variables)
