"""Steps of a run that are traced for TensorBoard's profiler."""

import os
from collections.abc import Callable

import tensorflow as tf

from tsnet_tf.training import tensorboard


class Profiler:
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
