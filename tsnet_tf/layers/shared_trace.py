"""One trace for many layers that compute the same on different weights.

A supernet has dozens of blocks alike. Written out, each would be traced, differentiated and optimised anew, which takes
minutes; as calls of one function of the graph, all that is done once. The function stays a function (it is not
inlined), or TensorFlow's optimiser would see every copy again.
"""

import contextlib
from collections.abc import Callable, Hashable, Iterator

import tensorflow as tf

from tsnet_tf.layers.batch_norm import Statistics
from tsnet_tf.layers.elastic import Execution

_FUNCTIONS: dict[Hashable, Callable] = {}
_lane: Hashable = None


@contextlib.contextmanager
def lane(name: Hashable) -> Iterator[None]:
    """Has the layers that are called inside share traces with each other alone.

    What may run at the same time, such as two streams, needs a lane each: oneDNN's batch normalisation keeps the width
    of a call in the kernel, and a second call of the same function with another width meanwhile would overwrite it.
    """
    global _lane
    before, _lane = _lane, name
    try:
        yield
    finally:
        _lane = before


def shares_trace(execution: Execution, statistics: Statistics, synchronized: bool) -> bool:
    """Whether a layer with these settings only computes: it keeps no running statistics, its replicas do not meet.

    Masks are for XLA, which compiles every call for its own shapes anyway.
    """
    return execution == "slice" and statistics == "batch" and not synchronized


def call_shared(compute: Callable, settings: Hashable, x, values, sizes: dict) -> tf.Tensor:
    """``compute(x, values, **sizes)``, traced once for all calls in a `lane` that differ in tensors only.

    Args:
      compute: a layer's method that uses no variables and depends on its arguments and ``settings`` alone.
      settings: whatever else tells one layer's computation from another's.
      x: features, perhaps nested.
      values: nested weights. If a size is sampled, one trace serves all their shapes, and those of features too.
      sizes: nested sampled sizes and flags; what is no tensor counts as a setting.
    """
    key = (_lane, compute.__func__, settings)
    if key not in _FUNCTIONS:
        _FUNCTIONS[key] = tf.function(
            lambda x, values, sizes: compute(x, values, **sizes),
            autograph=False,
            experimental_attributes={"_noinline": True},
        )
    any_sampled = any(isinstance(size, tf.Tensor) for size in tf.nest.flatten(sizes))
    signature = (
        tf.nest.map_structure(_any_shape if any_sampled else _any_batch, x),
        tf.nest.map_structure(_any_shape if any_sampled else tf.TensorSpec.from_tensor, values),
        tf.nest.map_structure(_any_shape, sizes),
    )
    return _FUNCTIONS[key].get_concrete_function(*signature)(x, values, sizes)


def _any_batch(x: tf.Tensor) -> tf.TensorSpec:
    return tf.TensorSpec([None, *x.shape[1:]], x.dtype)


def _any_shape(value):
    return tf.TensorSpec([None] * value.shape.rank, value.dtype) if isinstance(value, tf.Tensor) else value
