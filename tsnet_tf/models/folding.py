"""Batch normalisation folded into the convolutions before it: the same outputs with fewer operations.

With its running statistics, batch normalisation is a scale and an offset per channel. The scale goes into the weights
of the convolution before, whose last axis is that of the channels, and the offset is its bias.
"""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np

from tsnet_tf.layers.batch_norm import BatchNorm
from tsnet_tf.layers.depthwise_conv3d import DepthwiseConv3D
from tsnet_tf.layers.fusion import FusionOperation
from tsnet_tf.layers.glore import GloRe
from tsnet_tf.layers.mbconv3d import MBConv3D
from tsnet_tf.models.inheritance import inherit
from tsnet_tf.models.two_stream import Head, Stem, TwoStreamModel


def fold(model: TwoStreamModel) -> TwoStreamModel:
    """Returns a model for inference that gives what ``model`` gives outside training, to float tolerance.

    Args:
      model: a fixed model.

    Raises:
      ValueError: ``model`` is a supernet, which has no running statistics.
    """
    folded = TwoStreamModel(model.space, execution=model.execution, folded=True)
    inherit(folded, model)
    for (conv, norm), (folded_conv, _) in zip(pairs(model), pairs(folded), strict=True):
        mean, variance, gamma, beta = (
            np.asarray(weight, np.float64) for weight in (norm.moving_mean, norm.moving_variance, norm.gamma, norm.beta)
        )
        scale = gamma / np.sqrt(variance + norm.epsilon)
        kernel_of(folded_conv).assign((np.asarray(kernel_of(conv), np.float64) * scale).astype(np.float32))
        folded_conv.bias.assign((beta - mean * scale).astype(np.float32))
    return folded


def pairs(model: TwoStreamModel) -> Iterator[tuple[keras.layers.Layer, BatchNorm]]:
    """Every batch normalisation of ``model`` with the convolution before it."""
    for layer in model._flatten_layers():
        if isinstance(layer, Stem):
            yield layer.temporal, layer.norm
        elif isinstance(layer, MBConv3D):
            yield layer.expand, layer.expand_norm
            yield layer.depthwise, layer.depthwise_norm
            yield layer.project, layer.project_norm
            if layer.shortcut:
                yield layer.shortcut, layer.shortcut_norm
        elif isinstance(layer, FusionOperation) and layer.operation.convolved:
            yield layer, layer.norm
        elif isinstance(layer, GloRe):
            yield layer.extend, layer.norm
        elif isinstance(layer, Head):
            yield layer.conv, layer.norm


def kernel_of(conv: keras.layers.Layer) -> keras.Variable:
    """The weights that a convolution's normalisation scales."""
    names = {DepthwiseConv3D: "depthwise_kernel", FusionOperation: "temporal_kernel"}
    return getattr(conv, names.get(type(conv), "kernel"))
