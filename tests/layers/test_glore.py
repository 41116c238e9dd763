"""GloRe against NumPy written from its definition."""

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.layers.glore import GloRe

FRAMES, CHANNELS, NODES = 4, 6, 3


def by_definition(layer, x, channels, nodes):
    """One clip after another; BN over all of them with their own statistics."""
    states = 2 * nodes

    def weight(part, *shape):
        return np.asarray(part)[tuple(slice(size) for size in shape)].astype(np.float64)

    extended = []
    for clip in x.astype(np.float64):
        positions = clip.reshape(-1, channels)
        reduced = positions @ weight(layer.to_states.kernel, channels, states) + weight(layer.to_states.bias, states)
        assignment = positions @ weight(layer.to_nodes.kernel, channels, nodes) + weight(layer.to_nodes.bias, nodes)
        graph = reduced.T @ assignment / len(positions)  # [states, nodes]
        passed = graph @ weight(layer.node_conv.kernel, nodes, nodes) + weight(layer.node_conv.bias, nodes)
        graph = np.maximum(graph + passed, 0.0)
        graph = weight(layer.state_conv.kernel, states, states).T @ graph
        back = assignment @ graph.T  # [positions, states]
        extended.append((back @ weight(layer.extend.kernel, states, channels)).reshape(clip.shape))
    y = np.stack(extended)
    mean, variance = y.mean((0, 1, 2, 3)), y.var((0, 1, 2, 3))
    gamma, beta = weight(layer.norm.gamma, channels), weight(layer.norm.beta, channels)
    return x + (y - mean) / np.sqrt(variance + 1e-4) * gamma + beta


@pytest.mark.parametrize("execution", ["slice", "mask"])
@pytest.mark.parametrize("channels, nodes", [(CHANNELS, NODES), (4, 2)])
@pytest.mark.parametrize("batch, height, width", [(3, 3, 2), (1, 4, 4)])
def test_equals_its_definition(rows, clips, randomized, widened, batch, height, width, execution, channels, nodes):
    layer = randomized(GloRe(FRAMES, CHANNELS, NODES, statistics="batch", execution=execution))
    x = np.random.default_rng(1).normal(size=(batch, FRAMES, height, width, channels)).astype(np.float32)
    given = rows(x) if execution == "slice" else widened(rows(x), CHANNELS)
    on = tf.constant(True)
    y = clips(layer(given, channels=tf.constant(channels), nodes=tf.constant(nodes), on=on), FRAMES)
    np.testing.assert_allclose(y[..., :channels], by_definition(layer, x, channels, nodes), atol=1e-4)
    np.testing.assert_array_equal(y[..., channels:], 0)


def test_by_hand():
    # Two positions of one channel, 1 and 3; one node with two states.
    # States (x, 2x + 1): (1, 3) and (3, 7); assignments 2x - 1: 1 and 5.
    # V = (1 + 15) / 2 = 8 and (3 + 35) / 2 = 19; plus V / 2 + 1: 13 and 29.5; states once and twice: 13 and 59.
    # Back: (13, 59) and (65, 295); first state minus a fifth of the second: 1.2 and 6.
    # BN with mean 1, variance 4, gamma 2, beta 0.5: 0.7 and 5.5; plus the input: 1.7 and 8.5.
    layer = GloRe(1, 1, 1)
    layer.to_states.kernel.assign([[1.0, 2.0]])
    layer.to_states.bias.assign([0.0, 1.0])
    layer.to_nodes.kernel.assign([[2.0]])
    layer.to_nodes.bias.assign([-1.0])
    layer.node_conv.kernel.assign([[0.5]])
    layer.node_conv.bias.assign([1.0])
    layer.state_conv.kernel.assign([[1.0, 0.0], [0.0, 2.0]])
    layer.extend.kernel.assign([[1.0], [-0.2]])
    for weight, value in zip(layer.norm.weights, (2.0, 0.5, 1.0, 4.0 - 1e-4), strict=True):
        weight.assign([value])
    y = layer(np.array([1, 3], np.float32)[None, None, :, None], channels=1, nodes=1, on=True)
    np.testing.assert_allclose(y[0, 0, :, 0], [1.7, 8.5], rtol=1e-5)


@pytest.mark.parametrize("execution", ["slice", "mask"])
@pytest.mark.parametrize("on", [False, tf.constant(False)], ids=["left out", "sampled off"])
def test_off_is_the_input(randomized, execution, on):
    layer = randomized(GloRe(FRAMES, CHANNELS, NODES, statistics="batch", execution=execution))
    x = np.random.default_rng(2).normal(size=(2 * FRAMES, 3, 2, CHANNELS)).astype(np.float32)
    y = layer(x, channels=tf.constant(CHANNELS), nodes=tf.constant(NODES), on=on)
    np.testing.assert_array_equal(y, x)


def test_starts_as_the_identity():
    x = np.random.default_rng(3).normal(size=(2 * FRAMES, 3, 2, CHANNELS)).astype(np.float32)
    y = GloRe(FRAMES, CHANNELS, NODES)(x, channels=CHANNELS, nodes=NODES, on=True, training=True)
    np.testing.assert_array_equal(y, x)
