"""Normalisation with the mean and variance of the batch: TensorFlow's fused kernel, or on processors something faster.

There, Eigen's kernel, and oneDNN's for widths that are no multiple of four, take two to four times as long as memory
needs. Sums over positions are therefore products with a row of ones, and what remains is element-wise;
docs/performance.md has all three.
"""

import tensorflow as tf


def normalise(
    x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta`` over all axes but the last.

    Args:
      x: ``[n, h, w, c]``; float32 or a narrower type.
      gamma, beta: ``[c]``, float32.
      epsilon: added to the variance.

    Returns:
      The features, and for running statistics ``[c]`` the mean and the variance of a sample (n - 1 degrees of freedom),
      through which no gradient goes.
    """
    if x.dtype != tf.float32 or tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("TPU"):
        empty = tf.zeros([0], tf.float32)
        return tf.raw_ops.FusedBatchNormV3(
            x=x, scale=gamma, offset=beta, mean=empty, variance=empty, epsilon=epsilon, is_training=True
        )[:3]

    @tf.custom_gradient
    def by_products(x, gamma, beta):
        flat = tf.reshape(x, [-1, tf.shape(x)[-1]])
        count = tf.cast(tf.shape(flat)[0], tf.float32)
        mean = _sum(flat) / count
        variance = _sum(tf.math.squared_difference(flat, mean)) / count
        inverse = tf.math.rsqrt(variance + epsilon)
        scale = gamma * inverse
        y = tf.nn.bias_add(x * scale, beta - mean * scale)

        def gradient(dy, *_):
            flat_dy = tf.reshape(dy, tf.shape(flat))
            by_beta = _sum(flat_dy)
            by_gamma = inverse * (_sum(flat_dy * flat) - mean * by_beta)
            # scale * (dy - mean of dy - normalised x * mean of (dy * normalised x)), without constants on the way.
            slope = -inverse * by_gamma / count
            return scale * (dy + tf.nn.bias_add(x * slope, -by_beta / count - slope * mean)), by_gamma, by_beta

        return (y, mean, variance * count / tf.maximum(count - 1.0, 1.0)), gradient

    return by_products(x, gamma, beta)


def _sum(flat: tf.Tensor) -> tf.Tensor:
    """Over rows: ``[n, c]`` to ``[c]``."""
    return tf.reshape(tf.ones([1, tf.shape(flat)[0]]) @ flat, [-1])
