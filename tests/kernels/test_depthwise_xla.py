"""Every way in which XLA computes the depthwise convolution gives what TensorFlow's kernels give, gradients too."""

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.kernels import depthwise_xla
from tsnet_tf.kernels.depthwise import depthwise_conv3d

FRAMES = 4


def function(stride, lowering="fusion", **settings):
    def outputs(x, kernel):
        with depthwise_xla.lowered_as(lowering), tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = depthwise_conv3d(x, kernel, FRAMES, stride)
            loss = tf.reduce_sum(tf.sin(y))
        return y, *tape.gradient(loss, [x, kernel])

    return tf.function(outputs, autograph=False, **settings)


@pytest.mark.parametrize(
    ("side", "kernel", "stride"), [(7, (3, 3, 3), 1), (7, (3, 5, 5), 2), (6, (3, 3, 3), 2), (5, (5, 1, 1), 1)]
)
def test_every_lowering_gives_the_same(side, kernel, stride):
    draw = np.random.default_rng(0)
    x, kernel = (tf.constant(draw.normal(size=s), tf.float32) for s in ((FRAMES * 2, side, side, 3), (*kernel, 3)))
    expected = function(stride)(x, kernel)
    for lowering in ("fusion", "mixed", "taps", "grouped"):
        found = function(stride, lowering, jit_compile=True)(x, kernel)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=2e-5, err_msg=lowering)


def test_fusion_is_one_sum_and_no_convolution(monkeypatch):
    """27 numbers of a 3 x 3 x 3 kernel: as many products; a convolution is what libraries would be called for."""
    monkeypatch.delenv("TSNET_TF_PLAIN", raising=False)  # this is about the fast one
    x, kernel = tf.TensorSpec([8, 6, 6, 3]), tf.TensorSpec([3, 3, 3, 3])
    convolve = tf.function(lambda x, kernel: depthwise_conv3d(x, kernel, FRAMES), jit_compile=True, autograph=False)
    graph = convolve.get_concrete_function(x, kernel).graph
    assert sum(op.type == "Mul" for op in graph.get_operations()) == 27
    assert not [op.type for op in graph.get_operations() if "Conv" in op.type]


def test_sums_of_narrow_features_are_wide():
    """1 + 1/256 - 1 in bfloat16, whose numbers after 1 are 1/128 apart: three taps over frames, one place."""
    x = tf.reshape(tf.constant([1.0, 1.0 / 256, -1.0, 0.0], tf.bfloat16), [FRAMES, 1, 1, 1])
    kernel = tf.ones([3, 1, 1, 1], tf.bfloat16)
    y = tf.function(lambda x, kernel: depthwise_conv3d(x, kernel, FRAMES), jit_compile=True)(x, kernel)
    assert float(y[1, 0, 0, 0]) == 1 / 256


def test_what_is_too_long_to_write_out_is_left_to_convolutions():
    with depthwise_xla.lowered_as("fusion"):
        assert depthwise_xla.takes(tf.zeros([8, 6, 6, 3]), tf.zeros([3, 5, 5, 3]))
        assert not depthwise_xla.takes(tf.zeros([8, 6, 6, 3]), tf.zeros([5, 5, 5, 3]))
