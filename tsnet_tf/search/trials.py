"""Short trainings from scratch, one architecture after the other, as slices of one network.

The beginning of a training from scratch says more about its end than shared weights do (docs/results.md). To trace a
model takes as long as a hundred of its steps, so there is one: each trial puts weights and optimizer back to where they
began, and trains the slice that its architecture takes.
"""

from collections.abc import Callable, Iterable, Sequence

import keras
import numpy as np
import tensorflow as tf

from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.search.selection import score_and_top1


def trials(
    network: TwoStreamModel, optimizer: keras.optimizers.Optimizer, training: Iterable, validation: Iterable
) -> Callable[[Sequence[int]], float]:
    """A function that trains an architecture, given as candidate indices, and returns its mean log-likelihood.

    Args:
      network: a supernet with random weights, from which every trial begins.
      optimizer: built for it.
      training: ``(clips, labels)``; all of it is one trial, and the same for each.
      validation: ``(clips, labels)`` for the log-likelihood, a finite number; held in memory.
    """
    variables, validation = network.trainable_variables, list(validation)
    everything = [*network.variables, *optimizer.variables]
    start = [np.array(variable) for variable in everything]
    measure = score_and_top1(network)

    @tf.function(autograph=False)
    def step(architecture: tf.Tensor, clips: tf.Tensor, labels: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            logits = network(clips, architecture=architecture, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=tf.cast(logits, tf.float32))
            loss = optimizer.scale_loss(tf.reduce_mean(losses))
        gradients = tape.gradient(loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        optimizer.apply(gradients, variables)

    def score(architecture: Sequence[int]) -> float:
        architecture = tf.constant(architecture, tf.int32)
        for variable, value in zip(everything, start, strict=True):
            variable.assign(value)
        for clips, labels in training:
            step(architecture, clips, labels)
        return float(np.mean([measure(architecture, *batch)[0] for batch in validation]))

    return score
