"""Depthwise 3-D convolution with sampled width and kernel sizes."""

import keras
import tensorflow as tf

from tsnet_tf.kernels.depthwise import depthwise_conv3d
from tsnet_tf.layers.elastic import ElasticLayer, Size, sampled


@keras.saving.register_keras_serializable("tsnet_tf")
class DepthwiseConv3D(ElasticLayer):
    """Depthwise 3-D convolution with zero padding of half the kernel on every side.

    Args:
      frames: number of frames of the input.
      channels: largest number of channels.
      temporal_kernel: largest kernel size in frames.
      spatial_kernel: largest kernel size in pixels.
      stride: spatial stride.
      use_bias: whether a bias is added.

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
        use_bias: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.frames, self.channels, self.stride = frames, channels, stride
        self.temporal_kernel, self.spatial_kernel = temporal_kernel, spatial_kernel
        # One filter per channel: the variance that keeps the signal depends on the taps alone.
        taps = temporal_kernel * spatial_kernel * spatial_kernel
        self.depthwise_kernel = self.add_weight(
            name="depthwise_kernel",
            shape=(temporal_kernel, spatial_kernel, spatial_kernel, channels),
            initializer=keras.initializers.RandomNormal(stddev=(2.0 / taps) ** 0.5),
        )
        self.bias = self.add_weight(name="bias", shape=(channels,), initializer="zeros") if use_bias else None

    def call(self, x: tf.Tensor, channels: Size, temporal_kernel: Size, spatial_kernel: Size) -> tf.Tensor:
        sizes = [temporal_kernel, spatial_kernel, spatial_kernel, channels]
        kernel = sampled(self.execution, self.depthwise_kernel, sizes, centred=(0, 1, 2))
        bias = None if self.bias is None else sampled(self.execution, self.bias, [channels])
        return depthwise_conv3d(x, kernel, self.frames, self.stride, bias)
