"""The cost of sampled architectures as TensorFlow look-ups in the tables of `tsnet_tf.space.cost`."""

import numpy as np
import tensorflow as tf

from tsnet_tf.space.cost import parts
from tsnet_tf.space.two_stream import Space, choices


class MacsTables:
    """Multiply-adds per view of the architectures of a space, in GMACs."""

    def __init__(self, space: Space, resolution: int | None = None):
        order = {choice.label: index for index, choice in enumerate(choices(space))}
        flat, strides, starts, self._factors = [], [], [], []
        for part in parts(space, resolution):
            row, step = np.zeros(len(order), np.int32), 1
            for axis in reversed(part.axes):
                if axis.label in order:
                    row[order[axis.label]] = step
                step *= len(axis.values)
            table = np.array([cost.macs for cost in part.table], np.float64) / 1e9
            starts.append(len(flat))
            flat.extend(table)
            strides.append(row)
            axes = [(order[axis.label], len(axis.values)) for axis in part.axes if axis.label in order]
            self._factors.append((axes, table.reshape([size for _, size in axes])))
        self._flat, self._starts = np.array(flat, np.float32), np.array(starts, np.int32)
        self._strides = np.stack(strides, 1)

    def of(self, architectures: tf.Tensor) -> tf.Tensor:
        """GMACs of ``architectures`` (int32 ``[count, choices]``): ``[count]``."""
        where = tf.matmul(architectures, self._strides) + self._starts
        return tf.reduce_sum(tf.gather(self._flat, where), 1)

    def expected(self, probabilities: tf.Tensor) -> tf.Tensor:
        """The exact mean GMACs under independent choices with ``probabilities`` ``[choices, values]``."""
        total = tf.constant(0.0)
        for axes, table in self._factors:
            mean = tf.constant(table, tf.float32)
            for row, size in reversed(axes):
                mean = (
                    tf.linalg.matvec(mean, probabilities[row, :size])
                    if mean.shape.rank > 1
                    else tf.reduce_sum(mean * probabilities[row, :size])
                )
            total += mean
        return total
