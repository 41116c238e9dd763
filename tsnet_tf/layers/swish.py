"""The Swish activation."""

import tensorflow as tf


@tf.custom_gradient
def swish(x: tf.Tensor) -> tf.Tensor:
    """``x * sigmoid(x)`` (Ramachandran et al.), of the same shape.

    `tf.nn.silu` gives the same, but its gradient goes over the features twice as often.
    """
    gate = tf.sigmoid(x)
    y = x * gate
    return y, lambda dy: dy * (gate + y * (1.0 - gate))
