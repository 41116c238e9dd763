"""What recording a search costs: the same search with and without its lines, pictures and events."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable

import gin
import numpy as np
import tensorflow as tf

from tsnet_tf.benchmark import architectures
from tsnet_tf.benchmark.machine import median_ratio
from tsnet_tf.benchmark.steps import random_batch
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.search.cost_tables import CostTables
from tsnet_tf.search.joint_settings import settings_from_gin
from tsnet_tf.search.joint_step import SearchModel
from tsnet_tf.search.monitor import Monitor
from tsnet_tf.space.two_stream import Space
from tsnet_tf.training import tensorboard
from tsnet_tf.training.optimizers import alpha_optimizer, weight_optimizer
from tsnet_tf.training.recorder import Recorder


def overhead(space: Space, batch_size: int, steps: int, report_every: int, repeats: int) -> dict:
    """The same search with and without everything that it records, from its first step to its last; settings by gin.

    Args:
      space: a space with open choices.
      batch_size: clips for the weights, and as many for alpha.
      steps: length of the search.
      report_every: steps between two records.
      repeats: searches of each kind, interleaved.

    Returns:
      Median seconds of a search ``without`` and ``with`` records; the median of the ratios less 1, ``share``; the same
      for seconds of processor time, ``processor_share``; and ``inside``, the seconds that went by while recording over
      the other seconds of the same searches, where whatever else the machine does counts on both sides.
    """
    target = float(np.median(CostTables(space).of(tf.constant(architectures.uniform(space, 64)))))
    model = SearchModel(TwoStreamModel(space), settings_from_gin(), target=target, alpha_optimizer=alpha_optimizer())
    model.compile(weight_optimizer(steps))
    batch = random_batch(space, batch_size)
    step = tf.function(model.train_step, autograph=False)
    start = float(model.multiplier)
    recording, others = 0.0, 0.0

    def search(record: Callable[[int], object]) -> None:
        # Every search draws the same architectures: those are numbered by the optimizer's steps.
        model.optimizer.iterations.assign(0)
        model.alpha.assign(tf.zeros_like(model.alpha))
        model.multiplier.assign(start)
        for number in range(1, steps + 1):
            float(step((batch, batch))["loss"])
            if number % report_every == 0:
                record(number)

    def recorded(folder: str) -> None:
        nonlocal recording, others
        begun, spent = time.perf_counter(), 0.0
        labels = [f"class {index}" for index in range(space.classes)]
        tensorboard.write_start(folder, gin.operative_config_str(), batch, labels, space.sparse.frames)
        watched = Monitor(model, seed=0)
        recorder = Recorder(
            folder,
            "search",
            measure=watched.measure,
            arrays=watched.arrays,
            pictures=watched.pictures,
            shown=watched.shown,
        )
        spent += time.perf_counter() - begun

        def record(number: int) -> None:
            nonlocal spent
            started = time.perf_counter()
            metrics = {name: float(value) for name, value in model.get_metrics_result().items()}
            recorder.record(number, metrics, clips=report_every * batch_size, last=number == steps)
            spent += time.perf_counter() - started

        search(record)
        recorder.close()
        recording, others = recording + spent, others + time.perf_counter() - begun - spent

    step((batch, batch))  # traces
    seconds: dict[str, list] = {"without": [], "with": []}
    for _ in range(repeats):
        for name, action in (("without", lambda folder: search(lambda number: None)), ("with", recorded)):
            with tempfile.TemporaryDirectory() as folder:
                wall, processor = time.perf_counter(), time.process_time()
                action(folder)
                seconds[name].append((time.perf_counter() - wall, time.process_time() - processor))
    (without, processor_without), (with_, processor_with) = (np.array(found).T for found in seconds.values())
    return {
        "without": float(np.median(without)),
        "with": float(np.median(with_)),
        "share": median_ratio(with_, without) - 1.0,
        "processor_share": median_ratio(processor_with, processor_without) - 1.0,
        "inside": recording / others,
    }
