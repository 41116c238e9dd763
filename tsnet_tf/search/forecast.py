"""What a part will take and write, before it begins: length, memory, time by the speed of one model, files."""

from __future__ import annotations

import dataclasses
import datetime
import time
from collections.abc import Sequence

import tensorflow as tf

from tsnet_tf import console
from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.settings import Settings
from tsnet_tf.space import genotype, memory
from tsnet_tf.space.cost import complexity
from tsnet_tf.space.two_stream import Space, pick, variables
from tsnet_tf.training.pace import steps_of

BACKWARD = 2.0  # times a forward pass
MEASURED_CLIPS, MEASURED_SECONDS = 4, 0.5


@dataclasses.dataclass(frozen=True)
class Forecast:
    """What one part will do.

    Attributes:
      name: of the part.
      reads, writes: folders.
      typical: an architecture of about the cost that it computes with.
      gmacs: that cost, per clip.
      steps: its length.
      clips: in a batch of one model.
      passes: forward passes of one clip in a step, backward ones counted as `BACKWARD` more.
      policy, optimizer: for memory (`tsnet_tf.space.memory.of_training`).
    """

    name: str
    reads: str
    writes: str
    typical: Space
    gmacs: float
    steps: int
    clips: int
    passes: float
    policy: str
    optimizer: str

    @property
    def gigabytes(self) -> float:
        """Of a device, if one device has the whole batch."""
        own = memory.of_training(self.typical, self.clips, policy=self.policy, optimizer=self.optimizer)
        return own.gigabytes * self.gmacs / complexity(self.typical).gmacs


def of_training(given: Settings, genotype_file: str | None, found: Space | None, workdir: str) -> Forecast:
    """Of a training from scratch; gin holds its settings.

    Args:
      given: its settings.
      genotype_file: what is trained; None if it is still to be found.
      found: an architecture of about its cost, if it is still to be found.
      workdir: run folder.
    """
    dataset = VideoDataset()
    space = found or genotype.load(genotype_file)
    space = dataclasses.replace(space, classes=len(dataset.labels()), resolution=dataset.crop)
    batch = given.value("train.batch_size") or 64
    videos = dataset.num_videos(given.value("train.train_splits") or ("train",))
    steps = steps_of(given.value("train.epochs"), videos, batch)
    reads = f"{dataset.directory}, {genotype_file or 'what was found'}"
    passes, gmacs = (1 + BACKWARD) * batch, complexity(space).gmacs
    return Forecast("train", reads, workdir, space, gmacs, steps, batch, passes, *of_numbers(given))


def of_numbers(given: Settings) -> tuple[str, str]:
    """Precision and optimizer, which memory depends on."""
    return given.value("precision.policy") or "float32", given.value("weight_optimizer.kind") or "sgd"


def between(space: Space, part: float) -> Space:
    """An architecture between the smallest (0) and the largest sizes (1) of ``space``; without fusion and attention."""

    def at(values: Sequence):
        return values[round(min(max(part, 0.0), 1.0) * (len(values) - 1))]

    off = {"fusion": "none", "attention": False}
    return pick(
        space,
        {
            one.label: off[one.kind] if off.get(one.kind, one) in one.values else at(one.values)
            for one in variables(space)
        },
    )


def seconds_per_gmac(space: Space) -> float:
    """How long a forward pass takes here, per clip and GMAC, measured on one architecture."""
    model = tf.function(TwoStreamModel(space))
    clips = tf.zeros([MEASURED_CLIPS, space.frames, space.resolution, space.resolution, 3], tf.uint8)
    model(clips)
    started, times = time.perf_counter(), 0
    while time.perf_counter() - started < MEASURED_SECONDS:
        float(model(clips)[0, 0])
        times += 1
    return (time.perf_counter() - started) / times / MEASURED_CLIPS / complexity(space).gmacs


def show(parts: Sequence[Forecast]) -> None:
    """Prints a table, after measuring how fast the last part's architecture is."""
    speed = seconds_per_gmac(parts[-1].typical)
    console.table(
        f"Parts (time: {1 / speed:.3g} GMACs a second, measured forwards; without evaluation and start-up)",
        ["part", "reads", "writes", "steps", "clips a step", "GB, about", "time, about"],
        [
            [
                one.name,
                one.reads,
                one.writes,
                one.steps,
                one.clips,
                f"{one.gigabytes:.2g}",
                datetime.timedelta(seconds=round(one.steps * one.passes * one.gmacs * speed)),
            ]
            for one in parts
        ],
    )
