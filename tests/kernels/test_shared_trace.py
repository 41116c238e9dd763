import tensorflow as tf

from tsnet_tf.layers.mbconv3d import MBConv3D

SIZES = {
    "in_channels": 8,
    "channels": 8,
    "expanded_channels": 16,
    "se_channels": 0,
    "temporal_kernel": 3,
    "spatial_kernel": 3,
}


def _block(inner, **settings):
    return MBConv3D(
        **{"frames": 2, **SIZES, "expanded_channels": inner}, branch_gamma=1.0, statistics="batch", **settings
    )


def _written_out(block, x, inner):
    return block.call(x, **{**SIZES, "expanded_channels": inner})


def _functions_called(network, *arguments):
    graph = network.get_concrete_function(*arguments).graph.as_graph_def()
    return {node.attr["f"].func.name for node in graph.node if node.op == "PartitionedCall"}


def test_blocks_that_differ_in_weights_alone_are_one_function_of_the_graph(monkeypatch):
    monkeypatch.delenv("TSNET_TF_PLAIN", raising=False)  # this is about the fast one
    blocks = [_block(16), _block(24), _block(32)]

    @tf.function
    def network(x, inner):
        for block in blocks:
            x = block(x, **{**SIZES, "expanded_channels": inner})
        return x

    x = tf.random.stateless_normal([4, 6, 6, 8], [1, 2])
    assert len(_functions_called(network, x, tf.constant(8))) == 1
    for inner in (8, 16):
        expected = x
        for block in blocks:
            expected = _written_out(block, expected, inner)
        tf.debugging.assert_near(network(x, tf.constant(inner)), expected, atol=1e-5)


def test_what_is_computed_otherwise_is_another_function(monkeypatch):
    monkeypatch.delenv("TSNET_TF_PLAIN", raising=False)  # this is about the fast one
    blocks = [_block(16), _block(16, stride=2)]

    @tf.function
    def network(x, inner):
        return [block(x, **{**SIZES, "expanded_channels": inner}) for block in blocks]

    x = tf.random.stateless_normal([4, 6, 6, 8], [1, 2])
    assert len(_functions_called(network, x, tf.constant(8))) == 2
    one, other = network(x, tf.constant(8))
    assert one.shape[1:3] == (6, 6) and other.shape[1:3] == (3, 3)


def test_gradients_reach_each_blocks_own_weights():
    blocks = [_block(16), _block(16)]
    kernels = [block.expand.kernel.value for block in blocks]

    def loss(x, inner, shared):
        for block in blocks:
            x = block(x, **{**SIZES, "expanded_channels": inner}) if shared else _written_out(block, x, inner)
        return tf.reduce_sum(tf.square(x))

    @tf.function
    def gradients(x, inner, shared):
        with tf.GradientTape() as tape:
            value = loss(x, inner, shared)
        return tape.gradient(value, kernels)

    x = tf.random.stateless_normal([4, 6, 6, 8], [1, 2])
    found, expected = (gradients(x, tf.constant(8), shared) for shared in (True, False))
    for one, other in zip(found, expected, strict=True):
        tf.debugging.assert_near(one, other, rtol=1e-4, atol=1e-4)
        assert float(tf.reduce_max(tf.abs(one[:, :8]))) > 0 and not tf.reduce_any(one[:, 8:] != 0)
