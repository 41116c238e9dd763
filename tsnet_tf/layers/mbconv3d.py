"""The searchable MBConv3D block (paper, section 3.4 and Figure 2c; the block is X3D's)."""

import keras
import tensorflow as tf

from tsnet_tf.layers.batch_norm import BatchNorm
from tsnet_tf.layers.depthwise_conv3d import DepthwiseConv3D
from tsnet_tf.layers.elastic import ElasticLayer, Size, fit_channels, flag_not, flag_times, zero_beyond
from tsnet_tf.layers.pointwise import Pointwise
from tsnet_tf.layers.squeeze_excite import SqueezeExcite
from tsnet_tf.layers.swish import swish


@keras.saving.register_keras_serializable("tsnet_tf")
class MBConv3D(ElasticLayer):
    """Expand, depthwise t x k x k, squeeze-excite, project, add.

    1x1x1 expand, BN, ReLU; depthwise (the spatial stride is here), BN; squeeze-excite; Swish; 1x1x1 project, BN with
    ``branch_gamma`` at the start; the shortcut is added; ReLU. The shortcut is the input itself or, where its shape
    differs from the output's, a 1x1x1 convolution with BN.

    Args:
      frames: number of frames of the input.
      in_channels: largest number of input channels.
      channels: largest number of output channels.
      expanded_channels: largest width between the pointwise convolutions.
      se_channels: largest width of the squeeze-excite bottleneck, 0 for a block without one.
      temporal_kernel: largest depthwise kernel in frames.
      spatial_kernel: largest depthwise kernel in pixels.
      stride: spatial stride.
      branch_gamma: how much of the branch there is at the start: 0 is the most stable over a long training (X3D), 1
        learns faster in a short one.
      may_change_width: whether the sampled input and output widths can differ.

    Call arguments:
      x: ``[frames * batch, h, w, in_channels]``, frames first.
      in_channels, channels, expanded_channels, se_channels, temporal_kernel, spatial_kernel: the sampled sizes.
      training: passed to BN.

    Output shape: ``[frames * batch, ceil(h / stride), ceil(w / stride), channels]``.
    """

    def __init__(
        self,
        frames: int,
        in_channels: int,
        channels: int,
        expanded_channels: int,
        se_channels: int,
        temporal_kernel: int,
        spatial_kernel: int,
        stride: int = 1,
        branch_gamma: float = 0.0,
        may_change_width: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.stride, self.may_change_width = stride, may_change_width
        self.alike = (frames, stride, may_change_width, se_channels > 0)
        name, norm, conv = self.name, self.of_parts, {"use_bias": self.folded, **self.of_parts}
        self.expand = Pointwise(in_channels, expanded_channels, name=f"{name}_expand", **conv)
        self.expand_norm = BatchNorm(expanded_channels, name=f"{name}_expand_norm", **norm)
        self.depthwise = DepthwiseConv3D(
            frames, expanded_channels, temporal_kernel, spatial_kernel, stride, name=f"{name}_depthwise", **conv
        )
        self.depthwise_norm = BatchNorm(expanded_channels, name=f"{name}_depthwise_norm", **norm)
        self.squeeze_excite = (
            SqueezeExcite(frames, expanded_channels, se_channels, name=f"{name}_squeeze_excite", **norm)
            if se_channels
            else None
        )
        self.project = Pointwise(expanded_channels, channels, name=f"{name}_project", **conv)
        self.project_norm = BatchNorm(channels, gamma=branch_gamma, name=f"{name}_project_norm", **norm)
        self.shortcut = self.shortcut_norm = None
        if stride > 1 or may_change_width:
            self.shortcut = Pointwise(in_channels, channels, stride, name=f"{name}_shortcut", **conv)
            self.shortcut_norm = BatchNorm(channels, name=f"{name}_shortcut_norm", **norm)
        self.built = True

    def call(
        self,
        x: tf.Tensor,
        in_channels: Size,
        channels: Size,
        expanded_channels: Size,
        se_channels: Size,
        temporal_kernel: Size,
        spatial_kernel: Size,
        training: bool = False,
    ) -> tf.Tensor:
        y = self.expand(x, in_channels=in_channels, channels=expanded_channels)
        y = tf.nn.relu(self.expand_norm(y, channels=expanded_channels, training=training))
        y = self.depthwise(
            y, channels=expanded_channels, temporal_kernel=temporal_kernel, spatial_kernel=spatial_kernel
        )
        y = self.depthwise_norm(y, channels=expanded_channels, training=training)
        if self.squeeze_excite:
            y = self.squeeze_excite(y, channels=expanded_channels, se_channels=se_channels)
        y = self.project(swish(y), in_channels=expanded_channels, channels=channels)
        y = self.project_norm(y, channels=channels, training=training)
        return tf.nn.relu(y + self._shortcut(x, in_channels, channels, training))

    def _shortcut(self, x: tf.Tensor, in_channels: Size, channels: Size, training: bool) -> tf.Tensor:
        changes = self.stride > 1 or (self.may_change_width and in_channels != channels)
        if changes is False:
            return x
        if changes is True:
            return self._project_shortcut(x, in_channels, channels, training)
        # Whichever of the two is not wanted has no channels, so that it costs nothing.
        kept = flag_times(flag_not(changes), channels)
        in_projected, projected = flag_times(changes, in_channels), flag_times(changes, channels)
        if self.execution == "mask":
            identity = zero_beyond(fit_channels(x, self.project.out_channels), kept)
            return identity + self._project_shortcut(x, in_projected, projected, training)
        same, x = tf.split(x, [kept, in_projected], -1)
        return tf.concat([same, self._project_shortcut(x, in_projected, projected, training)], -1)

    def _project_shortcut(self, x: tf.Tensor, in_channels: Size, channels: Size, training: bool) -> tf.Tensor:
        y = self.shortcut(x, in_channels=in_channels, channels=channels)
        return self.shortcut_norm(y, channels=channels, training=training)
