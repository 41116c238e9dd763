"""The cost of sampled architectures as TensorFlow look-ups in tables over the parts of a space."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tsnet_tf.space.cost import parts
from tsnet_tf.space.pieces import Piece
from tsnet_tf.space.two_stream import Space, choices


@dataclasses.dataclass(frozen=True)
class CostModel:
    """What an architecture costs, as a sum over its pieces.

    Attributes:
      name: in metrics, summaries and settings.
      unit: for people.
      price: the cost of a piece.
      measure: the cost of a whole model, where the sum over its pieces is an estimate; else None.
    """

    name: str
    unit: str
    price: Callable[[Piece], float]
    measure: Callable[[keras.Model], float] | None = None


GMACS = CostModel("gmacs", "GMACs per view", lambda piece: piece.cost.macs / 1e9)
PARAMS = CostModel("params_m", "M parameters", lambda piece: piece.cost.params / 1e6)


class CostTables:
    """The cost of the architectures of ``space`` under a cost model.

    Args:
      space: a space with open choices.
      model: what is counted.
      resolution: side of the input in pixels; default the space's own.
    """

    def __init__(self, space: Space, model: CostModel = GMACS, resolution: int | None = None):
        self.model = model
        order = {choice.label: index for index, choice in enumerate(choices(space))}
        flat, strides, starts, self._factors = [], [], [], []
        for part in parts(space, resolution):
            row, step = np.zeros(len(order), np.int32), 1
            for axis in reversed(part.axes):
                if axis.label in order:
                    row[order[axis.label]] = step
                step *= len(axis.values)
            table = np.array([sum(map(model.price, pieces)) for pieces in part.pieces], np.float64)
            starts.append(len(flat))
            flat.extend(table)
            strides.append(row)
            axes = [(order[axis.label], len(axis.values)) for axis in part.axes if axis.label in order]
            self._factors.append((axes, table.reshape([size for _, size in axes])))
        self._flat, self._starts = np.array(flat, np.float32), np.array(starts, np.int32)
        self._strides = np.stack(strides, 1)

    def of(self, architectures: tf.Tensor) -> tf.Tensor:
        """Cost of ``architectures`` (int32 ``[count, choices]``): ``[count]``."""
        where = tf.matmul(architectures, self._strides) + self._starts
        return tf.reduce_sum(tf.gather(self._flat, where), 1)

    def expected(self, probabilities: np.ndarray) -> float:
        """The exact mean cost under independent choices with ``probabilities`` ``[choices, values]``.

        For people, in NumPy: as operations of TensorFlow it would be hundreds of small ones.
        """
        probabilities, total = np.asarray(probabilities, np.float64), 0.0
        for axes, table in self._factors:
            mean = table
            for row, size in reversed(axes):
                mean = mean @ probabilities[row, :size]
            total += float(mean)
        return total
