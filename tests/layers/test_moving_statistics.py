"""Replicas keep their own moving statistics and agree when they are asked. Devices are set up once: an own process."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

PROGRAM = """
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tsnet_tf.layers.batch_norm import BatchNorm, agree

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
merged = []
merge_call = tf.distribute.ReplicaContext.merge_call
tf.distribute.ReplicaContext.merge_call = lambda *given, **named: merged.append(1) or merge_call(*given, **named)
with strategy.scope():
    layer = BatchNorm(1, name="norm")

# Features 0 and 2 in the first replica, 2 and 6 in the second: means 1 and 4, variances of samples 2 and 8.
features = [[0.0, 2.0], [2.0, 6.0]]
given = strategy.experimental_distribute_values_from_function(
    lambda c: tf.reshape(tf.constant(features[c.replica_id_in_sync_group]), [2, 1, 1, 1])
)
step = tf.function(lambda x: strategy.run(lambda x: layer(x, channels=1, training=True), args=(x,)), autograph=False)
step(given)
assert not merged, f"replicas met {len(merged)} times"
mean, variance = (lambda: float(layer.moving_mean.numpy()[0])), (lambda: float(layer.moving_variance.numpy()[0]))
np.testing.assert_allclose(mean(), 0.1 * 2.5, rtol=1e-6)
np.testing.assert_allclose(variance(), 0.9 + 0.1 * 5.0, rtol=1e-6)
own = [float(value[0]) for value in layer.moving_mean.value.values]
np.testing.assert_allclose(own, [0.1, 0.4], rtol=1e-6)

import keras
model = keras.Sequential([layer])
agree(model)
own = [float(value[0]) for value in layer.moving_mean.value.values]
np.testing.assert_allclose(own, [0.25, 0.25], rtol=1e-6)

# Batches of two, one for each replica and step: means 1, 4, 5 and 4, variances of samples 2, 8, 2 and 32.
from tsnet_tf.evaluation.recalibration import recalibrate
batches = np.array([[0, 2], [2, 6], [4, 6], [0, 8]], np.float32).reshape(-1, 1, 1, 1)

class One(keras.Model):
    def __init__(self):
        super().__init__()
        self.norm = layer

    def call(self, x, training=False):
        return self.norm(x, channels=1, training=training)

recalibrate(One(), lambda context: tf.data.Dataset.from_tensor_slices(batches).batch(2), 2, strategy)
np.testing.assert_allclose([mean(), variance()], [3.5, 11.0], rtol=1e-6)
assert [weight.path for weight in layer.non_trainable_variables] == ["norm/moving_mean", "norm/moving_variance"]
"""


def test_replicas_do_not_meet_in_training_and_agree_on_means():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-2000:]
