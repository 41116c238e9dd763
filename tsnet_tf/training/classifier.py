"""The training step of a fixed model."""

import keras
import tensorflow as tf

from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.training.accumulation import microbatch, one_after_another
from tsnet_tf.training.fused_optimizers import build_for


class Classifier(keras.Model):
    """A fixed model in training; `train_step` is one update of its weights.

    Data of a step: ``(clips, labels)``, clips uint8 ``[batch, frames, height, width, 3]`` and labels int ``[batch]``,
    or each class's share ``[batch, classes]``, which mixed clips have.

    Args:
      network: the fixed model.
      label_smoothing: probability spread over all classes.
      microbatches: into how many parts a batch is cut to save memory; each has BN statistics of its own.
    """

    def __init__(self, network: TwoStreamModel, *, label_smoothing: float = 0.0, microbatches: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.network, self.label_smoothing, self.microbatches = network, label_smoothing, microbatches
        self.means = {name: keras.metrics.Mean(name=name) for name in ("loss", "accuracy")}
        self.built = True

    def compile(self, optimizer: keras.optimizers.Optimizer, jit_compile: bool = False, **kwargs) -> None:
        """Sets the optimizer."""
        super().compile(optimizer=optimizer, jit_compile=jit_compile, auto_scale_loss=False, **kwargs)
        build_for(optimizer, self.network)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self.means.values())

    def call(self, clips: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.network(clips, training=training)

    def train_step(self, data) -> dict[str, tf.Tensor]:
        clips, labels = data
        targets = self._targets(labels)
        variables = self.network.trainable_variables
        replicas = tf.distribute.get_strategy().num_replicas_in_sync

        def one(index, carried):
            gradients, loss, accuracy = carried
            target = microbatch(targets, index, self.microbatches)
            with tf.GradientTape() as tape:
                logits = self.network(microbatch(clips, index, self.microbatches), training=True)
                own = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(target, logits)) / self.microbatches
                scaled = self.optimizer.scale_loss(own / replicas)
            new = tape.gradient(scaled, variables)
            right = tf.reduce_mean(tf.cast(tf.argmax(logits, 1) == tf.argmax(target, 1), tf.float32))
            return [old + g for old, g in zip(gradients, new, strict=True)], loss + own, accuracy + right

        carried = ([tf.zeros(v.shape, v.dtype) for v in variables], tf.constant(0.0), tf.constant(0.0))
        # With synchronised BN, replicas meet inside, which they cannot in a loop.
        meets = self.network.synchronized and replicas > 1
        carried = one_after_another(one, carried, self.microbatches, written_out=meets or self.microbatches == 1)
        gradients, loss, accuracy = carried
        self.optimizer.apply(gradients, variables)
        for name, value in {"loss": loss, "accuracy": accuracy / self.microbatches}.items():
            counts = tf.math.is_finite(loss)  # what is no number counts with the optimizer
            self.means[name].update_state(tf.where(counts, value, 0.0), sample_weight=tf.cast(counts, tf.float32))
        return {name: metric.result() for name, metric in self.means.items()}

    def _targets(self, labels: tf.Tensor) -> tf.Tensor:
        """What the probabilities should be, float32 ``[batch, classes]``."""
        classes = self.network.space.classes
        shares = tf.cast(labels, tf.float32) if labels.shape.rank == 2 else tf.one_hot(labels, classes)
        return shares * (1.0 - self.label_smoothing) + self.label_smoothing / classes
