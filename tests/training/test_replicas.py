"""Two replicas with synchronised BN search as one device does. In a process of its own: devices are set up once."""

import json

import pytest

pytestmark = pytest.mark.slow  # the loops over architectures are written out, on each replica

PROGRAM = """
import json
import keras
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.search.joint_settings import JointSettings
from tsnet_tf.search.joint_step import SearchModel
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import restrict, values_of
from tsnet_tf.space.cost import smallest
from tsnet_tf.training import fused_optimizers
from tsnet_tf.training.strategy import strategy as make_strategy

STEPS, BATCH = 3, 4
space = table1(sparse_width=0.125, dense_width=0.25, depths=((1,), (1,)), resolution=32, sparse_frames=2,
               dense_frames=4, hidden=8, dropout=0.0, classes=4, glore_ratio=0.5)
free = ("dense/s1/g1/channels", "sparse/*/spatial_kernel", "sparse/s2/g1/fusion", "sparse/s2/g1/attention")
space = restrict(space, free, values_of(smallest(space)))


def search(strategy):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = SearchModel(TwoStreamModel(space, synchronized=True), JointSettings(samples=2, cost_term="dual_ascent"),
                            target=1e-3, alpha_optimizer=fused_optimizers.Adam(0.025))
        model.compile(fused_optimizers.SGD(0.05, momentum=0.9, nesterov=True))
        # Some weights start at zero, and would hide what lies behind them.
        for number, weight in enumerate(model.network.trainable_variables):
            weight.assign_add(0.1 * tf.random.stateless_normal(weight.shape, [1, number]))
    random = np.random.default_rng(0)

    def part():
        clips = random.integers(0, 256, (STEPS * BATCH, 4, 32, 32, 3), np.uint8)
        return clips, random.integers(0, 4, STEPS * BATCH)

    dataset = tf.data.Dataset.from_tensor_slices((part(), part())).batch(BATCH, drop_remainder=True)
    start = [np.array(v) for v in model.network.trainable_variables]
    step = tf.function(lambda batch: strategy.run(model.train_step, args=(batch,)))
    for batch in strategy.experimental_distribute_dataset(dataset):
        step(batch)
    weights = [np.array(v) for v in model.network.trainable_variables]
    metrics = {name: float(value) for name, value in model.get_metrics_result().items()}
    moved = max(np.abs(a - b).max() for a, b in zip(weights, start))
    return weights, np.array(model.alpha), float(np.array(model.multiplier)), metrics, moved


one = search(make_strategy("one_device"))
two_replicas = make_strategy("mirrored", devices=("CPU:0", "CPU:1"))
two = search(two_replicas)
print(json.dumps({
    "replicas": two_replicas.num_replicas_in_sync,
    "weights": float(max(np.abs(a - b).max() for a, b in zip(one[0], two[0]))),
    "alpha": float(np.abs(one[1] - two[1]).max()),
    "multiplier": abs(one[2] - two[2]),
    "metrics": max(abs(one[3][name] - two[3][name]) for name in one[3]),
    "weights_moved": float(one[4]),
    "alpha_moved": float(np.abs(one[1]).max()),
}))
"""


def test_two_replicas_give_the_weights_and_alpha_of_one_device(programs):
    done = programs.run(PROGRAM)
    found = json.loads(done.stdout.splitlines()[-1])
    print(found)
    assert found["replicas"] == 2
    assert found["weights_moved"] > 1e-2 and found["alpha_moved"] > 1e-2
    for name in ("weights", "alpha", "multiplier"):
        assert found[name] < 1e-4, found
    # The loss is the mean over the replicas' own means.
    assert found["metrics"] < 1e-3, found
