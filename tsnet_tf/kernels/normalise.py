"""Normalisation with the mean and variance of the batch: TensorFlow's fused kernel, or on processors the faster of two.

There, Eigen's kernel, and oneDNN's for widths that are no multiple of four, take two to four times as long as memory
needs. Sums over positions are then products with a row of ones, and what remains is element-wise.
"""

import tensorflow as tf

from tsnet_tf.kernels import placement, plain
from tsnet_tf.kernels.plane import onednn_is_default

_VECTOR = 4  # channels


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
    if plain.is_wanted():
        return plain.normalise(x, gamma, beta, epsilon)
    accelerated = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("TPU")
    if x.dtype != tf.float32 or accelerated or placement.compiled_by_xla():
        return tuple(_fused(x, gamma, beta, epsilon)[:3])
    width = tf.shape(gamma)[0] if gamma.shape[0] is None else gamma.shape[0]  # a sampled one may be any
    onednn = onednn_is_default() and width % _VECTOR == 0

    @tf.custom_gradient
    def on_processor(x, gamma, beta):
        *outputs, biased, workspace = _either(
            onednn, lambda: _fused(x, gamma, beta, epsilon), lambda: _by_products(x, gamma, beta, epsilon)
        )

        def gradient(dy, *_):
            given = {"y_backprop": dy, "x": x, "scale": gamma, "epsilon": epsilon}
            kept = {"reserve_space_1": outputs[1], "reserve_space_2": biased, "reserve_space_3": workspace}
            return _either(
                onednn,
                lambda: list(tf.raw_ops.FusedBatchNormGradV3(**given, **kept)[:3]),
                lambda: _gradient_by_products(dy, x, gamma, outputs[1], biased, epsilon),
            )

        return tuple(outputs), gradient

    return on_processor(x, gamma, beta)


def _either(chosen: bool | tf.Tensor, one, other) -> list[tf.Tensor]:
    return tf.__internal__.smart_cond.smart_cond(chosen, one, other)


def _fused(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float) -> list[tf.Tensor]:
    """Features, mean, variance of a sample; for the gradient, variance and workspace."""
    empty = tf.zeros([0], tf.float32)
    y, mean, variance, _, biased, workspace = tf.raw_ops.FusedBatchNormV3(
        x=x, scale=gamma, offset=beta, mean=empty, variance=empty, epsilon=epsilon, is_training=True
    )
    return [y, mean, variance, biased, workspace]


def _by_products(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float) -> list[tf.Tensor]:
    """What `_fused` returns."""
    flat = tf.reshape(x, [-1, tf.shape(x)[-1]])
    count = tf.cast(tf.shape(flat)[0], tf.float32)
    mean = _sum(flat) / count
    variance = _sum(tf.math.squared_difference(flat, mean)) / count
    scale = gamma * tf.math.rsqrt(variance + epsilon)
    y = tf.nn.bias_add(x * scale, beta - mean * scale)
    return [y, mean, variance * count / tf.maximum(count - 1.0, 1.0), variance, tf.zeros([0])]


def _gradient_by_products(dy, x, gamma, mean, variance, epsilon: float) -> list[tf.Tensor]:
    """Of the features alone, by features, scale and offset."""
    flat = tf.reshape(x, [-1, tf.shape(x)[-1]])
    flat_dy = tf.reshape(dy, tf.shape(flat))
    count = tf.cast(tf.shape(flat)[0], tf.float32)
    inverse = tf.math.rsqrt(variance + epsilon)
    by_beta = _sum(flat_dy)
    by_gamma = inverse * (_sum(flat_dy * flat) - mean * by_beta)
    # scale * (dy - mean of dy - normalised x * mean of (dy * normalised x)), without constants on the way.
    slope = -inverse * by_gamma / count
    by_x = gamma * inverse * (dy + tf.nn.bias_add(x * slope, -by_beta / count - slope * mean))
    return [by_x, by_gamma, by_beta]


def _sum(flat: tf.Tensor) -> tf.Tensor:
    """Over rows: ``[n, c]`` to ``[c]``."""
    return tf.reshape(tf.ones([1, tf.shape(flat)[0]]) @ flat, [-1])
