"""What other rooms need of what TensorFlow keeps to itself."""

from collections.abc import Callable, Sequence

import tensorflow as tf
from tensorflow.python.eager.polymorphic_function import compiler_ir


def merged_call(function: Callable, strategy: tf.distribute.Strategy, *arguments) -> object:
    """``function(strategy, *arguments)`` once for all replicas where they have to meet, else in each of them."""
    return tf.__internal__.distribute.interim.maybe_merge_call(function, strategy, *arguments)


def serialized_hlo(concrete: Callable, specs: Sequence[tf.TensorSpec]) -> bytes:
    """What XLA would compile of a concrete function that was traced for it, before any optimisation."""
    return compiler_ir.from_concrete_function(concrete, specs)(stage="hlo_serialized", platform_name="CPU")
