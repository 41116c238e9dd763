"""Precise batch normalisation: moving statistics measured with the final weights, instead of along the way."""

import itertools
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tsnet_tf.errors import NotFinite
from tsnet_tf.layers.batch_norm import BatchNorm


def recalibrate(
    model: keras.Model,
    clips: tf.data.Dataset | Callable[[tf.distribute.InputContext], tf.data.Dataset],
    batches: int,
    strategy: tf.distribute.Strategy | None = None,
) -> None:
    """Sets every BN layer's moving mean and variance to their averages over ``batches`` batches.

    Weights that were inherited or have just been trained with a high learning rate have moving statistics that lag
    behind them. With momentum 0, a training-mode forward leaves exactly the batch's statistics in the moving
    ones, from where they are read. (Wu and Johnson, "Rethinking 'Batch' in BatchNorm", section 3.)

    Args:
      model: a fixed model, called as ``model(clips, training=True)``.
      clips: batches of clips, uint8 or float ``[batch, frames, height, width, 3]``, best as in training; with a
        strategy, a function that makes those of a worker, each for one replica.
      batches: how many of them are used, on every replica.
      strategy: how the work is spread, the one that ``model`` was made under; None for one device.

    Raises:
      NotFinite: what the model says of a batch is not finite.
      ValueError: ``clips`` has fewer batches.
    """
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, BatchNorm)]
    moving = [variable for layer in layers for variable in (layer.moving_mean, layer.moving_variance)]
    momenta = [layer.momentum for layer in layers]
    before = [np.array(variable) for variable in moving]
    spread = clips if strategy is None else strategy.distribute_datasets_from_function(clips)
    strategy = strategy or tf.distribute.get_strategy()

    def forward(batch):
        finite = tf.reduce_all(tf.math.is_finite(model(batch, training=True)))
        return tf.concat([tf.convert_to_tensor(value) for value in moving], 0), tf.cast(finite, tf.float32)

    # All replicas' statistics in one reduction. The momentum is a constant of the traced graph, so the graph must be
    # made anew, inside this function.
    step = tf.function(
        lambda batch: [strategy.reduce("MEAN", value, axis=None) for value in strategy.run(forward, args=(batch,))],
        autograph=False,
        reduce_retracing=True,
    )
    count, total = 0, 0.0
    try:
        for layer in layers:
            layer.momentum = 0.0
        for batch in itertools.islice(spread, batches):
            statistics, finite = step(batch)
            if float(finite) < 1:  # batch normalisation keeps its statistics then
                raise NotFinite(
                    f"recalibration: what the model says of batch {count + 1} is not finite; the training has gone too "
                    "far for numbers: begin it anew with a smaller learning_rate, or weight_optimizer.clip_norm"
                )
            count += 1
            total = total + statistics.numpy().astype(np.float64)
        if count < batches:
            raise ValueError(f"expected {batches} batches of clips to recalibrate on, found {count}")
    except BaseException:
        for variable, value in zip(moving, before, strict=True):
            variable.assign(value)
        raise
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
    if not moving:
        return
    means = np.split((total / count).astype(np.float32), np.cumsum([len(value) for value in before])[:-1])
    for variable, mean in zip(moving, means, strict=True):
        variable.assign(mean)
