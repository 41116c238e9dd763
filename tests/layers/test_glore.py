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
        assignment = positions @ weight(layer.to_assignments.kernel, channels, nodes)
        assignment += weight(layer.to_assignments.bias, nodes)
        assignment /= np.sqrt((assignment**2).mean(axis=0))  # per node
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
    # States (x, 2x + 1): (1, 3) and (3, 7); assignments 3x - 2: 1 and 7, their mean square 25: 0.2 and 1.4.
    # V = (0.2 + 4.2) / 2 = 2.2 and (0.6 + 9.8) / 2 = 5.2; plus V / 2 + 1: 4.3 and 8.8; states once and twice: 4.3
    # and 17.6. Back: (0.86, 3.52) and (6.02, 24.64); first state plus a tenth of the second: 1.212 and 8.484.
    # BN with mean 1, variance 4, gamma 2, beta 0.5: 0.712 and 7.984; plus the input: 1.712 and 10.984.
    layer = GloRe(1, 1, 1)
    layer.to_states.kernel.assign([[1.0, 2.0]])
    layer.to_states.bias.assign([0.0, 1.0])
    layer.to_assignments.kernel.assign([[3.0]])
    layer.to_assignments.bias.assign([-2.0])
    layer.node_conv.kernel.assign([[0.5]])
    layer.node_conv.bias.assign([1.0])
    layer.state_conv.kernel.assign([[1.0, 0.0], [0.0, 2.0]])
    layer.extend.kernel.assign([[1.0], [0.1]])
    for weight, value in zip(layer.norm.weights, (2.0, 0.5, 1.0, 4.0 - 1e-4), strict=True):
        weight.assign([value])
    y = layer(np.array([1, 3], np.float32)[None, None, :, None], channels=1, nodes=1, on=True)
    np.testing.assert_allclose(y[0, 0, :, 0], [1.712, 10.984], rtol=1e-5)


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


@pytest.mark.parametrize("factor", [0.1, 10.0, 1000.0])
def test_is_of_the_first_degree_in_its_input(randomized, factor):
    """Features ten times as large give ten times as much, where the public GloRe's give a thousand times as much."""
    layer = randomized(GloRe(FRAMES, CHANNELS, NODES))
    for part in (layer.to_states, layer.to_assignments, layer.node_conv):
        part.bias.assign(np.zeros(part.bias.shape))
    for weight, value in zip(layer.norm.weights, (1.0, 0.0, 0.0, 1.0 - 1e-4), strict=True):  # it leaves all as it is
        weight.assign(np.full(weight.shape, value))
    x = np.random.default_rng(4).normal(size=(2 * FRAMES, 3, 2, CHANNELS)).astype(np.float32)
    once, larger = (layer(g, channels=CHANNELS, nodes=NODES, on=True) - g for g in (x, np.float32(factor) * x))
    np.testing.assert_allclose(larger, factor * once, rtol=5e-3, atol=1e-3 * factor)


def test_blocks_one_after_the_other_stay_finite(randomized):
    """Six blocks of the third degree are one of the 729th: features a hundred times as large would overflow."""
    y = 100.0 * np.random.default_rng(5).normal(size=(2 * FRAMES, 3, 2, CHANNELS)).astype(np.float32)
    for number in range(6):
        layer = randomized(GloRe(FRAMES, CHANNELS, NODES, name=f"glore{number}"))
        for weight, value in zip(layer.norm.weights, (1.0, 0.0, 0.0, 1.0), strict=True):
            weight.assign(np.full(weight.shape, value))
        y = layer(y, channels=CHANNELS, nodes=NODES, on=True)
    assert np.isfinite(y).all()


def test_weights_of_before_have_another_name():
    """Assignments that were not divided mean something else: their checkpoints must not be taken for these."""
    names = {variable.path.split("/")[-2] for variable in GloRe(FRAMES, CHANNELS, NODES, name="glore").weights}
    assert names == {f"glore_{part}" for part in ("states", "assignments", "node_conv", "state_conv", "extend", "norm")}
