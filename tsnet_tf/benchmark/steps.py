"""What is measured, compiled: forward passes, gradients, training steps and searches, on random clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from tsnet_tf.layers.elastic import Execution
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.search.joint_settings import JointSettings
from tsnet_tf.search.joint_step import SearchModel
from tsnet_tf.space.two_stream import Space
from tsnet_tf.training.optimizers import alpha_optimizer, weight_optimizer


def random_batch(space: Space, batch_size: int) -> tuple[tf.Tensor, tf.Tensor]:
    draw = np.random.default_rng(0)
    clips = draw.integers(0, 256, (batch_size, space.frames, space.resolution, space.resolution, 3), np.uint8)
    return tf.constant(clips), tf.constant(draw.integers(0, space.classes, batch_size))


def forward_pass(model: TwoStreamModel) -> Callable[[tf.Tensor], tf.Tensor]:
    """A compiled function of clips to logits, outside training."""
    return tf.function(lambda clips: model(clips, training=False), autograph=False)


def gradients_of(model: TwoStreamModel, clips: tf.Tensor, labels: tf.Tensor) -> Callable:
    """A compiled function of an architecture (None for a fixed model) that computes the loss and all gradients."""
    weights = [weight.value for weight in model.trainable_variables]

    @tf.function(reduce_retracing=True)
    def step(architecture):
        with tf.GradientTape() as tape:
            logits = model(clips, architecture, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
        gradients = tape.gradient(loss, weights, unconnected_gradients="zero")
        # A result that needs every gradient: TensorFlow does not compute what is only waited for.
        return tf.add_n([loss, *(tf.reduce_sum(gradient) for gradient in gradients)])

    return step


def training_step(model: TwoStreamModel) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """A compiled function of clips and labels that takes a step of `weight_optimizer` and gives the loss."""
    return training_step_and_optimizer(model)[0]


def training_step_and_optimizer(model: TwoStreamModel) -> tuple[Callable, keras.optimizers.Optimizer]:
    """`training_step`, and its optimizer."""
    optimizer = weight_optimizer(100)
    optimizer.build(model.trainable_variables)

    def step(clips, labels):
        with tf.GradientTape() as tape:
            logits = model(clips, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
        optimizer.apply(tape.gradient(loss, [v.value for v in model.trainable_variables]), model.trainable_variables)
        return loss

    return tf.function(step, autograph=False), optimizer


def search_model(
    space: Space, samples: int, execution: Execution = "slice", architecture: Sequence[int] | None = None
) -> SearchModel:
    """A compiled search; of ``architecture`` alone, if one is given (candidate indices), else of uniform draws."""
    return search_model_of(TwoStreamModel(space, execution=execution), samples, architecture)


def search_model_of(network: TwoStreamModel, samples: int, architecture: Sequence[int] | None = None) -> SearchModel:
    """`search_model` of a supernet that is there."""
    settings = JointSettings(samples=samples, cost_term="hinge")  # no budget: the one architecture may cost anything
    model = SearchModel(network, settings, target=1.0, alpha_optimizer=alpha_optimizer())
    model.compile(weight_optimizer(100))
    if architecture is not None:
        model.alpha.assign(1e3 * tf.one_hot(architecture, model.distribution.shape[1]))
    return model
