"""Runs that can be repeated."""

import gin
import tensorflow as tf


@gin.configurable
def set_seed(seed: int, op_determinism: bool = False) -> None:
    """Sets the seed of everything that draws numbers.

    Args:
      seed: of Python's, NumPy's, TensorFlow's and Keras's random numbers.
      op_determinism: whether TensorFlow computes every operation so that it gives the same bits every time, which is
        slower, and where it cannot, fails. For the rest of the process.
    """
    tf.keras.utils.set_random_seed(seed)
    if op_determinism:
        tf.config.experimental.enable_op_determinism()
        # It would join additions into one, whose order depends on which of its inputs can be written over just then.
        tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
