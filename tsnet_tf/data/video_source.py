"""Where the videos of a training come from: memory or files. Either lists, shuffles, reads and parses them.

A source is mapped like a data set: ``source.map(function)`` is a `tf.data.Dataset` of what ``function(index, video)``
returns for one video after the other. ``index``, int64 scalar, counts the clips of all input pipelines together, so it
is never the same twice; ``video`` is a `records.Video`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tsnet_tf.data import records
from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.errors import UserError

_FOREVER = np.iinfo(np.int64).max
_FILES_READ_AT_ONCE = 8


@dataclasses.dataclass(frozen=True)
class Order:
    """Which clips one input pipeline makes, and in which order. Nothing else decides that but the number of the files.

    Attributes:
      seed: the same one gives the same order.
      batch_size: clips per step, over all input pipelines.
      pipelines: number of input pipelines; each makes an equal share of every step.
      pipeline: which of them this is.
      repeat: go on for ever, shuffled anew each time round; else stop after the last whole step of the first.
      skip_batches: steps to leave out at the start.
    """

    seed: int
    batch_size: int
    pipelines: int
    pipeline: int
    repeat: bool
    skip_batches: int

    @property
    def share(self) -> int:
        """Clips that this pipeline makes of every step."""
        return self.batch_size // self.pipelines

    @property
    def skipped(self) -> int:
        """Clips that this pipeline leaves out at the start."""
        return self.skip_batches * self.share

    def seed_of(self, number: tf.Tensor) -> tf.Tensor:
        """The seed, int64 [2], of the clip or round with this number, int64 scalar."""
        return tf.stack([tf.cast(self.seed, tf.int64), number])


def open_source(dataset: VideoDataset, splits: Sequence[str], order: Order, faults: records.Faults) -> Memory | Files:
    """Opens the splits' records where they are best read from.

    Raises:
      UserError: there are none, or fewer files than input pipelines.
    """
    shards = dataset.shards(splits)
    if sum(tf.io.gfile.stat(path).length for path, _ in shards) <= dataset.cache_megabytes * 2**20:
        return Memory(shards, order, faults)
    return Files(shards, order, faults, dataset.shuffle_buffer)


class Memory:
    """Records in memory, in an order that any step can start from.

    The sequence does not depend on the number of pipelines: each takes its part of every step.
    """

    def __init__(self, shards: Sequence[tuple[str, int]], order: Order, faults: records.Faults):
        self._order, self._videos = order, records.load(shards, faults)
        self._total = len(self._videos.labels)

    def map(self, function: Callable[[tf.Tensor, records.Video], tuple]) -> tf.data.Dataset:
        """Maps over the videos, many side by side."""

        def make(number: tf.Tensor) -> tuple:
            index = self._index(number)
            return function(index, self._videos.video(self._shuffled(index)))

        return self._list().map(make, num_parallel_calls=tf.data.AUTOTUNE)

    def _list(self) -> tf.data.Dataset:
        """The numbers of this pipeline's clips."""
        end = _FOREVER if self._order.repeat else self._total // self._order.batch_size * self._order.share
        return tf.data.Dataset.range(self._order.skipped, end)

    def _index(self, number: tf.Tensor) -> tf.Tensor:
        step, place = number // self._order.share, number % self._order.share
        return step * self._order.batch_size + self._order.pipeline * self._order.share + place

    def _shuffled(self, index: tf.Tensor) -> tf.Tensor:
        """Which video it is: every round is a permutation of all, with a seed of its own."""
        seed = self._order.seed_of(index // self._total)
        return tf.random.experimental.index_shuffle(index % self._total, seed, self._total - 1)


class Files:
    """Records read from files, in a new order each time round.

    Each pipeline reads files of its own, so the sequence depends on how many there are. What is skipped is read at most
    once round, and not decoded.
    """

    def __init__(self, shards: Sequence[tuple[str, int]], order: Order, faults: records.Faults, shuffle_buffer: int):
        shards = [(path, count) for path, count in shards if count]  # of some, every video was rejected
        if len(shards) < order.pipelines:
            raise UserError(
                f"expected at least one file per input pipeline ({order.pipelines}), found {len(shards)}; use --shards"
            )
        self._order, self._faults, self._shuffle_buffer = order, faults, shuffle_buffer
        paths, counts = zip(*shards[order.pipeline :: order.pipelines], strict=True)
        self._paths, self._counts = tf.constant(paths), tf.constant(counts, tf.int64)
        totals = [sum(count for _, count in shards[p :: order.pipelines]) for p in range(order.pipelines)]
        self._total, self._smallest_total = totals[order.pipeline], min(totals)

    def map(self, function: Callable[[tf.Tensor, records.Video], tuple]) -> tf.data.Dataset:
        """Maps over the videos, many side by side; a record for which ``function`` fails is a fault, and left out."""

        def make(index: tf.Tensor, path: tf.Tensor, number: tf.Tensor, record: tf.Tensor) -> tuple:
            return function(index, records.parse(record, self._faults.classes))

        return records.try_map(self._numbered(), make, self._faults)

    def _numbered(self) -> tf.data.Dataset:
        """Rounds without end, or the first one: (index, path, number in the file, record)."""
        order = self._order
        found = tf.data.Dataset.range(order.skipped // self._total, _FOREVER if order.repeat else 1)
        found = found.flat_map(self._round)
        if not order.repeat:
            found = found.take(max(0, self._smallest_total // order.share * order.share - order.skipped))
        found = found.enumerate(order.skipped)
        return found.map(lambda place, record: (place * order.pipelines + order.pipeline, *record))

    def _round(self, number: tf.Tensor) -> tf.data.Dataset:
        """Lists the files in an order of the round's own, reads some at once, and shuffles what they hold."""
        # Of this graph: with a global seed of 0 TensorFlow compares the other one, a tensor, with 0.
        tf.random.set_seed(1)
        seed = self._order.seed_of(number)
        files = tf.random.experimental.stateless_shuffle(tf.range(len(self._paths)), seed)
        listed = tf.data.Dataset.from_tensor_slices((tf.gather(self._paths, files), tf.gather(self._counts, files)))
        read = listed.interleave(
            lambda path, count: records.read(path, count, self._faults),
            cycle_length=_FILES_READ_AT_ONCE,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        shuffled = read.shuffle(self._shuffle_buffer, seed=tf.cast(self._order.seed, tf.int64) + number)
        first, skipped = divmod(self._order.skipped, self._total)
        return shuffled.skip(tf.where(tf.equal(number, first), tf.cast(skipped, tf.int64), 0))
