"""How time and memory grow with the batch, frames, crop, width and K: a power of each, fitted to measurements."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Sequence

import numpy as np

from tsnet_tf.benchmark import architectures
from tsnet_tf.benchmark.machine import in_fresh_process, peak_gigabytes
from tsnet_tf.benchmark.model_speed import YARDSTICK
from tsnet_tf.benchmark.search_step import joint_step
from tsnet_tf.benchmark.steps import random_batch, training_step
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.space import genotype
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import Space, only

TRAINING = {"batch": (2, 4, 8), "frames": (7, 13, 26), "crop": (112, 160, 224), "width": (0.5, 1.0, 2.0)}
SAMPLES = (1, 2, 4)
_MIDDLE = {"batch": 4, "frames": 13, "crop": 160, "width": 1.0}


def measure() -> list[dict]:
    """Training steps of X3D-S with one of its sizes varied, and joint steps of Table 1's sparse stream with K varied.

    Every figure is of a process of its own.

    Returns:
      For each: ``what`` is varied, ``values``, median ``seconds`` of a step, peak ``gigabytes``, and the exponents of
      both, fitted to their logarithms: doubling multiplies by 2 to that power.
    """
    rows = []
    for what, values in TRAINING.items():
        sizes = [{**_MIDDLE, what: value}.values() for value in values]
        rows.append(_row(what, values, [in_fresh_process(training, *size) for size in sizes]))
    return [*rows, _row("K", SAMPLES, [in_fresh_process(searching, samples) for samples in SAMPLES])]


def training(batch: int, frames: int, crop: int, width: float, steps: int = 4) -> dict:
    """``seconds`` of a training step, and the process's peak ``gigabytes``."""
    model = TwoStreamModel(_changed(genotype.load(YARDSTICK), frames, crop, width))
    clips, labels = random_batch(model.space, batch)
    step, seconds = training_step(model), []
    for _ in range(steps + 1):
        started = time.perf_counter()
        float(step(clips, labels))
        seconds.append(time.perf_counter() - started)
    return {"seconds": statistics.median(seconds[1:]), "gigabytes": peak_gigabytes()}


def searching(samples: int) -> dict:
    """``seconds`` of a joint step, K architectures of the sparse stream in it, and the process's peak ``gigabytes``."""
    space = only(table1(), ["sparse"])
    found = joint_step(space, _MIDDLE["batch"], samples, architectures.largest(space, 4).tolist())
    return {"seconds": found["step"], "gigabytes": found["peak_gigabytes"]}


def exponent(values: Sequence[float], measured: Sequence[float]) -> float:
    """p of ``measured = c * values ** p``, by least squares over logarithms."""
    return float(np.polyfit(np.log(values), np.log(measured), 1)[0])


def _row(what: str, values: Sequence[float], found: Sequence[dict]) -> dict:
    seconds, gigabytes = ([one[name] for one in found] for name in ("seconds", "gigabytes"))
    return {
        "what": what,
        "values": list(values),
        "seconds": seconds,
        "gigabytes": gigabytes,
        "time exponent": exponent(values, seconds),
        "memory exponent": exponent(values, gigabytes),
    }


def _changed(space: Space, frames: int, crop: int, width: float) -> Space:
    """A one-stream genotype with other frames, crop and widths (in even numbers of channels)."""
    stream = space.sparse

    def wide(channels: int) -> int:
        return 2 * round(width * channels / 2)

    groups = tuple(dataclasses.replace(g, channels=tuple(wide(c) for c in g.channels)) for g in stream.groups)
    stream = dataclasses.replace(
        stream, frames=frames, stem_channels=wide(stream.stem_channels), head_channels=wide(stream.head_channels),
        groups=groups,
    )  # fmt: skip
    return dataclasses.replace(space, resolution=crop, streams=(stream,))
