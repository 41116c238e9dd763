"""Swish equals TensorFlow's, with its gradient."""

import numpy as np
import tensorflow as tf

from tsnet_tf.layers.swish import swish


def test_by_hand():
    np.testing.assert_allclose(swish(tf.constant([0.0, 1.0, -1.0])), [0.0, 0.7310586, -0.2689414], rtol=1e-6)


def test_values_and_gradients_equal_tensorflows():
    x, towards = (tf.constant(np.random.default_rng(i).normal(size=1000) * 5, tf.float64) for i in range(2))
    results = []
    for function in (swish, tf.nn.silu):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        results.append((y, tape.gradient(y, x, towards)))
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)
    assert np.all(np.isfinite(swish(tf.constant([-1e4, 1e4]))))
