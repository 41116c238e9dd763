"""oneDNN's depthwise kernels against TensorFlow's own operations, and where they are left alone."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import op_def_registry

from tsnet_tf.kernels import plane

HAS_ONEDNN = op_def_registry.get("_MklNativeDepthwiseConv2dNative") is not None


def tensors(k, height, width, stride, dtype=tf.float32):
    draw = np.random.default_rng(k)
    out = [2, -(-height // stride), -(-width // stride), 5]
    return [tf.constant(draw.normal(size=shape), dtype) for shape in ([2, height, width, 5], [k, k, 5, 1], out)]


def all_three(x, kernel, dy, stride):
    around = plane.border(kernel.shape[0], stride)
    bordered = plane.features_gradient(tf.shape(x), kernel, dy, stride)
    return (
        plane.convolve(x, kernel, stride),
        tf.slice(bordered, [0, around, around, 0], tf.shape(x)),
        plane.filter_gradient(x, kernel, dy, stride),
    )


def operations(function, *arguments):
    return {op.type for op in function.get_concrete_function(*arguments).graph.get_operations()}


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("height, width", [(8, 6), (7, 9), (3, 4)])
def test_equals_tensorflow(height, width, k, stride):
    x, kernel, dy = tensors(k, height, width, stride)
    half = k // 2
    pads = [[0, 0], [half, half], [half, half], [0, 0]]
    with tf.GradientTape() as tape:
        tape.watch([x, kernel])
        y = tf.nn.depthwise_conv2d(tf.pad(x, pads), kernel, [1, stride, stride, 1], "VALID")
    expected = y, *tape.gradient(y, [x, kernel], dy)
    found = tf.function(lambda *given: all_three(*given, stride))(x, kernel, dy)
    for value, want in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, want, rtol=0, atol=1e-5 * np.abs(want).max())


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("offset", [None, [1.0, -2.0, 3.0, 0.0, 0.5]])
@pytest.mark.parametrize("adds", [True, False])
def test_adds_to_what_is_there_and_leaves_it_to_others(stride, offset, adds):
    x, kernel, there = tensors(3, 8, 6, stride)

    @tf.function
    def convolve(x, kernel, there):
        there = 2 * there
        added = {"added": there} if adds else {}
        return plane.convolve(x, kernel, stride, offset and tf.constant(offset), **added), there

    found, doubled = convolve(x, kernel, there)
    expected = plane.convolve(x, kernel, stride) + np.float32(offset or 0) + (2 * there if adds else 0.0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(doubled, 2 * there)
    by_onednn = HAS_ONEDNN and (adds or offset is not None)
    assert ("_MklNativeFusedConv2D" in operations(convolve, x, kernel, there)) == by_onednn


@pytest.mark.parametrize("k", [3, 5, 7])
@pytest.mark.parametrize("known", [True, False], ids=["known", "sampled"])
@pytest.mark.parametrize("onednn", [True, False])
def test_gradient_by_wide_filters(k, known, onednn, monkeypatch):
    monkeypatch.setattr(plane, "_prefers_onednn", lambda x: onednn)
    x, kernel, dy = tensors(k, 7, 9, 1)
    shape = [k, k, 5, 1] if known else [None, None, 5, 1]
    function = tf.function(
        plane.filter_gradient,
        input_signature=[tf.TensorSpec(x.shape), tf.TensorSpec(shape), tf.TensorSpec(dy.shape)],
    )
    expected = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
        input=x, filter_sizes=kernel.shape, out_backprop=dy, strides=[1] * 4, padding="SAME"
    )
    np.testing.assert_allclose(function(x, kernel, dy), expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("k", [3, 5])
@pytest.mark.parametrize("onednn", [True, False])
def test_gradient_by_sampled_filters_with_a_stride(k, onednn, monkeypatch):
    monkeypatch.setattr(plane, "_prefers_onednn", lambda x: onednn)
    x, kernel, dy = tensors(k, 8, 7, 2)
    half = k // 2
    padded = tf.pad(x, [[0, 0], [half, half], [half, half], [0, 0]])
    specs = [tf.TensorSpec([None] * 4)] * 3
    function = tf.function(lambda x, kernel, dy: plane.filter_gradient(x, kernel, dy, 2), specs)
    expected = plane.filter_gradient(x, kernel, dy, 2)
    np.testing.assert_allclose(function(padded, kernel, dy), expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.skipif(not HAS_ONEDNN, reason="this TensorFlow was built without oneDNN")
def test_graphs_on_the_processor_use_onednn_and_others_do_not():
    given = tensors(3, 8, 8, 1)

    def onednn(function, given=given):
        return {name for name in operations(function, *given) if name.startswith("_MklNative")}

    forward_and_features = {
        "_MklNativeDepthwiseConv2dNative",
        "_MklNativeDepthwiseConv2dNativeBackpropInput",
    }
    assert onednn(tf.function(lambda *given: all_three(*given, 1))) == forward_and_features
    assert not onednn(tf.function(lambda *given: all_three(*given, 1), jit_compile=True))
    assert not onednn(tf.function(lambda *given: all_three(*given, 1)), tensors(3, 8, 8, 1, tf.float64))
    with plane.portable():
        assert not onednn(tf.function(lambda *given: all_three(*given, 1)))
    assert onednn(tf.function(lambda *given: all_three(*given, 1))) == forward_and_features


def test_strides_with_padding_by_the_caller():
    # What converters know is "SAME" and "VALID": features come with their padding then.
    assert plane.pads_itself(3, 2) and not plane.pads_itself(None, 2)
    x, kernel, _ = tensors(3, 8, 8, 2)
    padded = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
    expected = plane.convolve(x, kernel, 2)
    with plane.portable():
        assert not plane.pads_itself(3, 2)
        np.testing.assert_allclose(plane.convolve(padded, kernel, 2), expected, atol=1e-6)
