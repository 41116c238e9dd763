"""Depthwise 3-D convolution in ways that XLA can compile; which of them is fastest depends on the device.

``fusion``: shifted features times one number for each tap and channel, added up. XLA makes one loop of it, in which
nothing but the output is written. ``taps``: what TensorFlow's kernels do too, a convolution of pictures in as many
groups as channels for every temporal tap; libraries compute few channels at a time then, and XLA's own loops on
processors take a hundred times as long. ``mixed``: fusion, but taps for the gradient by the kernel. ``grouped``: one
convolution of three dimensions in as many groups as channels.
"""

import contextlib
import functools
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Literal

import tensorflow as tf

Lowering = Literal["fusion", "taps", "mixed", "grouped"]
_lowering: Lowering = "fusion"
_MOST_TAPS = 75  # 3 x 5 x 5; masks have the largest kernels of a space in every block


@contextlib.contextmanager
def lowered_as(lowering: Lowering) -> Iterator[None]:
    """Has XLA given another way than ``fusion``, for graphs that are traced inside."""
    global _lowering
    before, _lowering = _lowering, lowering
    try:
        yield
    finally:
        _lowering = before


def takes(x: tf.Tensor, kernel: tf.Tensor) -> bool:
    """Whether `convolve` is for this: all sizes are known, and what is written out does not become too long."""
    known = x.shape.is_fully_defined() and kernel.shape.is_fully_defined()
    return known and _lowering != "taps" and math.prod(kernel.shape[:3]) <= _MOST_TAPS


def convolve(x: tf.Tensor, kernel: tf.Tensor, frames: int, stride: int, filter_gradient: Callable) -> tf.Tensor:
    """What `tsnet_tf.kernels.depthwise.depthwise_conv3d` computes, for sizes that are known.

    Sums of ``fusion`` are float32 whatever the features are; they stay in registers.

    Args:
      x: ``[frames * batch, h, w, c]``, frames first.
      kernel: ``[t, k, k, c]``.
      frames: number of frames in ``x``.
      stride: spatial stride.
      filter_gradient: ``(x, kernel, dy)`` to the gradient by the kernel, by taps.

    Returns:
      ``[frames * batch, ceil(h / stride), ceil(w / stride), c]``.
    """
    if _lowering == "grouped":
        return _grouped(x, kernel, frames, stride)
    shape = [frames, x.shape[0] // frames, *x.shape[1:]]
    sides = [-(-side // stride) for side in x.shape[1:3]]
    summed = _lowering != "mixed"

    @tf.custom_gradient
    def multiply_and_add(x, kernel):
        def gradient(dy):
            wide = tf.cast(tf.reshape(dy, [*shape[:2], *dy.shape[1:]]), tf.float32)
            by_kernel = _sums(wide, x) if summed else filter_gradient(x, kernel, dy)
            return tf.cast(_spread(wide, kernel), x.dtype), by_kernel

        padded = _padded(x)
        terms = (_at(padded, *place) * tf.cast(weight, tf.float32) for weight, place in _taps(kernel))
        return tf.cast(tf.reshape(functools.reduce(tf.add, terms), [x.shape[0], *sides, x.shape[3]]), x.dtype), gradient

    def _taps(kernel):
        """The numbers ``[c]`` of every tap, and where what each of them multiplies begins and ends."""
        reach = [(side - 1) * stride + 1 for side in sides]
        for t, i, j in itertools.product(*map(range, kernel.shape[:3])):
            end = [t + shape[0], shape[1], i + reach[0], j + reach[1], shape[4]]
            yield kernel[t, i, j], ([t, 0, i, j, 0], end)

    def _at(padded, begin, end):
        return tf.cast(tf.strided_slice(padded, begin, end, [1, 1, stride, stride, 1]), tf.float32)

    def _padded(x):
        return tf.pad(tf.reshape(x, shape), [[side, side] for side in _around(kernel)])

    def _sums(dy, x):
        padded = _padded(x)
        sums = [tf.reduce_sum(dy * _at(padded, *place), [0, 1, 2, 3]) for _, place in _taps(kernel)]
        return tf.cast(tf.reshape(tf.stack(sums), kernel.shape), kernel.dtype)

    def _spread(dy, kernel):
        """The gradient by the features: each output's, times the tap's number, goes where the tap's input stood."""
        around = _around(kernel)
        settings = {
            "shape": [side + 2 * zeros for side, zeros in zip(shape, around, strict=True)],
            "strides": [1, 1, stride, stride, 1],
        }
        terms = (
            tf.raw_ops.StridedSliceGrad(begin=begin, end=end, dy=dy * tf.cast(weight, tf.float32), **settings)
            for weight, (begin, end) in _taps(kernel)
        )
        return tf.reshape(tf.slice(functools.reduce(tf.add, terms), around, shape), x.shape)

    return multiply_and_add(x, kernel)


def _around(kernel: tf.Tensor) -> list[int]:
    """How many zeros stand before and after the features, by axis."""
    return [kernel.shape[0] // 2, 0, kernel.shape[1] // 2, kernel.shape[2] // 2, 0]


def _grouped(x: tf.Tensor, kernel: tf.Tensor, frames: int, stride: int) -> tf.Tensor:
    clips = tf.transpose(tf.reshape(x, [frames, -1, *x.shape[1:]]), [1, 0, 2, 3, 4])
    around = _around(kernel)
    padded = tf.pad(clips, [[0, 0], *([zeros, zeros] for zeros in (around[0], *around[2:]))])
    y = tf.nn.conv3d(padded, kernel[..., None, :], [1, 1, stride, stride, 1], "VALID")
    return tf.reshape(tf.transpose(y, [1, 0, 2, 3, 4]), [x.shape[0], *y.shape[2:]])
