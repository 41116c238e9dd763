"""1x1x1 convolution and squeeze-excite against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.layers.pointwise import Pointwise
from tsnet_tf.layers.squeeze_excite import SqueezeExcite, pool_clip


def features(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("execution", ["slice", "mask"])
@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize("shape", [(3,), (2, 3), (4, 5, 6, 3)])
def test_is_a_matrix_product_at_every_position(randomized, widened, execution, use_bias, shape):
    layer = randomized(Pointwise(5, 7, use_bias=use_bias, execution=execution))
    x = features(2, *shape)
    expected = x @ np.asarray(layer.kernel)[:3, :4] + (np.asarray(layer.bias)[:4] if use_bias else 0.0)
    given = x if execution == "slice" else widened(x, 5)
    y = layer(given, in_channels=tf.constant(3), channels=tf.constant(4))
    assert y.shape[-1] == (4 if execution == "slice" else 7)
    np.testing.assert_allclose(y[..., :4], expected, atol=1e-5)
    np.testing.assert_array_equal(y[..., 4:], 0)


@pytest.mark.parametrize("size", [4, 5])
def test_stride_keeps_every_other_position(randomized, size):
    layer = randomized(Pointwise(3, 2, stride=2))
    x = features(2, size, size, 3)
    y = layer(x, in_channels=3, channels=2)
    np.testing.assert_allclose(y, x[:, ::2, ::2] @ np.asarray(layer.kernel), atol=1e-5)


def test_pool_is_the_mean_of_each_clip(rows):
    x = features(3, 4, 2, 5, 6)
    np.testing.assert_allclose(pool_clip(tf.constant(rows(x)), 4), x.mean((1, 2, 3)), atol=1e-6)


def test_squeeze_excite_by_hand():
    # Mean of 1 and 3 is 2; 2 - 1 = 1; the gate is sigmoid(ln 3) = 0.75.
    layer = SqueezeExcite(1, channels=1, se_channels=1)
    for weight, value in zip(layer.weights, (1.0, -1.0, np.log(3.0), 0.0), strict=True):
        weight.assign(np.full(weight.shape, value))
    y = layer(np.array([1, 3], np.float32)[None, None, :, None], channels=1, se_channels=1)
    np.testing.assert_allclose(y[0, 0, :, 0], [0.75, 2.25], rtol=1e-6)


@pytest.mark.parametrize("execution", ["slice", "mask"])
@pytest.mark.parametrize("batch, height, width", [(3, 2, 5), (1, 4, 4)])
def test_squeeze_excite_scales_by_a_gate_of_the_clips_means(
    rows, clips, randomized, widened, batch, height, width, execution
):
    layer = randomized(SqueezeExcite(4, channels=6, se_channels=8, execution=execution))
    x = features(batch, 4, height, width, 5)  # 5 channels and a bottleneck of 3 are sampled
    w1, b1 = np.asarray(layer.reduce.kernel)[:5, :3], np.asarray(layer.reduce.bias)[:3]
    w2, b2 = np.asarray(layer.expand.kernel)[:3, :5], np.asarray(layer.expand.bias)[:5]
    hidden = np.maximum(x.mean((1, 2, 3)) @ w1 + b1, 0.0)
    gate = 1.0 / (1.0 + np.exp(-(hidden @ w2 + b2)))
    given = rows(x) if execution == "slice" else widened(rows(x), 6)
    y = clips(layer(given, channels=tf.constant(5), se_channels=tf.constant(3)), 4)
    np.testing.assert_allclose(y[..., :5], x * gate[:, None, None, None], atol=1e-5)
    np.testing.assert_array_equal(y[..., 5:], 0)
