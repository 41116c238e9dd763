"""Depthwise 3-D convolution for XLA: shifted features times one number for each tap and channel, added up.

XLA makes one loop of it, in which nothing but the output is written: the shifts and the zeros around the features are
read in place. As convolutions in as many groups as channels, one for each temporal tap, it would call a library that
computes few channels at a time and often wants the features in another order.
"""

import functools
import itertools
from collections.abc import Iterator

import tensorflow as tf


def convolve(x: tf.Tensor, kernel: tf.Tensor, frames: int, stride: int = 1, by_taps=None) -> tf.Tensor:
    """``[frames * batch, h, w, c]`` with ``[t, k, k, c]``, all sizes known: zeros of half the kernel on every side.

    Sums are float32 whatever the features are; they stay in registers.

    Returns:
      ``[frames * batch, ceil(h / stride), ceil(w / stride), c]``.
    """

    @tf.custom_gradient
    def multiply_and_add(x, kernel):
        shape = [frames, x.shape[0] // frames, *x.shape[1:]]
        size = [-(-side // stride) for side in x.shape[1:3]]

        def gradient(dy):
            return _by_features(dy), _by_kernel(dy)

        def _by_features(dy):
            if stride == 1:
                return convolve(dy, kernel[::-1, ::-1, ::-1], frames)
            wide = tf.cast(tf.reshape(dy, [*shape[:2], *dy.shape[1:]]), tf.float32)
            around = _padded_shape(shape, kernel)
            terms = (
                tf.raw_ops.StridedSliceGrad(
                    shape=around,
                    begin=begin,
                    end=end,
                    strides=[1, 1, stride, stride, 1],
                    dy=wide * tf.cast(weight, tf.float32),
                )
                for weight, begin, end in _taps(kernel, shape, size, stride)
            )
            whole = functools.reduce(tf.add, terms)
            middle = tf.slice(whole, [(a - b) // 2 for a, b in zip(around, shape, strict=True)], shape)
            return tf.cast(tf.reshape(middle, x.shape), x.dtype)

        def _by_kernel(dy):
            if by_taps is not None:
                return by_taps(x, kernel, dy, frames, stride)
            padded = _padded(x, shape, kernel)
            wide = tf.cast(tf.reshape(dy, [*shape[:2], *dy.shape[1:]]), tf.float32)
            sums = [
                tf.reduce_sum(wide * tf.cast(_shifted(padded, begin, end, stride), tf.float32), [0, 1, 2, 3])
                for _, begin, end in _taps(kernel, shape, size, stride)
            ]
            return tf.cast(tf.reshape(tf.stack(sums), kernel.shape), kernel.dtype)

        padded = _padded(x, shape, kernel)
        terms = (
            tf.cast(_shifted(padded, begin, end, stride), tf.float32) * tf.cast(weight, tf.float32)
            for weight, begin, end in _taps(kernel, shape, size, stride)
        )
        y = functools.reduce(tf.add, terms)
        return tf.cast(tf.reshape(y, [x.shape[0], *size, x.shape[3]]), x.dtype), gradient

    return multiply_and_add(x, kernel)


def _taps(
    kernel: tf.Tensor, shape: list[int], size: list[int], stride: int
) -> Iterator[tuple[tf.Tensor, list[int], list[int]]]:
    """The kernel's numbers ``[c]``, and where what each of them multiplies begins and ends."""
    for at in itertools.product(*map(range, kernel.shape[:3])):
        reach = [(side - 1) * stride + 1 for side in size]
        begin = [at[0], 0, at[1], at[2], 0]
        end = [at[0] + shape[0], shape[1], at[1] + reach[0], at[2] + reach[1], shape[4]]
        yield kernel[at], begin, end


def _shifted(padded: tf.Tensor, begin: list[int], end: list[int], stride: int) -> tf.Tensor:
    return tf.strided_slice(padded, begin, end, [1, 1, stride, stride, 1])


def _padded(x: tf.Tensor, shape: list[int], kernel: tf.Tensor) -> tf.Tensor:
    t, k = kernel.shape[0] // 2, kernel.shape[1] // 2
    return tf.pad(tf.reshape(x, shape), [[t, t], [0, 0], [k, k], [k, k], [0, 0]])


def _padded_shape(shape: list[int], kernel: tf.Tensor) -> list[int]:
    t, k = kernel.shape[0] // 2, kernel.shape[1] // 2
    return [shape[0] + 2 * t, shape[1], shape[2] + 2 * k, shape[3] + 2 * k, shape[4]]
