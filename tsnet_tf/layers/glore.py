"""GloRe: global reasoning over a small graph of regions (Chen et al., CVPR 2019), with sampled widths."""

import keras
import tensorflow as tf

from tsnet_tf.layers.batch_norm import BatchNorm
from tsnet_tf.layers.elastic import ElasticLayer, Size, add_prefix, flag_times, zero_beyond
from tsnet_tf.layers.pointwise import Pointwise

EPSILON = 1e-6  # added to the mean square of assignments: of a block that is off there are none


@keras.saving.register_keras_serializable("tsnet_tf")
class GloRe(ElasticLayer):
    """Projects features to graph nodes, reasons over them, projects back and adds.

    With M nodes and 2 M states: states and assignments are 1x1x1 convolutions with bias; a node's assignments are
    divided by the root of their mean square over the clip; V = states x assignments^T, divided by the number of
    positions (crops vary in size); V + node convolution, ReLU, state convolution; back by the same assignments; 1x1x1
    to the input's channels, BN with gamma 0 at the start and epsilon 1e-4; residual.

    The public GloRe divides V by the positions at most (``normalize``). What reaches its BN is then of the third degree
    in the features, as the assignments come in twice: features ten times as large give a thousand times as much, to
    which no moving statistics fit. With assignments of mean square 1 it is of the first degree. Weights of before mean
    something else, so those of the assignments have another name.

    Args:
      frames: number of frames of the input.
      channels: largest number of channels.
      nodes: largest number of nodes M.

    Call arguments:
      x: ``[frames * batch, h, w, c]``, frames first.
      channels: sampled number of channels c.
      nodes: number of nodes for these channels.
      on: whether the block is there; if not, ``x`` is returned and nothing is computed.
      training: passed to BN.

    Output shape: that of ``x``.
    """

    def __init__(self, frames: int, channels: int, nodes: int, **kwargs):
        super().__init__(**kwargs)
        self.frames = self.alike = frames
        states, name, plain = 2 * nodes, self.name, {"execution": self.execution}
        self.to_states = Pointwise(channels, states, use_bias=True, name=f"{name}_states", **plain)
        self.to_assignments = Pointwise(channels, nodes, use_bias=True, name=f"{name}_assignments", **plain)
        self.node_conv = Pointwise(nodes, nodes, use_bias=True, name=f"{name}_node_conv", **plain)
        self.state_conv = Pointwise(states, states, name=f"{name}_state_conv", **plain)
        self.extend = Pointwise(states, channels, use_bias=self.folded, name=f"{name}_extend", **plain)
        self.norm = BatchNorm(channels, epsilon=1e-4, gamma=0.0, name=f"{name}_norm", **self.of_parts)
        self.built = True

    def call(
        self, x: tf.Tensor, channels: Size, nodes: Size, on: bool | tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        if on is False:
            return x
        # The number of positions is that of the whole clip; a block that is off has no nodes and no channels.
        width, nodes, channels = channels, flag_times(on, nodes), flag_times(on, channels)
        shape = tf.shape(x)
        positions = self.frames * shape[1] * shape[2]
        in_time = tf.reshape(x, [self.frames, shape[0] // self.frames, shape[1] * shape[2], shape[3]])  # [t, b, p, c]
        states = self.to_states(in_time, in_channels=width, channels=2 * nodes)
        assignment = self.to_assignments(in_time, in_channels=width, channels=nodes)
        # Dividing what comes of a node is dividing its assignments, and is a few numbers instead of all positions.
        square = tf.reduce_mean(tf.square(tf.cast(assignment, tf.float32)), [0, 2])
        scale = tf.cast(tf.math.rsqrt(square + EPSILON), x.dtype)  # [b, n]
        v = tf.einsum("tbps,tbpn->bsn", states, assignment) / tf.cast(positions, x.dtype) * scale[:, None]
        v = tf.nn.relu(v + self.node_conv(v, in_channels=nodes, channels=nodes))
        v = tf.linalg.matrix_transpose(v)
        if self.execution == "mask":
            v = zero_beyond(v, 2 * nodes)  # the node convolution's bias has reached states that are not sampled
        v = self.state_conv(v, in_channels=2 * nodes, channels=2 * nodes)
        v *= scale[:, :, None]
        y = tf.einsum("tbpn,bns->tbps", assignment, v)
        y = self.extend(y, in_channels=2 * nodes, channels=channels)
        y = tf.reshape(y, [shape[0], shape[1], shape[2], tf.shape(y)[-1]])
        return add_prefix(x, self.norm(y, channels=channels, training=training))
