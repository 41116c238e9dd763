"""Precise batch normalisation: moving statistics measured with the final weights, instead of along the way."""

import itertools

import keras
import numpy as np
import tensorflow as tf

from tsnet_tf.errors import NotFinite
from tsnet_tf.layers.batch_norm import BatchNorm


def recalibrate(model: keras.Model, clips: tf.data.Dataset, batches: int) -> None:
    """Sets every BN layer's moving mean and variance to their averages over ``batches`` batches.

    Weights that were inherited or have just been trained with a high learning rate have moving statistics that lag
    behind them. With momentum 0, a training-mode forward leaves exactly the batch's statistics in the moving
    ones, from where they are read. (Wu and Johnson, "Rethinking 'Batch' in BatchNorm", section 3.)

    Args:
      model: a fixed model, called as ``model(clips, training=True)``.
      clips: batches of clips, uint8 or float ``[batch, frames, height, width, 3]``, best as in training.
      batches: how many of them are used.

    Raises:
      NotFinite: what the model says of a batch is not finite.
      ValueError: ``clips`` has fewer batches.
    """
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, BatchNorm)]
    moving = [variable for layer in layers for variable in (layer.moving_mean, layer.moving_variance)]
    momenta = [layer.momentum for layer in layers]
    sums = [np.zeros(variable.shape, np.float64) for variable in moving]
    before = [np.array(variable) for variable in moving]
    # The momentum is a constant of the traced graph, so the graph must be made anew, inside this function.
    forward = tf.function(lambda batch: model(batch, training=True), autograph=False, reduce_retracing=True)
    count = 0
    try:
        for layer in layers:
            layer.momentum = 0.0
        for batch in itertools.islice(clips, batches):
            if not np.isfinite(forward(batch)).all():  # batch normalisation keeps its statistics then
                raise NotFinite(
                    f"recalibration: what the model says of batch {count + 1} is not finite; the training has gone too "
                    "far for numbers: begin it anew with a smaller learning_rate, or weight_optimizer.clip_norm"
                )
            count += 1
            for total, variable in zip(sums, moving, strict=True):
                total += np.array(variable)
        if count < batches:
            raise ValueError(f"expected {batches} batches of clips to recalibrate on, found {count}")
    except BaseException:
        for variable, value in zip(moving, before, strict=True):
            variable.assign(value)
        raise
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
    for variable, total in zip(moving, sums, strict=True):
        variable.assign((total / count).astype(np.float32))
