"""TS-Fusion against NumPy written from the definitions of SlowFast's lateral connections."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.layers.fusion import FusionOperation, TSFusion
from tsnet_tf.space.fusions import OPERATIONS

FRAMES, RATIO = 8, 4
DENSE, SPARSE = 3, 5  # sampled widths; the layers' own are larger
LARGEST_DENSE, LARGEST_SPARSE = 4, 6


def projection(layer):
    """``[taps * sampled channels, sparse channels]``: the 1x1x1 convolution of the fused features."""
    kernel = np.asarray(layer.kernel)
    width = kernel.shape[1] // LARGEST_DENSE * DENSE
    return kernel[:, :width, :SPARSE].reshape(-1, SPARSE)


def time_to_channel(x, layer):
    taps = range(layer.ratio)
    fused = np.stack([np.concatenate([x[:, t + o] for o in taps], -1) for t in range(0, x.shape[1], layer.ratio)], 1)
    return fused @ projection(layer)


def time_strided_sampling(x, layer):
    return x[:, :: layer.ratio] @ projection(layer)


def time_strided_conv(x, layer):
    kernel = np.asarray(layer.temporal_kernel)[:, :DENSE, : 2 * DENSE]
    frames = x.shape[1]
    fused = np.zeros((len(x), frames // layer.ratio, *x.shape[2:4], 2 * DENSE))
    for t in range(frames // layer.ratio):
        for tap in range(5):
            frame = t * layer.ratio + tap - 2
            if 0 <= frame < frames:
                fused[:, t] += x[:, frame] @ kernel[tap]
    axes = (0, 1, 2, 3)
    gamma, beta = np.asarray(layer.norm.gamma)[: 2 * DENSE], np.asarray(layer.norm.beta)[: 2 * DENSE]
    fused = (fused - fused.mean(axes)) / np.sqrt(fused.var(axes) + 1e-5) * gamma + beta
    return np.maximum(fused, 0.0) @ projection(layer)


DEFINITIONS = {
    "time_to_channel": time_to_channel,
    "time_strided_sampling": time_strided_sampling,
    "time_strided_conv": time_strided_conv,
}


def dense_features(batch=2, size=3):
    return np.random.default_rng(0).normal(size=(batch, FRAMES, size, size, DENSE)).astype(np.float32)


def sparse_features(batch=2, size=3):
    return np.random.default_rng(1).normal(size=(batch, FRAMES // RATIO, size, size, SPARSE)).astype(np.float32)


def make(cls, randomized, execution="slice", **settings):
    return randomized(
        cls(FRAMES, RATIO, LARGEST_DENSE, LARGEST_SPARSE, statistics="batch", execution=execution, **settings)
    )


def test_every_operation_is_tested():
    assert set(DEFINITIONS) == set(OPERATIONS)


@pytest.mark.parametrize("execution", ["slice", "mask"])
@pytest.mark.parametrize("name", DEFINITIONS)
@pytest.mark.parametrize("batch, size", [(1, 4), (3, 3), (3, 2), (1, 1)])
def test_operation_equals_its_definition(rows, clips, randomized, widened, batch, size, name, execution):
    layer = make(functools.partial(FusionOperation, name), randomized, execution)
    x = dense_features(batch, size)
    given = rows(x) if execution == "slice" else widened(rows(x), LARGEST_DENSE)
    y = clips(layer(given, dense=tf.constant(DENSE), sparse=tf.constant(SPARSE)), FRAMES // RATIO)
    np.testing.assert_allclose(y[..., :SPARSE], DEFINITIONS[name](x, layer), atol=1e-4)
    np.testing.assert_array_equal(y[..., SPARSE:], 0)


@pytest.mark.parametrize("name", DEFINITIONS)
@pytest.mark.parametrize("frames, ratio", [(8, 8), (6, 3), (4, 1)])
def test_operation_at_other_ratios_of_the_streams(rows, clips, randomized, frames, ratio, name):
    layer = randomized(FusionOperation(name, frames, ratio, LARGEST_DENSE, LARGEST_SPARSE, statistics="batch"))
    x = np.random.default_rng(2).normal(size=(3, frames, 2, 3, DENSE)).astype(np.float32)
    y = clips(layer(rows(x), dense=tf.constant(DENSE), sparse=tf.constant(SPARSE)), frames // ratio)
    np.testing.assert_allclose(y, DEFINITIONS[name](x, layer), atol=1e-4)


def test_time_to_channel_is_not_a_reshape(rows, clips):
    # Frame t of a clip holds the number t; the projection tells the taps apart.
    layer = FusionOperation("time_to_channel", FRAMES, RATIO, 1, RATIO)
    layer.kernel.assign(np.eye(RATIO, dtype=np.float32)[:, None])
    x = np.broadcast_to(np.arange(FRAMES, dtype=np.float32)[None, :, None, None, None], (2, FRAMES, 1, 1, 1))
    y = clips(layer(rows(x), dense=1, sparse=RATIO), FRAMES // RATIO)
    np.testing.assert_array_equal(y[:, :, 0, 0], [[[0, 1, 2, 3], [4, 5, 6, 7]]] * 2)
    bare = rows(x).reshape(FRAMES // RATIO * 2, 1, 1, RATIO)
    assert (clips(bare, FRAMES // RATIO) != y).any()


@pytest.mark.parametrize(
    "name, weights, expected",
    [
        # Four dense frames 1, 2, 3, 4 to two sparse ones.
        ("time_to_channel", {"kernel": [[[1.0]], [[10.0]]]}, [21, 43]),
        ("time_strided_sampling", {"kernel": [[[3.0]]]}, [3, 9]),
        # The first channel adds five frames around frame 0 (1 + 2 + 3) and around frame 2 (1 + 2 + 3 + 4); the second
        # is minus the frame itself, which ReLU takes away. Then 2 x the first + 5 x the second.
        (
            "time_strided_conv",
            {"temporal_kernel": [[[1, 0]], [[1, 0]], [[1, -1]], [[1, 0]], [[1, 0]]], "kernel": [[[2.0], [5.0]]]},
            [12, 20],
        ),
    ],
)
def test_operation_by_hand(name, weights, expected):
    layer = FusionOperation(name, 4, 2, 1, 1)
    for weight, value in weights.items():
        getattr(layer, weight).assign(value)
    y = layer(np.array([1, 2, 3, 4], np.float32)[:, None, None, None], dense=1, sparse=1)
    np.testing.assert_allclose(y[:, 0, 0, 0], expected, rtol=1e-5)


@pytest.mark.parametrize("execution", ["slice", "mask"])
@pytest.mark.parametrize("chosen", [*DEFINITIONS, "none"])
def test_the_sampled_operation_is_added(rows, clips, randomized, widened, chosen, execution):
    layer = make(TSFusion, randomized, execution, candidates=tuple(DEFINITIONS))
    sparse, dense = sparse_features(), dense_features()
    expected = sparse + (DEFINITIONS[chosen](dense, layer.operations[chosen]) if chosen != "none" else 0.0)
    given = rows(sparse), rows(dense)
    if execution == "mask":
        given = widened(given[0], LARGEST_SPARSE), widened(given[1], LARGEST_DENSE)
    y = layer(
        *given,
        sparse_channels=tf.constant(SPARSE),
        dense_channels=tf.constant(DENSE),
        selected={name: tf.constant(name == chosen) for name in DEFINITIONS},
    )
    y = clips(y, FRAMES // RATIO)
    np.testing.assert_allclose(y[..., :SPARSE], expected, atol=1e-4)
    np.testing.assert_array_equal(y[..., SPARSE:], 0)


def test_fusion_starts_as_nothing(rows):
    layer = TSFusion(FRAMES, RATIO, DENSE, SPARSE, tuple(DEFINITIONS))
    sparse = rows(sparse_features())
    y = layer(
        sparse,
        rows(dense_features()),
        sparse_channels=SPARSE,
        dense_channels=DENSE,
        selected=dict.fromkeys(DEFINITIONS, True),
        training=True,
    )
    np.testing.assert_array_equal(y, sparse)
