"""With op determinism, the same bits whenever they are computed: the depthwise convolution and batch normalisation."""

PROGRAM = """
import numpy as np, tensorflow as tf
from tsnet_tf.kernels.normalise import normalise
from tsnet_tf.kernels.depthwise import depthwise_conv3d
from tsnet_tf.training.determinism import set_seed

set_seed(0, op_determinism=True)
draw = np.random.default_rng(0)

def assert_same_bits(function, *shapes):
    given = [tf.constant(draw.normal(size=shape), tf.float32) for shape in shapes]

    @tf.function(autograph=False)
    def both(*given):
        with tf.GradientTape() as tape:
            tape.watch(given)
            y = function(*given)
        return y, *tape.gradient(y, given, tf.sin(y))

    first = [value.numpy() for value in both(*given)]
    for _ in range(100):
        for value, expected in zip(both(*given), first):
            assert np.array_equal(value, expected), shapes

for frames, batch, side, channels, t, k, stride in [
    (16, 8, 2, 56, 5, 5, 2),
    (16, 8, 2, 56, 3, 3, 2),
    (8, 8, 6, 30, 5, 5, 1),
]:
    features, kernel = (frames * batch, side, side, channels), (t, k, k, channels)
    assert_same_bits(lambda x, kernel: depthwise_conv3d(x, kernel, frames, stride), features, kernel)
for channels in (24, 30):  # a kernel of oneDNN's, and products
    assert_same_bits(lambda *given: normalise(*given, 1e-5)[0], (128, 6, 6, channels), (channels,), (channels,))
"""


def test_same_bits_every_time(programs):
    programs.run(PROGRAM)  # in a process of its own: op determinism cannot be taken back
