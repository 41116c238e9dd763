"""Batch normalisation with a sampled width."""

import keras
import tensorflow as tf

from tsnet_tf.layers.elastic import Execution, Size, sampled


@keras.saving.register_keras_serializable("tsnet_tf")
class BatchNorm(keras.layers.Layer):
    """Batch normalisation over all axes but the last.

    A supernet has no meaningful running statistics (they differ from architecture to architecture), so there
    ``track`` is off and the statistics of the batch are always used.

    Args:
      channels: largest number of channels.
      epsilon: added to the variance.
      momentum: weight of the old running statistics in each update (Keras's sense).
      gamma: initial scale; 0 makes a residual branch start as the identity.
      track: whether running statistics are kept and used outside training.
      synchronized: whether replicas share their statistics. Off, each replica uses its own part of the batch.
      execution: "slice" or "mask" (see `elastic`).

    Call arguments:
      x: ``[n, h, w, c]``.
      channels: sampled number of channels.
      training: use the batch's statistics and, if tracked, update the running ones.
    """

    def __init__(
        self,
        channels: int,
        epsilon: float = 1e-5,
        momentum: float = 0.9,
        gamma: float = 1.0,
        track: bool = True,
        synchronized: bool = False,
        execution: Execution = "slice",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.channels, self.epsilon, self.momentum = channels, epsilon, momentum
        self.track, self.synchronized, self.execution = track, synchronized, execution
        # Float32 whatever the features are.
        settings = {"shape": (channels,), "dtype": "float32", "autocast": False}
        self.gamma = self.add_weight(name="gamma", initializer=keras.initializers.Constant(gamma), **settings)
        self.beta = self.add_weight(name="beta", initializer="zeros", **settings)
        if track:
            settings |= {"trainable": False, "aggregation": "mean"}
            self.moving_mean = self.add_weight(name="moving_mean", initializer="zeros", **settings)
            self.moving_variance = self.add_weight(name="moving_variance", initializer="ones", **settings)

    def call(self, x: tf.Tensor, channels: Size, training: bool = False) -> tf.Tensor:
        return self.compute(x, self.values(), channels, training)

    def values(self) -> list[tf.Tensor]:
        """Scale and offset, float32."""
        return [tf.convert_to_tensor(w) for w in (self.gamma, self.beta)]

    def compute(self, x: tf.Tensor, values: list[tf.Tensor], channels: Size, training: bool = False) -> tf.Tensor:
        """The output, with the `values` of this layer or, without running statistics, of another."""
        gamma, beta = (sampled(self.execution, value, [channels]) for value in values)
        if self.track and not training:
            scale = gamma * tf.math.rsqrt(self.moving_variance + self.epsilon)
            offset = beta - self.moving_mean * scale
            y = x * tf.cast(scale, x.dtype) + tf.cast(offset, x.dtype)
        elif self.synchronized and _replicas() > 1:
            y, mean, variance = self._normalise_together(x, gamma, beta)
        else:
            empty = tf.zeros([0], tf.float32)
            y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
                x=x, scale=gamma, offset=beta, mean=empty, variance=empty, epsilon=self.epsilon, is_training=True
            )
        if self.track and training:
            for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + value * (1.0 - self.momentum))
        return y

    def _normalise_together(self, x, gamma, beta):
        """Normalises with the mean and variance over the batches of all replicas."""
        context = tf.distribute.get_replica_context()
        wide = tf.cast(x, tf.float32)
        axes = list(range(x.shape.rank - 1))
        sums = tf.stack([tf.reduce_sum(wide, axes), tf.reduce_sum(tf.square(wide), axes)])
        count = tf.cast(tf.reduce_prod(tf.shape(x)[:-1]), tf.float32) * _replicas()
        mean, square = tf.unstack(context.all_reduce(tf.distribute.ReduceOp.SUM, sums) / count)
        variance = tf.maximum(square - tf.square(mean), 0.0)
        scale = gamma * tf.math.rsqrt(variance + self.epsilon)
        y = wide * scale + (beta - mean * scale)
        return tf.cast(y, x.dtype), mean, variance * count / tf.maximum(count - 1.0, 1.0)


def _replicas() -> int:
    context = tf.distribute.get_replica_context()
    return context.num_replicas_in_sync if context else 1
