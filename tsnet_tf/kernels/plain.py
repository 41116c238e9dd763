"""The operations of this folder as one would write them down: slower, and what the fast ones are compared with."""

import functools
import os

import tensorflow as tf


def is_wanted() -> bool:
    """Whether the environment asks for these instead of the fast ones."""
    return os.environ.get("TSNET_TF_PLAIN") == "1"


def depthwise_conv3d(
    x: tf.Tensor, kernel: tf.Tensor, frames: int, stride: int = 1, offset: tf.Tensor | None = None
) -> tf.Tensor:
    """What `tsnet_tf.kernels.depthwise.depthwise_conv3d` computes: a sum over temporal taps of 2-D convolutions."""
    taps = tf.shape(kernel)[0] if kernel.shape[0] is None else kernel.shape[0]
    half = (tf.shape(kernel)[1] if kernel.shape[1] is None else kernel.shape[1]) // 2
    rows = tf.shape(x)[0]
    in_time = tf.pad(x, [[taps // 2 * (rows // frames)] * 2, [half, half], [half, half], [0, 0]])

    def tap(number):
        seen = tf.ensure_shape(in_time[number * (rows // frames) :][:rows], [x.shape[0], None, None, x.shape[3]])
        weights = kernel[number][..., None]
        return tf.raw_ops.DepthwiseConv2dNative(
            input=seen, filter=weights, strides=[1, stride, stride, 1], padding="VALID"
        )

    if isinstance(taps, int):
        y = functools.reduce(tf.add, map(tap, range(taps)))
    else:
        first = tap(0)
        _, y = tf.while_loop(lambda i, _: i < taps, lambda i, y: (i + 1, y + tap(i)), (tf.constant(1), first))
    y = tf.ensure_shape(y, [x.shape[0], *(side and -(-side // stride) for side in x.shape[1:3]), x.shape[3]])
    return y if offset is None else y + tf.cast(offset, y.dtype)


def normalise(
    x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """What `tsnet_tf.kernels.normalise.normalise` computes."""
    wide = tf.cast(x, tf.float32)
    mean, variance = tf.nn.moments(wide, [0, 1, 2])
    y = tf.nn.batch_normalization(wide, mean, variance, beta, gamma, epsilon)
    count = tf.cast(tf.reduce_prod(tf.shape(x)[:-1]), tf.float32)
    of_sample = variance * count / tf.maximum(count - 1.0, 1.0)
    return tf.cast(y, x.dtype), tf.stop_gradient(mean), tf.stop_gradient(of_sample)
