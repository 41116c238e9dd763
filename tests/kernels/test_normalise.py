"""Normalisation by the batch's statistics equals its definition, in values and gradients, by products and by kernel."""

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.kernels import normalise

EPSILON = 1e-3


def definition(x, gamma, beta):
    mean, variance = tf.nn.moments(x, [0, 1, 2])
    return (x - mean) / tf.sqrt(variance + EPSILON) * gamma + beta, mean, variance


def with_gradients(function, x, gamma, beta):
    """Output, statistics, and the gradients of a sum of which every output has another weight."""
    with tf.GradientTape() as tape:
        tape.watch([x, gamma, beta])
        y, mean, variance = function(x, gamma, beta)
        loss = tf.reduce_sum(tf.sin(y))
    return y, mean, variance, *tape.gradient(loss, [x, gamma, beta])


def tensors(*shape):
    draw = np.random.default_rng(0)
    x = 3.0 + 2.0 * draw.normal(size=shape)  # a mean that the variance has to be told from
    return [tf.constant(v, tf.float64) for v in (x, draw.uniform(0.5, 1.5, shape[-1]), draw.normal(size=shape[-1]))]


def test_by_hand():
    # One channel, 1 and 3: mean 2, variance 1, that of a sample 2; gamma 10 and beta 5 give 5 -+ 10.
    x = tf.constant([1.0, 3.0])[:, None, None, None]
    y, mean, variance = normalise.normalise(x, tf.constant([10.0]), tf.constant([5.0]), 0.0)
    np.testing.assert_allclose(tf.reshape(y, [-1]), [-5.0, 15.0], rtol=1e-6)
    np.testing.assert_allclose([mean[0], variance[0]], [2.0, 2.0], rtol=1e-6)


@pytest.mark.parametrize("known", [True, False], ids=["known", "sampled"])
@pytest.mark.parametrize("onednn", [True, False], ids=["onednn", "eigen"])
@pytest.mark.parametrize("shape", [(4, 3, 5, 7), (2, 1, 1, 16), (96, 4, 4, 1), (96, 4, 4, 8), (6, 2, 2, 0)])
def test_values_and_gradients_equal_the_definition(shape, onednn, known, monkeypatch):
    monkeypatch.setattr(normalise, "onednn_is_default", lambda: onednn)
    given = tensors(*shape)
    expected = with_gradients(definition, *given)
    count = np.prod(shape[:-1])
    narrow = [tf.cast(value, tf.float32) for value in given]
    specs = [tf.TensorSpec(v.shape if known else [None] * v.shape.rank) for v in narrow]
    function = tf.function(
        lambda *given: with_gradients(lambda x, g, b: normalise.normalise(x, g, b, EPSILON), *given), specs
    )
    y, mean, variance, *gradients = function(*narrow)
    found = (y, mean, variance * (count - 1) / count, *gradients)
    for value, want in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, want, rtol=0, atol=2e-5 * np.abs(want).max(initial=1.0))


def test_equals_the_kernel_of_other_devices(monkeypatch):
    given = [tf.cast(value, tf.float32) for value in tensors(6, 4, 4, 5)]

    def ours(x, gamma, beta):
        return normalise.normalise(x, gamma, beta, EPSILON)

    found = with_gradients(ours, *given)
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind=None: ["one"])
    for value, want in zip(found, with_gradients(ours, *given), strict=True):
        np.testing.assert_allclose(value, want, rtol=0, atol=2e-5 * np.abs(want).max(initial=1.0))


def test_no_gradient_goes_through_the_statistics():
    given = [tf.cast(value, tf.float32) for value in tensors(6, 4, 4, 5)]
    with tf.GradientTape() as tape:
        tape.watch(given)
        _, mean, variance = normalise.normalise(*given, EPSILON)
    gradients = tape.gradient(tf.reduce_sum(mean + variance), given, unconnected_gradients="zero")
    assert not any(np.any(gradient) for gradient in gradients)
