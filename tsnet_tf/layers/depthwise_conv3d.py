"""Depthwise 3-D convolution, which neither Keras nor TensorFlow's CPU kernels have.

A t x k x k depthwise convolution is a sum over the t temporal taps of a k x k depthwise convolution of shifted frames.
With frames first, a shift is a contiguous slice, and a tap near the border touches only the frames it reaches. The
gradient is written out with the 2-D kernels' own gradients, so that kernel sizes and width may be dynamic without a
copy of every tap being kept.
"""

import dataclasses
from collections.abc import Callable

import keras
import tensorflow as tf

from tsnet_tf.layers.elastic import Execution, Size, sampled


def depthwise_conv3d(x: tf.Tensor, kernel: tf.Tensor, frames: int, stride: int = 1) -> tf.Tensor:
    """Depthwise 3-D convolution with zero padding of half the kernel on every side, as in PyTorch.

    Args:
      x: ``[frames * batch, h, w, c]``, frames first.
      kernel: ``[t, k, k, c]``, t and k odd; sizes may be dynamic.
      frames: number of frames in ``x``.
      stride: spatial stride.

    Returns:
      ``[frames * batch, ceil(h / stride), ceil(w / stride), c]``.
    """
    if stride > 1:
        # TensorFlow's "SAME" pads even sizes on one side only; the models here pad both sides alike.
        half = (kernel.shape[1] if kernel.shape[1] is not None else tf.shape(kernel)[1]) // 2
        x = tf.pad(x, [[0, 0], [half, half], [half, half], [0, 0]])
    layout = {"strides": [1, stride, stride, 1], "padding": "SAME" if stride == 1 else "VALID"}

    @tf.custom_gradient
    def convolve(x, kernel):
        taps = _Taps(kernel, frames, tf.shape(x)[0] // frames)

        def forward(source, target, tap, y):
            return y + target.widen(tf.nn.depthwise_conv2d(source.of(x), kernel[tap][..., None], **layout))

        y = tf.nn.depthwise_conv2d(x, kernel[taps.middle][..., None], **layout)
        y = taps.accumulate(forward, y)

        def gradient(dy):
            def gradients_of(x_part, dy_part, tap):
                weights = kernel[tap][..., None]
                dx_part = tf.nn.depthwise_conv2d_backprop_input(tf.shape(x_part), weights, dy_part, **layout)
                dw_tap = tf.nn.depthwise_conv2d_backprop_filter(x_part, tf.shape(weights), dy_part, **layout)
                here = tf.one_hot(tap, tf.shape(kernel)[0], dtype=dw_tap.dtype)
                return dx_part, here[:, None, None, None] * dw_tap[None, ..., 0]

            def backward(source, target, tap, carried):
                dx, dw = carried
                dx_part, dw_tap = gradients_of(source.of(x), target.of(dy), tap)
                return dx + source.widen(dx_part), dw + dw_tap

            return taps.accumulate(backward, gradients_of(x, dy, taps.middle))

        return y, gradient

    return convolve(x, kernel)


@dataclasses.dataclass(frozen=True)
class _Rows:
    """A range of rows (frames x batch) of a feature map with ``total`` rows."""

    start: tf.Tensor
    count: tf.Tensor
    total: tf.Tensor

    def of(self, x: tf.Tensor) -> tf.Tensor:
        """These rows of ``x``."""
        return tf.slice(x, [self.start, 0, 0, 0], [self.count, -1, -1, -1])

    def widen(self, part: tf.Tensor) -> tf.Tensor:
        """``part`` in these rows, zeros in the others."""
        return tf.pad(part, [[self.start, self.total - self.start - self.count], [0, 0], [0, 0], [0, 0]])


class _Taps:
    """The temporal taps of a kernel other than the middle one, and which frames each connects."""

    def __init__(self, kernel: tf.Tensor, frames: int, batch: tf.Tensor):
        self._taps = kernel.shape[0] if kernel.shape[0] is not None else tf.shape(kernel)[0]
        self._frames, self._batch = frames, batch
        self.middle = self._taps // 2

    def accumulate(self, step: Callable, carried):
        """Calls ``carried = step(source, target, tap, carried)`` for every tap that reaches a frame.

        ``source`` and ``target`` are the input and output rows that the tap connects.
        """
        if isinstance(self._taps, int):
            reach = min(self.middle, self._frames - 1)
            for offset in (*range(-reach, 0), *range(1, reach + 1)):
                carried = step(*self._rows(offset), self.middle + offset, carried)
            return carried

        reach = tf.minimum(self.middle, self._frames - 1)

        def body(i, carried):
            offset = i - reach + tf.cast(i >= reach, tf.int32)
            stepped = step(*self._rows(offset), self.middle + offset, carried)
            return i + 1, tf.nest.map_structure(lambda new, old: tf.ensure_shape(new, old.shape), stepped, carried)

        _, carried = tf.while_loop(lambda i, _: i < 2 * reach, body, (tf.constant(0), carried))
        return carried

    def _rows(self, offset: Size) -> tuple[_Rows, _Rows]:
        total = self._frames * self._batch
        count = total - abs(offset) * self._batch
        ahead, behind = tf.maximum(offset, 0) * self._batch, tf.maximum(-offset, 0) * self._batch
        return _Rows(ahead, count, total), _Rows(behind, count, total)


@keras.saving.register_keras_serializable("tsnet_tf")
class DepthwiseConv3D(keras.layers.Layer):
    """Depthwise 3-D convolution whose width and kernel sizes are sampled.

    Args:
      frames: number of frames of the input.
      channels: largest number of channels.
      temporal_kernel: largest kernel size in frames.
      spatial_kernel: largest kernel size in pixels.
      stride: spatial stride.
      execution: "slice" or "mask" (see `elastic`).

    Call arguments:
      x: ``[frames * batch, h, w, c]``, frames first.
      channels: sampled number of channels.
      temporal_kernel: sampled size in frames, odd.
      spatial_kernel: sampled size in pixels, odd.

    Output shape: ``[frames * batch, ceil(h / stride), ceil(w / stride), c]``.
    """

    def __init__(
        self,
        frames: int,
        channels: int,
        temporal_kernel: int,
        spatial_kernel: int,
        stride: int = 1,
        execution: Execution = "slice",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.frames, self.channels, self.stride, self.execution = frames, channels, stride, execution
        self.temporal_kernel, self.spatial_kernel = temporal_kernel, spatial_kernel
        # One filter per channel: the variance that keeps the signal depends on the taps alone.
        taps = temporal_kernel * spatial_kernel * spatial_kernel
        self.depthwise_kernel = self.add_weight(
            name="depthwise_kernel",
            shape=(temporal_kernel, spatial_kernel, spatial_kernel, channels),
            initializer=keras.initializers.RandomNormal(stddev=(2.0 / taps) ** 0.5),
        )

    def call(self, x: tf.Tensor, channels: Size, temporal_kernel: Size, spatial_kernel: Size) -> tf.Tensor:
        return self.compute(x, self.values(), channels, temporal_kernel, spatial_kernel)

    def values(self) -> list[tf.Tensor]:
        """The kernel."""
        return [tf.convert_to_tensor(self.depthwise_kernel)]

    def compute(
        self, x: tf.Tensor, values: list[tf.Tensor], channels: Size, temporal_kernel: Size, spatial_kernel: Size
    ) -> tf.Tensor:
        """The output, with the `values` of this layer or of another with the same settings."""
        sizes = [temporal_kernel, spatial_kernel, spatial_kernel, channels]
        kernel = sampled(self.execution, values[0], sizes, centred=(0, 1, 2))
        return depthwise_conv3d(x, kernel, self.frames, self.stride)
