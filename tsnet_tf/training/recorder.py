"""What a run writes down while it goes on: lines of ``metrics.jsonl``, TensorBoard events, figures beside a bar."""

import json
import math
import os
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tsnet_tf import atomic
from tsnet_tf.errors import NotFinite
from tsnet_tf.training import tensorboard

RECORDS = "metrics.jsonl"
SECONDS = "seconds.json"
ARRAY_DECIMALS = 4
PICTURES_SHARE = 0.01  # of a run's time
PICTURES_SECONDS = 0.5  # what drawing is thought to take until it has been measured


def seconds_of(workdir: str) -> float:
    """What earlier attempts of a run took until their last checkpoint."""
    path = os.path.join(workdir, SECONDS)
    if not tf.io.gfile.exists(path):
        return 0.0
    with tf.io.gfile.GFile(path) as file:
        return json.load(file)


class Recorder:
    """Takes the metrics of a run now and then, and writes them where they are looked for.

    Args:
      workdir: run folder, or another one for all workers but the chief (`run_folder.start`).
      title: what is being done, for messages.
      measure: metrics of the last steps to everything that is worth recording.
      arrays: what else is worth recording: nested lists in ``metrics.jsonl``, histograms in TensorBoard.
      pictures: name to what draws it, uint8 ``[height, width, 3]``, for TensorBoard: at the end, and before that as
        often as takes `PICTURES_SHARE` of the time.
      shown: what was recorded to what is shown beside the progress bar.
    """

    def __init__(
        self,
        workdir: str,
        title: str,
        *,
        measure: Callable[[dict[str, float]], dict[str, float]] = dict,
        arrays: Callable[[], dict[str, np.ndarray]] = dict,
        pictures: Callable[[], dict[str, Callable[[], np.ndarray]]] = dict,
        shown: Callable[[dict[str, float]], dict[str, str]] = dict,
    ):
        self.workdir, self.title = workdir, title
        self._path = os.path.join(workdir, RECORDS)
        self._measure, self._arrays, self._pictures, self._shown = measure, arrays, pictures, shown
        self._events = tensorboard.writer(workdir)
        self._started = self._last = time.monotonic()
        self._before = seconds_of(workdir)
        self._pictures_due = self._last + PICTURES_SECONDS / PICTURES_SHARE

    def began(self) -> None:
        """The first steps, which compile as well, are done: the speed is that of those that follow."""
        self._last = time.monotonic()

    def save_seconds(self) -> None:
        """Notes how long this run has taken so far, with its earlier attempts (`seconds_of`)."""
        atomic.write_json(os.path.join(self.workdir, SECONDS), self._before + time.monotonic() - self._started)

    def drop_after(self, step: int) -> None:
        """Drops lines beyond ``step``, which a lost attempt wrote after its last checkpoint."""
        if not tf.io.gfile.exists(self._path):
            return
        with tf.io.gfile.GFile(self._path) as file:
            lines = file.read().splitlines()
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
        atomic.write_text(self._path, "".join(line + "\n" for line in kept))

    def record(self, step: int, metrics: dict[str, float], *, clips: int = 0, last: bool = False) -> dict[str, str]:
        """Writes one record.

        Args:
          step: the step that was just done.
          metrics: of the steps since the record before.
          clips: training clips since the record before; 0 if nobody counts them.
          last: whether the run ends here.

        Returns:
          What to show beside the progress bar.

        Raises:
          NotFinite: a value is not a number any more; the message names the step.
        """
        measured = self._measure(metrics)
        broken = [name for name, value in measured.items() if not math.isfinite(value)]
        if broken:
            raise NotFinite(f"{self.title}: {broken[0]} is not a number at step {step}")
        arrays = self._arrays()
        lists = {name: np.round(value, ARRAY_DECIMALS).tolist() for name, value in arrays.items()}
        with tf.io.gfile.GFile(self._path, "a") as file:
            file.write(json.dumps({"step": step, **measured, **lists}) + "\n")
        # How fast it goes is not in the records: they are the same for a run that was interrupted.
        now = time.monotonic()
        speed = {"clips_per_second": clips / (now - self._last)} if clips else {}
        with self._events.as_default(step=step):
            tensorboard.write({**measured, **speed}, arrays)
            if last or now >= self._pictures_due:
                tensorboard.write_pictures(self._pictures())
                drawn = time.monotonic()
                self._pictures_due = drawn + (drawn - now) / PICTURES_SHARE
        self._last = time.monotonic()
        shown = self._shown(measured)
        return {**shown, "clips/s": f"{speed['clips_per_second']:.3g}"} if speed else shown

    def close(self) -> None:
        """Writes what is still in memory."""
        self._events.close()
