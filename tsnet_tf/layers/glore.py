"""GloRe: global reasoning over a small graph of regions (Chen et al., CVPR 2019), with sampled widths."""

import keras
import tensorflow as tf

from tsnet_tf.layers.batch_norm import BatchNorm, Statistics
from tsnet_tf.layers.elastic import Execution, Size, add_prefix, flag_times, zero_beyond
from tsnet_tf.layers.pointwise import Pointwise
from tsnet_tf.layers.shared_trace import call_shared, shares_trace

EPSILON = 1e-6  # added to the mean square of assignments: of a block that is off there are none


@keras.saving.register_keras_serializable("tsnet_tf")
class GloRe(keras.layers.Layer):
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
      statistics: see `BatchNorm`.
      synchronized: see `BatchNorm`.
      execution: "slice" or "mask" (see `elastic`).

    Call arguments:
      x: ``[frames * batch, h, w, c]``, frames first.
      channels: sampled number of channels c.
      nodes: number of nodes for these channels.
      on: whether the block is there; if not, ``x`` is returned and nothing is computed.
      training: passed to BN.

    Output shape: that of ``x``.
    """

    def __init__(
        self,
        frames: int,
        channels: int,
        nodes: int,
        statistics: Statistics = "moving",
        synchronized: bool = False,
        execution: Execution = "slice",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.frames, self.execution = frames, execution
        self.shares_trace = shares_trace(execution, statistics, synchronized)
        self.parts = ["to_states", "to_assignments", "node_conv", "state_conv", "extend", "norm"]
        states, name = 2 * nodes, self.name
        bias = {"use_bias": True, "execution": execution}
        self.to_states = Pointwise(channels, states, name=f"{name}_states", **bias)
        self.to_assignments = Pointwise(channels, nodes, name=f"{name}_assignments", **bias)
        self.node_conv = Pointwise(nodes, nodes, name=f"{name}_node_conv", **bias)
        self.state_conv = Pointwise(states, states, execution=execution, name=f"{name}_state_conv")
        self.extend = Pointwise(states, channels, execution=execution, name=f"{name}_extend")
        self.norm = BatchNorm(
            channels,
            epsilon=1e-4,
            gamma=0.0,
            statistics=statistics,
            synchronized=synchronized,
            execution=execution,
            name=f"{name}_norm",
        )
        self.built = True

    def call(
        self, x: tf.Tensor, channels: Size, nodes: Size, on: bool | tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        if on is False:
            return x
        values = {name: getattr(self, name).values() for name in self.parts}
        sizes = {"channels": channels, "nodes": nodes, "on": on}
        if self.shares_trace:
            return call_shared(self.compute, (self.frames, self.compute_dtype), x, values, sizes)
        return self.compute(x, values, **sizes, training=training)

    def compute(
        self, x: tf.Tensor, values: dict, channels: Size, nodes: Size, on: bool | tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """The output, with the values of this block's parts or of those of another block with the same settings."""
        # The number of positions is that of the whole clip; a block that is off has no nodes and no channels.
        width, nodes, channels = channels, flag_times(on, nodes), flag_times(on, channels)
        shape = tf.shape(x)
        positions = self.frames * shape[1] * shape[2]
        in_time = tf.reshape(x, [self.frames, shape[0] // self.frames, shape[1] * shape[2], shape[3]])  # [t, b, p, c]
        states = self.to_states.compute(in_time, values["to_states"], width, 2 * nodes)
        assignment = self.to_assignments.compute(in_time, values["to_assignments"], width, nodes)
        # Dividing what comes of a node is dividing its assignments, and is a few numbers instead of all positions.
        square = tf.reduce_mean(tf.square(tf.cast(assignment, tf.float32)), [0, 2])
        scale = tf.cast(tf.math.rsqrt(square + EPSILON), x.dtype)  # [b, n]
        v = tf.einsum("tbps,tbpn->bsn", states, assignment) / tf.cast(positions, x.dtype) * scale[:, None]
        v = tf.nn.relu(v + self.node_conv.compute(v, values["node_conv"], nodes, nodes))
        v = tf.linalg.matrix_transpose(v)
        if self.execution == "mask":
            v = zero_beyond(v, 2 * nodes)  # the node convolution's bias has reached states that are not sampled
        v = self.state_conv.compute(v, values["state_conv"], 2 * nodes, 2 * nodes)
        v *= scale[:, :, None]
        y = self.extend.compute(tf.einsum("tbpn,bns->tbps", assignment, v), values["extend"], 2 * nodes, channels)
        y = tf.reshape(y, [shape[0], shape[1], shape[2], tf.shape(y)[-1]])
        return add_prefix(x, self.norm.compute(y, values["norm"], channels, training))
