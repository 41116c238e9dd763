"""The cost of sampled architectures as TensorFlow look-ups in tables over the parts of a blueprint."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tsnet_tf.models.lookup import Lookup
from tsnet_tf.space.blueprint import blueprint
from tsnet_tf.space.ops import Op
from tsnet_tf.space.two_stream import Space, choices


@dataclasses.dataclass(frozen=True)
class CostModel:
    """What an architecture costs, as a sum over its operations.

    Attributes:
      name: in metrics, summaries and settings.
      unit: for people.
      cost: of an operation.
      measure: the cost of a whole model, where the sum over its operations is an estimate; else None.
    """

    name: str
    unit: str
    cost: Callable[[Op], float]
    measure: Callable[[keras.Model], float] | None = None


GMACS = CostModel("gmacs", "GMACs per view", lambda op: op.cost.macs / 1e9)
PARAMS = CostModel("params_m", "M parameters", lambda op: op.cost.params / 1e6)


class CostTables:
    """The cost of the architectures of ``space`` under a cost model.

    Args:
      space: a space with open choices.
      model: what is counted.
      resolution: side of the input in pixels; default the space's own.

    Attributes:
      parts: of each part in the blueprint's order, its open choices as rows of alpha, and its cost over their
        candidates.
    """

    def __init__(self, space: Space, model: CostModel = GMACS, resolution: int | None = None):
        self.model = model
        row = {choice.label: index for index, choice in enumerate(choices(space))}
        tables = [part.table.map(lambda ops: sum(map(model.cost, ops))) for part in blueprint(space, resolution)]
        self._lookup = Lookup(space, tables, np.float32)
        self.parts: list[tuple[tuple[int, ...], np.ndarray]] = []
        for table in tables:
            costs = np.array(table.values, np.float64).reshape([len(axis.values) for axis in table.axes])
            self.parts.append((tuple(row[axis.label] for axis in table.axes), costs))

    def of(self, architectures: tf.Tensor) -> tf.Tensor:
        """Cost of ``architectures`` (int32 ``[count, choices]``): ``[count]``."""
        return tf.reduce_sum(self._lookup(architectures), 1)

    def expected(self, probabilities: np.ndarray) -> float:
        """The exact mean cost under independent choices with ``probabilities`` ``[choices, values]``.

        For people, in NumPy: as operations of TensorFlow it would be hundreds of small ones.
        """
        probabilities, total = np.asarray(probabilities, np.float64), 0.0
        for rows, mean in self.parts:
            for row in reversed(rows):
                mean = mean @ probabilities[row, : mean.shape[-1]]
            total += float(mean)
        return total
