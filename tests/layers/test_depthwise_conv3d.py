"""Depthwise 3-D convolution against loops, and its gradients against automatic ones."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.layers.depthwise_conv3d import DepthwiseConv3D, depthwise_conv3d


def by_loops(x, kernel, stride):
    """The definition: ``[batch, frames, h, w, c]`` in float64, one multiplication at a time (over channels)."""
    batch, frames, height, width, channels = x.shape
    t, k = kernel.shape[:2]
    y = np.zeros((batch, frames, -(-height // stride), -(-width // stride), channels))
    for b, f, i, j in np.ndindex(*y.shape[:4]):
        for dt, di, dj in np.ndindex(t, k, k):
            at = f + dt - t // 2, i * stride + di - k // 2, j * stride + dj - k // 2
            if all(0 <= place < size for place, size in zip(at, x.shape[1:4], strict=True)):
                y[b, f, i, j] += x[(b, *at)] * kernel[dt, di, dj]
    return y


def by_shifts(x, kernel, frames, stride):
    """The same, differentiable: shifted, padded features times one number for each tap and channel."""
    t, k = kernel.shape[:2]
    height, width, channels = x.shape[1:]
    pads = [[t // 2] * 2, [0, 0], [k // 2] * 2, [k // 2] * 2, [0, 0]]
    padded = tf.pad(tf.reshape(x, [frames, -1, height, width, channels]), pads)
    y = 0.0
    for dt, di, dj in np.ndindex(t, k, k):
        shifted = padded[dt : dt + frames, :, di : di + height, dj : dj + width]
        y += shifted[:, :, ::stride, ::stride] * kernel[dt, di, dj]
    return tf.reshape(y, [-1, *y.shape[2:]])


def with_gradients(convolve, x, kernel):
    with tf.GradientTape() as tape:
        tape.watch([x, kernel])
        y = convolve(x, kernel)
        loss = tf.reduce_sum(tf.sin(y))
    return y, *tape.gradient(loss, [x, kernel])


def tensors(seed, *shapes):
    draw = np.random.default_rng(seed)
    return [tf.constant(draw.normal(size=shape), tf.float32) for shape in shapes]


@functools.cache
def known(frames, stride):
    """Convolution and gradients as a function of the graph for which all sizes are known."""
    return tf.function(lambda x, w: with_gradients(lambda x, w: depthwise_conv3d(x, w, frames, stride), x, w))


@functools.cache
def dynamic(frames, stride):
    """Convolution and gradients as one function in which no size is known."""
    unknown = tf.TensorSpec([None] * 4)

    @tf.function(input_signature=[unknown, unknown])
    def function(x, kernel):
        return with_gradients(lambda x, w: depthwise_conv3d(x, w, frames, stride), x, kernel)

    return function


@pytest.mark.parametrize(
    "batch, frames, height, width, t, k, stride",
    [
        (3, 3, 5, 4, 3, 3, 1),
        (1, 3, 4, 5, 3, 5, 1),
        (1, 3, 6, 5, 3, 3, 2),
        (3, 2, 5, 6, 5, 5, 2),
        (2, 1, 4, 3, 3, 1, 1),
        (1, 4, 4, 4, 5, 3, 2),
    ],
)
def test_equals_the_definition(rows, clips, batch, frames, height, width, t, k, stride):
    draw = np.random.default_rng(0)
    x, kernel = draw.normal(size=(batch, frames, height, width, 3)), draw.normal(size=(t, k, k, 3))
    found = depthwise_conv3d(tf.constant(rows(x), tf.float32), tf.constant(kernel, tf.float32), frames, stride)
    np.testing.assert_allclose(clips(found, frames), by_loops(x, kernel, stride), atol=1e-5)


@pytest.mark.parametrize("stride, expected", [(1, [[0, 1, 2], [1, 6, 8]]), (2, [[0, 2], [1, 8]])])
def test_by_hand(stride, expected):
    # Two frames of one row of three pixels. The kernel adds the left neighbour and the same pixel one frame before:
    # [0, 1, 2] and [0, 4, 5] + [1, 2, 3]; with stride 2 the first and the third pixel remain.
    frames = np.array([[1, 2, 3], [4, 5, 6]], np.float32)[:, None, :, None]
    kernel = np.zeros((3, 3, 3, 1), np.float32)
    kernel[1, 1, 0] = kernel[0, 1, 1] = 1
    found = depthwise_conv3d(tf.constant(frames), tf.constant(kernel), 2, stride)
    np.testing.assert_array_equal(found[:, 0, :, 0], expected)


# 9 frames: taps add in place; 2: five taps reach further than there are frames.
@pytest.mark.parametrize("frames, batch, height, width, stride", [(9, 1, 8, 6, 1), (4, 3, 7, 5, 2), (2, 3, 8, 5, 1)])
@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("t", [1, 3, 5])
def test_values_and_gradients_equal_automatic_ones(frames, batch, height, width, t, k, stride):
    if k == 3:
        stride = 3 - stride  # every kernel has both strides, and every number of frames has
    x, kernel = tensors(t * 10 + k, (frames * batch, height, width, 3), (t, k, k, 3))
    expected = with_gradients(lambda x, w: by_shifts(x, w, frames, stride), x, kernel)
    assert expected[0].shape[1:3] == (-(-height // stride), -(-width // stride))
    eager = with_gradients(lambda x, w: depthwise_conv3d(x, w, frames, stride), x, kernel)
    for found in (eager, known(frames, stride)(x, kernel), dynamic(frames, stride)(x, kernel)):
        for value, want in zip(found, expected, strict=True):
            np.testing.assert_allclose(value, want, rtol=0, atol=1e-5 * np.abs(want).max())


@pytest.mark.parametrize(
    "frames, t, k, stride, known",
    [
        (9, 3, 3, 1, True),
        (9, 5, 3, 2, False),
        (4, 1, 5, 1, True),
        (4, 5, 1, 1, False),
        (1, 5, 3, 2, True),
        (1, 3, 3, 1, False),
    ],
)
def test_an_offset_is_added_once(frames, t, k, stride, known):
    x, kernel, offset = tensors(t + k, (frames * 2, 6, 5, 3), (t, k, k, 3), (3,))

    def gradients(convolve, *given):
        with tf.GradientTape() as tape:
            tape.watch(given)
            y = convolve(*given)
            loss = tf.reduce_sum(tf.sin(y))
        return y, *tape.gradient(loss, given)

    specs = [tf.TensorSpec(v.shape if known else [None] * v.shape.rank) for v in (x, kernel, offset)]
    function = tf.function(
        lambda *given: gradients(lambda x, w, o: depthwise_conv3d(x, w, frames, stride, o), *given), specs
    )
    expected = gradients(lambda x, w, o: by_shifts(x, w, frames, stride) + o, x, kernel, offset)
    for value, want in zip(function(x, kernel, offset), expected, strict=True):
        np.testing.assert_allclose(value, want, rtol=0, atol=1e-5 * np.abs(want).max())


@pytest.mark.parametrize("t, k, stride", [(3, 3, 1), (5, 3, 2), (1, 5, 1), (3, 5, 2)])
def test_gradients_by_loops_and_by_differences(rows, clips, t, k, stride):
    batch, frames, height, width, channels = 2, 3, 4, 5, 2
    draw = np.random.default_rng(t + k)
    x, kernel = draw.normal(size=(batch, frames, height, width, channels)), draw.normal(size=(t, k, k, channels))
    y = by_loops(x, kernel, stride)
    dy = draw.normal(size=y.shape)
    # The definition of the gradient, one multiplication at a time.
    dx, dw = np.zeros_like(x), np.zeros_like(kernel)
    for b, f, i, j in np.ndindex(*y.shape[:4]):
        for dt, di, dj in np.ndindex(t, k, k):
            at = f + dt - t // 2, i * stride + di - k // 2, j * stride + dj - k // 2
            if all(0 <= place < size for place, size in zip(at, x.shape[1:4], strict=True)):
                dx[(b, *at)] += dy[b, f, i, j] * kernel[dt, di, dj]
                dw[dt, di, dj] += dy[b, f, i, j] * x[(b, *at)]
    # And differences of the values, in float64, along a random direction of each.
    for gradient, change in ((dx, lambda v, e: (x + e * v, kernel)), (dw, lambda v, e: (x, kernel + e * v))):
        direction = draw.normal(size=gradient.shape)
        above, below = (by_loops(*change(direction, e), stride) for e in (1e-4, -1e-4))
        slope = np.sum(dy * (above - below)) / 2e-4
        np.testing.assert_allclose(np.sum(gradient * direction), slope, rtol=1e-8)

    @tf.function
    def gradients(x, kernel, dy):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = depthwise_conv3d(x, kernel, frames, stride)
        return tape.gradient(y, [x, kernel], dy)

    for dtype, tolerance in ((tf.float32, 1e-5), (tf.float64, 1e-12)):
        found_x, found_w = gradients(*(tf.constant(value, dtype) for value in (rows(x), kernel, rows(dy))))
        np.testing.assert_allclose(clips(found_x, frames), dx, rtol=0, atol=tolerance * np.abs(dx).max())
        np.testing.assert_allclose(found_w, dw, rtol=0, atol=tolerance * np.abs(dw).max())


@pytest.mark.parametrize("execution", ["slice", "mask"])
def test_layer_takes_the_centre_of_the_kernel_and_the_first_channels(randomized, widened, execution):
    layer = randomized(DepthwiseConv3D(4, channels=6, temporal_kernel=5, spatial_kernel=5, execution=execution))
    (x,) = tensors(1, (8, 6, 6, 4))
    kernel = np.asarray(layer.depthwise_kernel)[1:4, 1:4, 1:4, :4]
    expected = by_shifts(x, tf.constant(kernel), 4, 1)
    given = x if execution == "slice" else tf.constant(widened(x.numpy(), 6))
    y = layer(given, channels=tf.constant(4), temporal_kernel=tf.constant(3), spatial_kernel=tf.constant(3))
    assert y.shape[-1] == (4 if execution == "slice" else 6)
    np.testing.assert_allclose(y[..., :4], expected, atol=1e-5)
    np.testing.assert_array_equal(y[..., 4:], 0)
