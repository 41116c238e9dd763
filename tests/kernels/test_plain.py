"""The fast operations give what their plain references give, in values and gradients."""

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.kernels import depthwise, normalise, plain


def with_gradients(function, *given):
    """Outputs, and the gradients of a sum of which every output has another weight."""
    with tf.GradientTape() as tape:
        tape.watch(given)
        outputs = function(*given)
        loss = tf.reduce_sum(tf.sin(outputs[0]))
    return [*outputs, *tape.gradient(loss, given)]


def assert_same(found, expected):
    for value, want in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, want, rtol=0, atol=1e-4 * np.abs(want).max(initial=1.0))


@pytest.mark.parametrize("known", [True, False], ids=["known", "sampled"])
@pytest.mark.parametrize(
    "frames, t, k, stride", [(4, 3, 3, 1), (8, 5, 5, 2), (2, 5, 3, 1), (4, 1, 5, 2), (16, 3, 1, 1)]
)
def test_depthwise_convolution(frames, t, k, stride, known, monkeypatch):
    draw = np.random.default_rng(t + k)
    given = [tf.constant(draw.normal(size=size), tf.float32) for size in ((2 * frames, 6, 5, 3), (t, k, k, 3), (3,))]
    specs = [tf.TensorSpec(value.shape if known else [None] * value.shape.rank) for value in given]

    def traced():
        return tf.function(
            lambda *values: with_gradients(
                lambda x, kernel, offset: [depthwise.depthwise_conv3d(x, kernel, frames, stride, offset)], *values
            ),
            input_signature=specs,
        )(*given)

    found = traced()
    monkeypatch.setenv("TSNET_TF_PLAIN", "1")
    monkeypatch.setattr(depthwise, "_convolved", None)  # none of the fast ones runs
    assert_same(found, traced())


def test_normalisation(monkeypatch):
    draw = np.random.default_rng(0)
    given = [tf.constant(draw.normal(2, 3, size), tf.float32) for size in ((6, 4, 4, 5), (5,), (5,))]
    found = with_gradients(lambda *values: normalise.normalise(*values, 1e-3), *given)
    monkeypatch.setenv("TSNET_TF_PLAIN", "1")
    monkeypatch.setattr(normalise, "_fused", None)
    monkeypatch.setattr(normalise, "_by_products", None)
    assert_same(found, with_gradients(lambda *values: normalise.normalise(*values, 1e-3), *given))


def test_the_references_by_hand():
    # Frames 1, 2, 3 of one pixel under 1, 10, 100: each frame sees the one before, itself and the one after.
    x, kernel = tf.reshape([1.0, 2.0, 3.0], [3, 1, 1, 1]), tf.reshape([1.0, 10.0, 100.0], [3, 1, 1, 1])
    assert plain.depthwise_conv3d(x, kernel, 3).numpy().ravel().tolist() == [210, 321, 32]
    # Mean 2, variance 2/3, that of a sample 1.
    y, mean, variance = plain.normalise(x, tf.constant([1.0]), tf.constant([5.0]), 0.0)
    np.testing.assert_allclose(y.numpy().ravel(), [5 - 1.5**0.5, 5, 5 + 1.5**0.5], rtol=1e-6)
    np.testing.assert_allclose([mean[0], variance[0]], [2, 1], rtol=1e-6)
