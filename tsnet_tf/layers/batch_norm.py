"""Batch normalisation with a sampled width."""

import keras
import tensorflow as tf

from tsnet_tf.kernels.normalise import normalise
from tsnet_tf.layers.elastic import ElasticLayer, Size, sampled


@keras.saving.register_keras_serializable("tsnet_tf")
class BatchNorm(ElasticLayer):
    """Batch normalisation over all axes but the last.

    A supernet has no meaningful running statistics (they differ from architecture to architecture): there, those of the
    batch are always used. In a model that is served, scale and offset can stand in the convolution before
    (`tsnet_tf.models.folding`); nothing is left to do here then, and nothing to be trained.

    Args:
      channels: largest number of channels.
      epsilon: added to the variance.
      momentum: weight of the old running statistics in each update (Keras's sense).
      gamma: initial scale; 0 makes a residual branch start as the identity.

    Call arguments:
      x: ``[n, h, w, c]``.
      channels: sampled number of channels.
      training: use the batch's statistics and update the running ones, if they are kept.
    """

    def __init__(self, channels: int, epsilon: float = 1e-5, momentum: float = 0.9, gamma: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        self.channels, self.epsilon, self.momentum = channels, epsilon, momentum
        # Float32 whatever the features are.
        settings = {"shape": (channels,), "dtype": "float32", "autocast": False}
        if not self.folded:
            self.gamma = self.add_weight(name="gamma", initializer=keras.initializers.Constant(gamma), **settings)
            self.beta = self.add_weight(name="beta", initializer="zeros", **settings)
        if self.statistics == "moving":
            # Every replica has its own, and their mean is taken when it is asked for: not in every step.
            settings |= {"trainable": False, "aggregation": "mean", "synchronization": "on_read"}
            with keras.name_scope(self.name, caller=self):
                self.moving_mean = keras.Variable(name="moving_mean", initializer="zeros", **settings)
                self.moving_variance = keras.Variable(name="moving_variance", initializer="ones", **settings)

    def call(self, x: tf.Tensor, channels: Size, training: bool = False) -> tf.Tensor:
        if self.folded:
            return x
        gamma, beta = (sampled(self.execution, weight, [channels]) for weight in (self.gamma, self.beta))
        if self.statistics == "moving" and not training:
            moving = (self.moving_mean, self.moving_variance)
            mean, variance = (sampled(self.execution, value, [channels]) for value in moving)
            scale = gamma * tf.math.rsqrt(variance + self.epsilon)
            offset = beta - mean * scale
            return x * tf.cast(scale, x.dtype) + tf.cast(offset, x.dtype)
        if self.synchronized and _replicas() > 1:
            y, mean, variance = self._normalise_together(x, gamma, beta)
        else:
            y, mean, variance = normalise(x, gamma, beta, self.epsilon)
        if self.statistics == "moving":
            for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
                # What is not finite would stay for good, also where the update of the weights is left out.
                value = tf.where(tf.math.is_finite(value), value, moving)
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


def agree(model: keras.Model) -> None:
    """Gives all replicas the mean of their moving statistics, which each has kept by itself in training."""
    for layer in model._flatten_layers():
        if isinstance(layer, BatchNorm) and layer.statistics == "moving":
            for moving in (layer.moving_mean, layer.moving_variance):
                moving.assign(tf.convert_to_tensor(moving))


def _replicas() -> int:
    context = tf.distribute.get_replica_context()
    return context.num_replicas_in_sync if context else 1
