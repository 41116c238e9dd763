"""The training loop: Orbit drives a Keras model's ``train_step`` under a strategy, checkpoints and reports."""

import contextlib
import io
import signal
from collections.abc import Callable

import gin
import keras
import orbit
import tensorflow as tf

from tsnet_tf import console, interruption
from tsnet_tf.errors import NotFinite, TryAgain, UserError
from tsnet_tf.training import checkpoints, divergence, stopping
from tsnet_tf.training.pace import Pace
from tsnet_tf.training.profiler import Profiler
from tsnet_tf.training.recorder import Recorder
from tsnet_tf.training.trainer import Trainer


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
    if not isinstance(steps_per_call, int) or steps_per_call < 1:
        raise UserError(f"train_loop.steps_per_call: expected an integer from 1 on, found {steps_per_call!r}")
    # Resumption, in this order:
    # 1. Everything that training changes comes back together, before anything reads it.
    saves = checkpoints.Saves(model, strategy, workdir, recorder.workdir, recorder.title, pace.checkpoint_every)
    # 2. The data start where they were: a clip is a function of the seed and its number.
    dataset = strategy.distribute_datasets_from_function(lambda context: make_dataset(context, saves.resumed_from))
    # 3. Lines that a lost attempt wrote beyond the checkpoint are dropped, and written again.
    recorder.drop_after(saves.resumed_from)
    # 4. The first report comes where it would have come, and covers what it would have covered (`Trainer`).
    signals: list[int] = []
    stops = stopping.wanted(strategy, signals)
    profiler = Profiler(recorder.workdir, pace.profile_steps, saves.resumed_from)
    trainer = Trainer(model, dataset, saves.step, strategy, pace.report_every, stops, profiler, steps_per_call)
    with (
        console.progress(recorder.title, pace.steps, saves.resumed_from) as bar,
        interruption.on_signal(lambda number: _receive(number, signals, trainer, strategy)),
        interruption.during(
            lambda: stopping.under_way(recorder.title, saves.resumed_from, trainer.steps_done, saves.last_good)
        ),
    ):
        reports = _Reports(model, saves, pace, recorder, bar, skipped_allowed)
        trainer.began = reports.began
        _drive(trainer, strategy, pace, reports, signals)
        if int(saves.step) > saves.resumed_from:
            reports.save(check_interval=False)
        if signals or int(saves.step) < pace.steps:
            name = signal.Signals(signals[0]).name if signals else "another worker"
            raise TryAgain(
                f"{recorder.title}: stopped by {name} after step {int(saves.step)}; {stopping.said(saves.last_good)}; "
                f"{interruption.AGAIN}"
            )
    if model.optimizer.use_ema:
        model.optimizer.finalize_variable_values(model.trainable_variables)


class _Reports:
    """What Orbit has done after every ``pace.report_every`` steps: a record, and a checkpoint if it is time."""

    def __init__(
        self,
        model: keras.Model,
        saves: checkpoints.Saves,
        pace: Pace,
        recorder: Recorder,
        bar,
        skipped_allowed: int,
    ):
        self.title = recorder.title
        self._model, self.saves, self._pace, self.recorder, self._bar = model, saves, pace, recorder, bar
        self._skipped_allowed, self._timed_from = skipped_allowed, saves.resumed_from
        self._watch = divergence.Watch(model, recorder.title, pace.batch_size)

    def began(self, steps: int) -> None:
        """The first steps, which compile as well, are done."""
        self._timed_from = self.saves.resumed_from + steps
        self.recorder.began()
        self._bar.began(steps)

    def record(self, metrics: dict[str, float]) -> None:
        now = int(self.saves.step)
        rate = {"learning_rate/weights": float(tf.convert_to_tensor(self._model.optimizer.learning_rate))}
        clips = (now - max(self._bar.done, self._timed_from)) * self._pace.batch_size
        skipped, last = self.skipped(), now >= self._pace.steps
        try:
            shown = self.recorder.record(now, {**metrics, **rate, **skipped}, clips=clips, last=last)
        except NotFinite as error:
            raise NotFinite(f"{error}; {self._what_now()}") from error
        self._watch.look(now, metrics.get("loss", 0.0))
        self._bar.advance(now - self._bar.done, **shown)

    def skipped(self) -> dict[str, int]:
        """How many updates were left out (`stopping.skipped`)."""
        return stopping.skipped(self._model, self._skipped_allowed, self.title, self._what_now())

    def save(self, _=None, check_interval: bool = True) -> None:
        if self.saves.save(check_interval):
            self.recorder.save_seconds()

    def _what_now(self) -> str:
        return f"{stopping.said(self.saves.last_good)}; {self._watch.hint}"


def _receive(number: int, signals: list[int], trainer: Trainer, strategy: tf.distribute.Strategy) -> None:
    """Notes a signal; where the first step is still being traced, ends at once."""
    signals.append(number)
    several_workers = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)  # which wait for each other
    if trainer.is_tracing and not trainer.steps_done and not several_workers:
        raise interruption.Interrupted


def _drive(
    trainer: Trainer, strategy: tf.distribute.Strategy, pace: Pace, reports: _Reports, signals: list[int]
) -> None:
    """Has Orbit train until the last step or a signal; what else ends it is told in one line."""
    saves = reports.saves
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # Orbit prints; the bar says it better
            orbit.Controller(
                trainer=trainer,
                strategy=strategy,
                global_step=saves.step,
                steps_per_loop=lambda now: int(pace.report_every - now % pace.report_every),
                train_actions=[reports.record, reports.save],
            ).train(pace.steps)
    except interruption.Interrupted:
        raise TryAgain(
            f"{reports.title}: stopped by {signal.Signals(signals[0]).name} while its first step was being traced, so "
            f"nothing is lost; {stopping.said(saves.last_good)}; {interruption.AGAIN}"
        ) from None
    except stopping.Stopped:
        reports.skipped()  # what would end the run is not saved before it
    except (OSError, tf.errors.OpError) as error:
        found = stopping.foreseen(error, reports.title, saves.last_good)
        if found is None:
            raise
        raise found from error
    finally:
        reports.recorder.close()
