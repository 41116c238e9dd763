"""One trace for many layers that compute the same on different weights.

A supernet has dozens of blocks alike. Written out, each would be traced, differentiated and optimised anew, which takes
minutes; as calls of one function of the graph, all that is done once. The function stays a function (it is not
inlined), or TensorFlow's optimiser would see every copy again.

A trace is that of one layer, in which every variable stands for an argument (`keras.StatelessScope`); so layers are
written as any others.
"""

from collections.abc import Callable, Hashable

import keras
import tensorflow as tf

from tsnet_tf.kernels import plain

_FUNCTIONS: dict[Hashable, Callable] = {}


def call(layer: keras.layers.Layer, compute: Callable, settings: Hashable, x: tuple, sizes: dict) -> tf.Tensor:
    """``compute(*x, **sizes)``, traced once for all layers of a class that have the same ``settings``.

    What may run at the same time, such as two streams, needs other settings: oneDNN's batch normalisation keeps the
    width of a call in the kernel, and a second call of the same function with another width meanwhile would overwrite
    it.

    Args:
      layer: what has the weights; it keeps no running statistics, and its replicas do not meet.
      compute: its computation, which depends on its arguments, its weights and ``settings`` alone.
      settings: whatever else tells one layer's computation from another's.
      x: features.
      sizes: nested sampled sizes and flags; what is no tensor counts as a setting. If a size is sampled, one trace
        serves weights and features of all shapes.
    """
    if plain.is_wanted():
        return compute(*x, **sizes)
    key = (type(layer), layer.compute_dtype, settings)
    variables = layer.variables
    if key not in _FUNCTIONS:

        def with_weights(x, values, sizes):
            with keras.StatelessScope() as scope:
                for pair in zip(variables, values, strict=True):
                    scope.add_update(pair)  # given at once, values would have to have the variables' own shapes
                return compute(*x, **sizes)

        _FUNCTIONS[key] = tf.function(with_weights, autograph=False, experimental_attributes={"_noinline": True})
    values = [tf.convert_to_tensor(variable) for variable in variables]
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
