"""Look-ups in many tables at once."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tsnet_tf.space.lookup_table import LookupTable
from tsnet_tf.space.two_stream import Space, choices


class Lookup:
    """The values of tables over a space's choices, for sampled architectures.

    All tables go into one flat constant, and a matrix product turns an architecture into one position for each table: a
    handful of operations where there would be thousands.

    Args:
      space: a space with open choices.
      tables: over choices of the space; one or more.
      dtype: of the values.
    """

    def __init__(self, space: Space, tables: Sequence[LookupTable], dtype: type):
        self._strides = np.array(
            [[table.strides.get(choice.label, 0) for table in tables] for choice in choices(space)], np.int32
        ).reshape([-1, len(tables)])
        self._starts = np.cumsum([0, *(len(table.values) for table in tables[:-1])], dtype=np.int32)
        self._values = np.concatenate([np.array(table.values, dtype) for table in tables])

    def __call__(self, architectures: tf.Tensor) -> tf.Tensor:
        """The values for ``architectures``, int32 ``[count, choices]``: ``[count, tables]``."""
        return tf.gather(self._values, tf.matmul(architectures, self._strides) + self._starts)
