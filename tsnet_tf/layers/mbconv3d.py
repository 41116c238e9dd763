"""The searchable MBConv3D block (paper, section 3.4 and Figure 2c; the block is X3D's)."""

import keras
import tensorflow as tf

from tsnet_tf.layers import placement
from tsnet_tf.layers.batch_norm import BatchNorm, Statistics
from tsnet_tf.layers.depthwise_conv3d import DepthwiseConv3D
from tsnet_tf.layers.elastic import Execution, Size, fit_channels, flag_times, zero_beyond
from tsnet_tf.layers.pointwise import Pointwise
from tsnet_tf.layers.shared_trace import call_shared, shares_trace
from tsnet_tf.layers.squeeze_excite import SqueezeExcite
from tsnet_tf.layers.swish import swish


@keras.saving.register_keras_serializable("tsnet_tf")
class MBConv3D(keras.layers.Layer):
    """Expand, depthwise t x k x k, squeeze-excite, project, add.

    1x1x1 expand, BN, ReLU; depthwise (the spatial stride is here), BN; squeeze-excite; Swish; 1x1x1 project, BN with
    ``branch_gamma`` at the start; the shortcut is added; ReLU. The shortcut is the input itself or, where its shape
    differs from the output's, a 1x1x1 convolution with BN.

    Args:
      frames: number of frames of the input.
      in_channels: largest number of input channels.
      channels: largest number of output channels.
      inner: largest width between the pointwise convolutions.
      squeezed: largest width of the squeeze-excite bottleneck, 0 for a block without one.
      temporal_kernel: largest depthwise kernel in frames.
      spatial_kernel: largest depthwise kernel in pixels.
      stride: spatial stride.
      branch_gamma: how much of the branch there is at the start: 0 is the most stable over a long training (X3D), 1
        learns faster in a short one.
      may_change_width: whether the sampled input and output widths can differ.
      statistics: see `BatchNorm`.
      synchronized: see `BatchNorm`.
      execution: "slice" or "mask" (see `elastic`).

    Call arguments:
      x: ``[frames * batch, h, w, in_channels]``, frames first.
      in_channels, channels, inner, squeezed, temporal_kernel, spatial_kernel: the sampled sizes.
      training: passed to BN.

    Output shape: ``[frames * batch, ceil(h / stride), ceil(w / stride), channels]``.
    """

    def __init__(
        self,
        frames: int,
        in_channels: int,
        channels: int,
        inner: int,
        squeezed: int,
        temporal_kernel: int,
        spatial_kernel: int,
        stride: int = 1,
        branch_gamma: float = 0.0,
        may_change_width: bool = False,
        statistics: Statistics = "moving",
        synchronized: bool = False,
        execution: Execution = "slice",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.stride, self.may_change_width, self.execution = stride, may_change_width, execution
        self.shares_trace = shares_trace(execution, statistics, synchronized)
        self.settings = (frames, stride, may_change_width, squeezed > 0)
        self.parts = ["expand", "expand_norm", "depthwise", "depthwise_norm", "project", "project_norm"]
        norm = {"statistics": statistics, "synchronized": synchronized, "execution": execution}
        pointwise = {"execution": execution, "inference": statistics == "folded"}
        name = self.name
        self.expand = Pointwise(in_channels, inner, name=f"{name}_expand", **pointwise)
        self.expand_norm = BatchNorm(inner, name=f"{name}_expand_norm", **norm)
        self.depthwise = DepthwiseConv3D(
            frames, inner, temporal_kernel, spatial_kernel, stride, execution, name=f"{name}_depthwise"
        )
        self.depthwise_norm = BatchNorm(inner, name=f"{name}_depthwise_norm", **norm)
        if squeezed:
            self.squeeze_excite = SqueezeExcite(frames, inner, squeezed, execution, name=f"{name}_squeeze_excite")
            self.parts.append("squeeze_excite")
        self.project = Pointwise(inner, channels, name=f"{name}_project", **pointwise)
        self.project_norm = BatchNorm(channels, gamma=branch_gamma, name=f"{name}_project_norm", **norm)
        if stride > 1 or may_change_width:
            self.shortcut = Pointwise(in_channels, channels, stride, name=f"{name}_shortcut", **pointwise)
            self.shortcut_norm = BatchNorm(channels, name=f"{name}_shortcut_norm", **norm)
            self.parts += ["shortcut", "shortcut_norm"]
        self.built = True

    def call(
        self,
        x: tf.Tensor,
        in_channels: Size,
        channels: Size,
        inner: Size,
        squeezed: Size,
        temporal_kernel: Size,
        spatial_kernel: Size,
        training: bool = False,
    ) -> tf.Tensor:
        sizes = {
            "in_channels": in_channels,
            "channels": channels,
            "inner": inner,
            "squeezed": squeezed,
            "temporal_kernel": temporal_kernel,
            "spatial_kernel": spatial_kernel,
        }
        values = {name: getattr(self, name).values() for name in self.parts}
        if self.shares_trace:
            return call_shared(self.compute, (self.settings, self.compute_dtype), x, values, sizes)
        return self.compute(x, values, **sizes, training=training)

    def compute(
        self,
        x: tf.Tensor,
        values: dict,
        in_channels: Size,
        channels: Size,
        inner: Size,
        squeezed: Size,
        temporal_kernel: Size,
        spatial_kernel: Size,
        training: bool = False,
    ) -> tf.Tensor:
        """The output, with the values of this block's parts or of those of another block with the same settings."""
        y = self.expand.compute(x, values["expand"], in_channels, inner)
        y = tf.nn.relu(self.expand_norm.compute(y, values["expand_norm"], inner, training))
        offset = self.depthwise_norm.offset(values["depthwise_norm"], inner)
        y = self.depthwise.compute(y, values["depthwise"], inner, temporal_kernel, spatial_kernel, offset)
        if offset is None:
            y = self.depthwise_norm.compute(y, values["depthwise_norm"], inner, training)
        if "squeeze_excite" in values:
            y = self.squeeze_excite.compute(y, values["squeeze_excite"], inner, squeezed)
        y = self.project.compute(swish(y), values["project"], inner, channels)
        y = self.project_norm.compute(y, values["project_norm"], channels, training)
        return tf.nn.relu(y + self._shortcut(x, values, in_channels, channels, training))

    def _shortcut(self, x: tf.Tensor, values: dict, in_channels: Size, channels: Size, training: bool) -> tf.Tensor:
        changes = self.stride > 1 or (self.may_change_width and in_channels != channels)
        if changes is False:
            return x
        if changes is True:
            return self._project_shortcut(x, values, in_channels, channels, training)
        # Whichever of the two is not wanted has no channels, so that it costs nothing.
        with placement.on_host():
            kept = flag_times(tf.logical_not(changes), channels)
        in_projected, projected = flag_times(changes, in_channels), flag_times(changes, channels)
        if self.execution == "mask":
            identity = zero_beyond(fit_channels(x, self.project.out_channels), kept)
            return identity + self._project_shortcut(x, values, in_projected, projected, training)
        same, x = tf.split(x, [kept, in_projected], -1)
        return tf.concat([same, self._project_shortcut(x, values, in_projected, projected, training)], -1)

    def _project_shortcut(
        self, x: tf.Tensor, values: dict, in_channels: Size, channels: Size, training: bool
    ) -> tf.Tensor:
        y = self.shortcut.compute(x, values["shortcut"], in_channels, channels)
        return self.shortcut_norm.compute(y, values["shortcut_norm"], channels, training)
