"""The schedule's values and which weights are pulled towards zero."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.layers.batch_norm import BatchNorm
from tsnet_tf.layers.depthwise_conv3d import DepthwiseConv3D
from tsnet_tf.training.optimizers import alpha_optimizer, weight_optimizer


def test_linear_warm_up_then_half_a_cosine():
    """100 steps, the first 10 of them warm-up to 0.4, then 0.2 (1 + cos(pi x)) over the other 90."""
    rate = weight_optimizer(100, learning_rate=0.4, warmup=0.1)._learning_rate
    expected = {0: 0.0, 5: 0.2, 10: 0.4, 40: 0.3, 55: 0.2, 70: 0.1, 100: 0.0}
    assert {step: pytest.approx(float(rate(step)), abs=1e-6) for step in expected} == expected


def test_run_of_one_step_has_a_schedule():
    rate = weight_optimizer(1)._learning_rate
    assert np.isfinite([float(rate(step)) for step in range(3)]).all()


def test_settings_of_the_paper():
    optimizer = weight_optimizer(100)
    assert isinstance(optimizer, keras.optimizers.SGD)
    assert (optimizer.momentum, optimizer.nesterov, optimizer.weight_decay) == (0.9, True, 5e-5)
    alphas = alpha_optimizer()
    assert isinstance(alphas, keras.optimizers.Adam) and alphas.weight_decay is None
    assert float(alphas.learning_rate) == pytest.approx(0.025)


def test_only_kernels_decay():
    """With zero gradients, a step takes learning rate x decay off the kernels, and nothing off the rest."""
    norm = BatchNorm(3, gamma=1.0)
    conv = DepthwiseConv3D(2, 3, 3, 3, execution="slice")
    dense = keras.layers.Dense(2)
    dense.build((None, 3))
    variables = [*norm.trainable_weights, *conv.trainable_weights, *dense.trainable_weights]
    for variable in variables:
        variable.assign(tf.ones_like(variable))
    optimizer = weight_optimizer(100, learning_rate=0.4, warmup=0.1, weight_decay=0.1)
    optimizer.build(variables)
    optimizer.iterations.assign(10)  # the top of the schedule: 0.4
    optimizer.apply([tf.zeros_like(v) for v in variables], variables)
    kept = {v.path.rsplit("/", 1)[-1]: np.array(v) for v in variables}
    assert set(kept) == {"gamma", "beta", "depthwise_kernel", "kernel", "bias"}
    for name, value in kept.items():
        expected = 1 - 0.4 * 0.1 if "kernel" in name else 1.0
        np.testing.assert_allclose(value, expected, rtol=1e-6, err_msg=name)


def test_clipping_is_of_the_global_norm():
    variables = [keras.Variable([0.0]), keras.Variable([0.0])]
    optimizer = weight_optimizer(100, learning_rate=1.0, warmup=0.1, momentum=0.0, weight_decay=0.0, clip_norm=1.0)
    optimizer.build(variables)
    optimizer.iterations.assign(10)
    optimizer.apply([tf.constant([3.0]), tf.constant([4.0])], variables)
    np.testing.assert_allclose([float(np.array(v)[0]) for v in variables], [-0.6, -0.8], rtol=1e-5)
