"""Batch normalisation: numbers worked by hand."""

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.layers.batch_norm import BatchNorm

# One image of 2x2 pixels with one channel: mean 4, squared deviations 9, 1, 1, 9: variance 20 / 4 = 5.
PIXELS = tf.constant([[1.0, 3.0], [5.0, 7.0]])[None, :, :, None]
DEVIATIONS = np.array([[-3.0, -1.0], [1.0, 3.0]])


def norm(**settings):
    layer = BatchNorm(1, **settings)
    layer.gamma.assign([2.0])
    layer.beta.assign([0.5])
    return layer


@pytest.mark.parametrize("statistics", ["moving", "batch"])
def test_statistics_of_the_batch(statistics):
    y = norm(statistics=statistics, epsilon=4.0)(PIXELS, channels=1, training=True)  # 5 + 4: deviation 3
    np.testing.assert_allclose(y[0, :, :, 0], 2.0 * DEVIATIONS / 3.0 + 0.5, rtol=1e-6)


def test_what_is_no_number_does_not_stay_in_the_moving_statistics():
    layer = BatchNorm(2)
    x = np.ones([4, 3, 3, 2], np.float32)
    x[0, 0, 0, 0] = np.nan
    layer(tf.constant(x), channels=2, training=True)
    # Channel 0 is as it was. Channel 1 has mean 1 and variance 0: 0.9 x 0 + 0.1 x 1, and 0.9 x 1 + 0.1 x 0.
    np.testing.assert_allclose(layer.moving_mean, [0.0, 0.1], rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, [1.0, 0.9], rtol=1e-6)


def test_moving_statistics_use_the_unbiased_variance():
    layer = norm()
    layer(PIXELS, channels=1, training=True)
    np.testing.assert_allclose(layer.moving_mean, [0.9 * 0.0 + 0.1 * 4.0], rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, [0.9 * 1.0 + 0.1 * 20.0 / 3.0], rtol=1e-5)


def test_moving_statistics_are_used_and_kept_outside_training():
    layer = norm(epsilon=0.0)
    layer.moving_mean.assign([3.0])
    layer.moving_variance.assign([16.0])
    y = layer(PIXELS, channels=1, training=False)
    np.testing.assert_allclose(y[0, :, :, 0], [[-0.5, 0.5], [1.5, 2.5]], rtol=1e-6)  # 2 (x - 3) / 4 + 0.5
    np.testing.assert_array_equal(layer.moving_mean, [3.0])


def test_without_tracking_there_is_nothing_to_track():
    layer = norm(statistics="batch")
    assert [weight.name for weight in layer.weights] == ["gamma", "beta"]
    np.testing.assert_allclose(layer(PIXELS, channels=1, training=False), layer(PIXELS, channels=1, training=True))


def test_gamma_zero_starts_a_branch_as_nothing():
    np.testing.assert_array_equal(BatchNorm(1, gamma=0.0)(PIXELS, channels=1, training=True), tf.zeros_like(PIXELS))


@pytest.mark.parametrize("execution", ["slice", "mask"])
def test_a_sampled_width_uses_the_first_channels(randomized, widened, execution):
    layer = randomized(BatchNorm(5, statistics="batch", execution=execution))
    x = np.random.default_rng(0).normal(size=(4, 3, 3, 2)).astype(np.float32)
    gamma, beta = (np.asarray(weight)[:2] for weight in (layer.gamma, layer.beta))
    expected = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-5) * gamma + beta
    y = layer(x if execution == "slice" else widened(x, 5), channels=tf.constant(2))
    np.testing.assert_allclose(y[..., :2], expected, atol=1e-5)
    np.testing.assert_array_equal(y[..., 2:], 0)


def test_constructor_settings_survive_a_round_trip():
    layer = BatchNorm(3, epsilon=1e-4, momentum=0.8, gamma=0.0, statistics="batch", synchronized=True, execution="mask")
    again = BatchNorm.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    np.testing.assert_array_equal(again.gamma, layer.gamma)
