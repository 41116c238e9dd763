"""Squeeze-excite with sampled widths."""

import keras
import tensorflow as tf

from tsnet_tf.layers.elastic import ElasticLayer, Size
from tsnet_tf.layers.pointwise import Pointwise


def pool_clip(x: tf.Tensor, frames: int) -> tf.Tensor:
    """Mean over time and space: ``[frames * batch, h, w, c]`` to ``[batch, c]``."""
    per_frame = tf.reduce_mean(x, [1, 2])
    return tf.reduce_mean(tf.reshape(per_frame, [frames, -1, tf.shape(x)[-1]]), 0)


@keras.saving.register_keras_serializable("tsnet_tf")
class SqueezeExcite(ElasticLayer):
    """Scales every channel by a gate computed from its mean over the clip (Hu et al.; as in X3D).

    Args:
      frames: number of frames of the input.
      channels: largest number of channels.
      se_channels: largest width of the bottleneck.

    Call arguments:
      x: ``[frames * batch, h, w, c]``, frames first.
      channels: sampled number of channels.
      se_channels: sampled width of the bottleneck.

    Output shape: that of ``x``.
    """

    def __init__(self, frames: int, channels: int, se_channels: int, **kwargs):
        super().__init__(**kwargs)
        self.frames = frames
        settings = {"use_bias": True, "execution": self.execution}
        self.reduce = Pointwise(channels, se_channels, name=f"{self.name}_reduce", **settings)
        self.expand = Pointwise(se_channels, channels, name=f"{self.name}_expand", **settings)
        self.built = True

    def call(self, x: tf.Tensor, channels: Size, se_channels: Size) -> tf.Tensor:
        gate = tf.nn.relu(self.reduce(pool_clip(x, self.frames), in_channels=channels, channels=se_channels))
        gate = tf.sigmoid(self.expand(gate, in_channels=se_channels, channels=channels))
        # A whole line of pixels at once: TensorFlow is slow at what repeats after a few channels.
        line = tf.tile(gate[:, None, None], [self.frames, 1, tf.shape(x)[2], 1])
        return x * line
