"""TS-Fusion: what the dense stream tells the sparse stream at the end of a block group (paper, section 3.2).

The operations are those of SlowFast (section 3.3). The paper concatenates the fused features and convolves 1x1x1;
that equals adding a 1x1x1 convolution of the fused features, which is how it is done here: every operation has one
projection of its own to the sparse stream's channels, and an operation that is not sampled has no channels.

An operation is an entry of `tsnet_tf.space.fusions`.
"""

import keras
import tensorflow as tf

from tsnet_tf.layers.batch_norm import BatchNorm
from tsnet_tf.layers.elastic import ElasticLayer, Size, add_prefix, flag_times, sampled, zero_beyond
from tsnet_tf.layers.pointwise import product
from tsnet_tf.space.fusions import OPERATIONS


@keras.saving.register_keras_serializable("tsnet_tf")
class FusionOperation(ElasticLayer):
    """Dense features to sparse channels.

    Args:
      kind: its name in `tsnet_tf.space.fusions.OPERATIONS`.
      frames: frames of the dense stream.
      ratio: dense frames per sparse frame.
      dense_channels: largest number of dense channels.
      sparse_channels: largest number of sparse channels.

    Call arguments:
      x: ``[frames * batch, h, w, dense_channels]``, frames first.
      dense: sampled number of dense channels, 0 if this operation is not the sampled one.
      sparse: sampled number of sparse channels.

    Output shape: ``[frames / ratio * batch, h, w, sparse]``, zero if ``dense`` is 0.
    """

    def __init__(self, kind: str, frames: int, ratio: int, dense_channels: int, sparse_channels: int, **kwargs):
        super().__init__(**kwargs)
        self.operation, self.frames, self.ratio = OPERATIONS[kind], frames, ratio
        self.seen = self.operation.frames(ratio)
        taps, channels = 1 if self.operation.pool else len(self.seen), dense_channels
        if self.operation.convolved:
            channels *= self.operation.convolved
            shape, taps = (taps, dense_channels, channels), 1
            self.temporal_kernel = self.add_weight(name="temporal_kernel", shape=shape, initializer="he_normal")
            self.norm = BatchNorm(channels, name=f"{self.name}_norm", **self.of_parts)
            self.bias = self.add_weight(name="bias", shape=(channels,), initializer="zeros") if self.folded else None
        # Zero at the start: a network that inherits a sparse stream begins as that stream, whatever is fused.
        self.kernel = self.add_weight(name="kernel", shape=(taps, channels, sparse_channels), initializer="zeros")
        self.built = True

    def call(self, x: tf.Tensor, dense: Size, sparse: Size, training: bool = False) -> tf.Tensor:
        y = self._frames_at(self._active(x, dense), self.seen)
        if self.operation.pool:
            y = self.operation.pool(tf, y)
        if self.operation.convolved:
            in_channels, dense = dense, self.operation.convolved * dense
            y = self._contract(y, self.temporal_kernel, in_channels, dense)
            if self.bias is not None:
                y = tf.nn.bias_add(y, sampled(self.execution, self.bias, [dense]))
            y = tf.nn.relu(self.norm(y, channels=dense, training=training))[:, :, :, None]
        return self._contract(y, self.kernel, dense, sparse)

    def _active(self, x: tf.Tensor, dense: Size) -> tf.Tensor:
        return x[..., :dense] if self.execution == "slice" else zero_beyond(x, dense)

    def _frames_at(self, x: tf.Tensor, offsets: range) -> tf.Tensor:
        """For every sparse frame, the dense frames at ``offsets`` from it: ``[n, h, w, len(offsets), c]``."""
        batch = tf.shape(x)[0] // self.frames
        in_time = tf.reshape(x, tf.concat([[self.frames, batch], tf.shape(x)[1:]], 0))

        def taken(offset):
            wanted = range(offset, offset + self.frames, self.ratio)
            there = [frame for frame in wanted if 0 <= frame < self.frames]
            # `gather` copies whole frames, where a slice with a stride goes through them number by number.
            frames = tf.gather(in_time, tf.constant(there, tf.int32))
            before, after = sum(frame < 0 for frame in wanted), sum(frame >= self.frames for frame in wanted)
            return tf.pad(frames, [[before, after], *[[0, 0]] * 4]) if before or after else frames

        stacked = tf.stack([taken(offset) for offset in offsets], 4)
        sparse_rows = self.frames // self.ratio * batch
        y = tf.reshape(stacked, tf.concat([[sparse_rows], tf.shape(stacked)[2:]], 0))
        return tf.ensure_shape(y, [None, None, None, len(offsets), x.shape[-1]])

    def _contract(self, taps: tf.Tensor, kernel: keras.Variable, in_channels: Size, channels: Size) -> tf.Tensor:
        """``[n, h, w, taps, in_channels]`` times ``[taps, in_channels, channels]``: ``[n, h, w, channels]``."""
        kernel = sampled(self.execution, kernel, [None, in_channels, channels])
        inputs = taps.shape[3] * (in_channels if taps.shape[4] is None else taps.shape[4])
        flat = tf.reshape(taps, [*tf.unstack(tf.shape(taps)[:3]), inputs])
        if self.folded:  # a convolution takes in the offset, activation and sum that follow
            return tf.nn.conv2d(flat, tf.reshape(kernel, [1, 1, inputs, kernel.shape[2]]), 1, "VALID")
        return product(flat, tf.reshape(kernel, [inputs, tf.shape(kernel)[2]]))


@keras.saving.register_keras_serializable("tsnet_tf")
class TSFusion(ElasticLayer):
    """Adds the sampled fusion of the dense stream to the sparse stream.

    Args:
      frames: frames of the dense stream.
      ratio: dense frames per sparse frame.
      dense_channels: largest number of dense channels.
      sparse_channels: largest number of sparse channels.
      candidates: names of the operations that can be sampled, "none" excluded.

    Call arguments:
      sparse: ``[frames / ratio * batch, h, w, sparse_channels]``, frames first.
      dense: ``[frames * batch, h, w, dense_channels]``, frames first.
      sparse_channels, dense_channels: sampled widths.
      selected: candidate name to whether it is the sampled one.
      training: passed to BN.

    Output shape: that of ``sparse``.
    """

    def __init__(
        self,
        frames: int,
        ratio: int,
        dense_channels: int,
        sparse_channels: int,
        candidates: tuple[str, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.alike = (frames, ratio, *candidates)
        sizes = (frames, ratio, dense_channels, sparse_channels)
        self.operations = {
            name: FusionOperation(name, *sizes, name=f"{self.name}_{name}", **self.of_parts) for name in candidates
        }
        self.built = True

    def call(
        self,
        sparse: tf.Tensor,
        dense: tf.Tensor,
        sparse_channels: Size,
        dense_channels: Size,
        selected: dict[str, bool | tf.Tensor],
        training: bool = False,
    ) -> tf.Tensor:
        for name, operation in self.operations.items():
            if selected[name] is False:
                continue
            widths = {
                stream: flag_times(selected[name], channels)
                for stream, channels in (("dense", dense_channels), ("sparse", sparse_channels))
            }
            sparse = add_prefix(sparse, operation(dense, training=training, **widths))
        return sparse
