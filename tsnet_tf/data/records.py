"""Reading records with their names, and what happens to those that cannot be used.

A record that is torn, of another schema, of an unknown label or with a frame that is no JPEG is told in one line that
names its file and its number in it, counted from 0.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tsnet_tf import console
from tsnet_tf.data import clips, schema
from tsnet_tf.errors import UserError


class Faults:
    """Counts the records that are left out of one pipeline, each once; one more than allowed ends the run."""

    def __init__(self, most: int, classes: int):
        """Starts at none.

        Args:
          most: number of records that may be left out.
          classes: labels must be below.
        """
        self.most, self.classes = most, classes
        self.left_out = 0
        self._known: set[tuple[str, int]] = set()

    def add(self, path: str, number: int, found: str, count: int = 1) -> None:
        """Leaves out ``count`` records from the ``number``-th of a file on.

        Raises:
          UserError: that is one too many.
        """
        if (path, number) in self._known:  # it comes again in every round
            return
        self._known.add((path, number))
        self.left_out += count
        line = f"record {number} of '{path}': expected the frames and label of a video, found {found}"
        if self.left_out > self.most:
            allowed = f"; VideoDataset.max_corrupt_records allows {self.most}" if self.most else ""
            raise UserError(f"{line}{allowed}")
        console.warn(f"{line}; left out ({self.left_out} of at most {self.most} records)")

    def add_end(self, path: str, number: int, count: int) -> None:
        """Leaves out what should have come after the first ``number`` of a file's ``count`` records.

        Raises:
          UserError: that is one too many.
        """
        if number > count:
            self.add(path, count, f"{number - count} records more than manifest.json says", number - count)
        elif number < count:
            self.add(
                path, number, f"the file torn there, with {count - number} of {count} records lost", count - number
            )


class Video(NamedTuple):
    """A video whose frames are not decoded yet.

    Attributes:
      encoded: JPEG frames, string [frames]: its own, or those of all videos in memory, of which a part would be a copy.
      first: where its own begin, int32 scalar.
      count: number of its own, int32 scalar.
      label: int32 scalar.
      rate: frames per second, 0 for not known, float32 scalar.
    """

    encoded: tf.Tensor
    first: tf.Tensor
    count: tf.Tensor
    label: tf.Tensor
    rate: tf.Tensor

    def jpegs(self, numbers: tf.Tensor) -> tf.Tensor:
        """The frames with these numbers, int32 [n], as string [n]."""
        return tf.gather(self.encoded, self.first + numbers)


def parse(record: tf.Tensor, classes: int) -> Video:
    """Reads a record as `schema.parse_video` does; one without frames or of an unknown label is an error."""
    encoded, label, rate = schema.parse_video(record)
    with tf.control_dependencies(
        [
            tf.debugging.assert_positive(tf.size(encoded)),
            tf.debugging.assert_non_negative(label),
            tf.debugging.assert_less(label, classes),
        ]
    ):
        return Video(encoded, tf.constant(0), tf.size(encoded), tf.identity(label), rate)


class Loaded(NamedTuple):
    """Videos in memory, their frames one after the other.

    Attributes:
      encoded: JPEG frames of all videos, string [frames].
      starts: where each video's frames begin, and where the last one's end, int32 [videos + 1].
      labels: int32 [videos].
      rates: frames per second, 0 for not known, float32 [videos].
    """

    encoded: tf.Tensor
    starts: tf.Tensor
    labels: tf.Tensor
    rates: tf.Tensor

    def video(self, place: tf.Tensor) -> Video:
        """The video at a place, integer scalar."""
        first, count = self.starts[place], self.starts[place + 1] - self.starts[place]
        return Video(self.encoded, first, count, self.labels[place], self.rates[place])


def load(shards: Sequence[tuple[str, int]], faults: Faults) -> Loaded:
    """Reads all usable records into memory, or finds them there: several pipelines of a run take from the same.

    Every frame is decoded once, so that nothing need be caught later: to catch what might go wrong takes as long as to
    decode a clip of small frames.

    Args:
      shards: path and number of records of each file.
      faults: says what may not be usable.

    Raises:
      UserError: there is no usable record, or too many that are not.
    """
    found = [(*shard, tf.io.gfile.stat(shard[0])) for shard in shards]
    files = tuple((path, count, stat.length, stat.mtime_nsec) for path, count, stat in found)
    return _load(files, faults.most, faults.classes)


@functools.lru_cache(maxsize=2)  # for training and for validation
def _load(files: tuple[tuple[str, int, int, int], ...], most: int, classes: int) -> Loaded:
    shards, faults = [file[:2] for file in files], Faults(most, classes)

    def check(_: tf.Tensor, path: tf.Tensor, number: tf.Tensor, record: tf.Tensor) -> tuple[tf.Tensor, ...]:
        video = parse(record, faults.classes)
        shapes = tf.map_fn(
            lambda frame: tf.shape(clips.decode_frame(frame)), video.encoded, fn_output_signature=tf.int32
        )
        with tf.control_dependencies([tf.debugging.assert_equal(shapes, shapes[:1])]):
            return tf.identity(video.encoded), video.label, video.rate

    numbered = read_all(shards, faults).enumerate().map(lambda index, record: (index, *record))
    videos = list(try_map(numbered, check, faults).as_numpy_iterator())
    if not videos:
        raise UserError(f"expected usable records in {', '.join(path for path, _ in shards)}, found none")
    encoded, labels, rates = zip(*videos, strict=True)
    starts = np.cumsum([0, *map(len, encoded)])
    return Loaded(
        tf.constant(np.concatenate(encoded)),
        tf.constant(starts, tf.int32),
        tf.constant(labels, tf.int32),
        tf.constant(rates, tf.float32),
    )


def read_all(shards: Sequence[tuple[str, int]], faults: Faults) -> tf.data.Dataset:
    """Reads files one after the other: data set of (path, number in the file, record).

    Args:
      shards: path and number of records of each file.
      faults: told when there are fewer.
    """
    paths, counts = zip(*shards, strict=True)
    files = tf.data.Dataset.from_tensor_slices((list(paths), np.array(counts, np.int64)))
    return files.flat_map(lambda path, count: read(path, count, faults))


def read(path: tf.Tensor, count: tf.Tensor, faults: Faults) -> tf.data.Dataset:
    """Reads one file, inside a graph.

    Args:
      path: of the file, scalar string.
      count: number of records that it should have, int64 scalar.
      faults: told when there are fewer.

    Returns:
      Data set of (path, number in the file, record).
    """
    records = tf.data.TFRecordDataset(path).enumerate().ignore_errors()  # a torn file ends before the torn record
    end = tf.data.Dataset.from_tensors((np.int64(-1), b""))

    def note(read_so_far: tf.Tensor, element: tuple[tf.Tensor, tf.Tensor]) -> tuple:
        number, record = element
        return tf.maximum(read_so_far, number + 1), (number, record, read_so_far)

    def told_at_the_end(number: tf.Tensor, record: tf.Tensor, read_so_far: tf.Tensor) -> tf.Tensor:
        def tell() -> tf.Tensor:
            return _in_python(lambda *values: faults.add_end(*values), path, read_so_far, count)

        at_the_end = number < 0
        return tf.cond(at_the_end & tf.not_equal(read_so_far, count), tell, lambda: ~at_the_end & (number < count))

    numbered = records.concatenate(end).scan(np.int64(0), note).filter(told_at_the_end)
    return numbered.map(lambda number, record, _: (path, number, record))


def try_map(records: tf.data.Dataset, step: Callable, faults: Faults) -> tf.data.Dataset:
    """Maps like `tf.data.Dataset.map`, in order, but a record for which ``step`` fails is told and left out.

    Args:
      records: of (anything, path, number in the file, record).
      step: from these to an element.
      faults: told of what cannot be used.
    """

    def tell(_: tf.Tensor, path: tf.Tensor, number: tf.Tensor, record: tf.Tensor) -> tf.Tensor:
        def add(path: str, number: int, record: bytes) -> None:
            faults.add(path, number, schema.fault(record, faults.classes) or "what cannot be decoded")

        return _in_python(add, path, number, record)

    def attempt(*element: tf.Tensor) -> tf.data.Dataset:
        one = tf.data.Dataset.from_tensors(element)
        # The second half runs only if the first has nothing; it tells, and has nothing either.
        return one.map(step).ignore_errors().concatenate(one.filter(tell).map(step)).take(1)

    return records.interleave(
        attempt, cycle_length=tf.data.AUTOTUNE, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )


def _in_python(function: Callable, path: tf.Tensor, *values: tf.Tensor) -> tf.Tensor:
    """Calls ``function`` from a graph, for its effect; false."""

    def call(path: tf.Tensor, *values: tf.Tensor) -> bool:
        function(path.numpy().decode(), *(value.numpy() for value in values))
        return False

    return tf.ensure_shape(tf.py_function(call, [path, *values], tf.bool), [])
