"""With op determinism, the depthwise convolution and its gradients are the same bits whenever they are computed."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import numpy as np, tensorflow as tf
from tsnet_tf.layers.depthwise_conv3d import depthwise_conv3d
from tsnet_tf.training.determinism import set_seed

set_seed(0, op_determinism=True)
draw = np.random.default_rng(0)
shapes = [(16, 8, 2, 56, 5, 5, 2), (16, 8, 2, 56, 3, 3, 2), (8, 8, 6, 30, 5, 5, 1)]
for frames, batch, side, channels, t, k, stride in shapes:
    x = tf.constant(draw.normal(size=(frames * batch, side, side, channels)), tf.float32)
    kernel = tf.constant(draw.normal(size=(t, k, k, channels)), tf.float32)

    @tf.function(autograph=False)
    def both(x, kernel):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = depthwise_conv3d(x, kernel, frames, stride)
        return y, *tape.gradient(y, [x, kernel], tf.sin(y))

    first = [value.numpy() for value in both(x, kernel)]
    for _ in range(100):
        for value, expected in zip(both(x, kernel), first):
            assert np.array_equal(value, expected), (frames, stride)
"""


def test_same_bits_every_time():
    # In a process of its own: op determinism cannot be taken back.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
