"""The metrics do not depend on how the views are spread. In processes of their own: devices are set up once."""

import json
import socket

import numpy as np
import pytest

pytestmark = pytest.mark.slow

# 5 videos of 2 clips each make 10 views: 3 per replica leave a rest with 1, 2 and 3 replicas; 16 are more than all.
PROGRAM = """
import json, sys
import keras
import numpy as np
import tensorflow as tf

folder, runs = json.loads(sys.argv[1])
cpu = tf.config.list_physical_devices("CPU")[0]
devices = max(replicas for _, replicas, _ in runs)
if devices > 1:
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)

from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.evaluation import predictions
from tsnet_tf.evaluation.evaluate import evaluation
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.space.cost import smallest
from tsnet_tf.space.table1 import table1
from tsnet_tf.training.strategy import strategy as make_strategy

dataset = VideoDataset(directory=folder, dense_frames=8, dense_stride=2, sparse_frames=2, crop=24,
                       train_jitter=(28, 32), test_short_side=28)
space = smallest(table1(sparse_frames=2, dense_frames=8, sparse_width=0.25, depths=((1,), (1,)), hidden=8, classes=2))


def evaluated(name, replicas, batch_sizes):
    strategy = make_strategy(name, devices=tuple(f"CPU:{i}" for i in range(replicas)) if name == "mirrored" else None)
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = TwoStreamModel(space, branch_gamma=1.0)
    results = []
    for batch_size, precise in [*((size, 0) for size in batch_sizes), (batch_sizes[0], 2)]:
        run = f"{folder}/{name}_{replicas}_{batch_size}_{precise}"
        result = evaluation(model, ["dark", "light"], dataset, strategy, run, views="2-center", batch_size=batch_size,
                            precise_bn_batches=precise, precise_bn_batch_size=4, precise_bn_splits=("test",))
        del result["seconds"]
        found = predictions.read(f"{run}/predictions/test_2-center.npz")
        results.append({"result": result, "videos": found.videos, "probabilities": found.probabilities.tolist()})
    return [strategy.num_replicas_in_sync, results]


print(json.dumps([evaluated(*run) for run in runs]))
"""


def outcomes(process):
    """For each run the number of replicas, and the results by batch size; the last with precise BN statistics."""
    assert process.wait() == 0, process.stderr[-3000:]
    return json.loads(process.stdout.splitlines()[-1])


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("localhost", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_records):
    draw = np.random.default_rng(0)
    videos = [
        (f"{i}.mp4", i % 2, draw.integers(0, 256, (20 + i, 4, 6, 3), np.uint8).repeat(8, 1).repeat(8, 2))
        for i in range(5)
    ]
    folder = tmp_path_factory.mktemp("replicas")
    write_records(folder, videos)
    return folder


@pytest.fixture(scope="module")
def mirrored(programs, folder):
    """The outcomes of one device, two and three replicas; a process has replicas of one number only."""
    both = [[("one_device", 1, [10]), ("mirrored", 2, [3, 16])], [("mirrored", 3, [1, 3])]]
    processes = [programs.start(PROGRAM, json.dumps([str(folder), runs])) for runs in both]
    return [outcome for process in processes for outcome in outcomes(process)]


@pytest.fixture(scope="module")
def alone(mirrored):
    """The results on one device, with the checkpoint's BN statistics and with precise ones."""
    replicas, results = mirrored[0]
    assert replicas == 1 and [one["result"]["videos"] for one in results] == [5, 5]
    assert not np.allclose(results[0]["probabilities"], results[1]["probabilities"], atol=1e-3)
    return results


def all_same(results, alone):
    for found in results[:-1]:
        same(found, alone[0])
    same(results[-1], alone[1])


def same(found, alone):
    for name, value in alone["result"].items():
        if name == "calibration_error":  # made of probabilities; everything else is made of whole numbers
            assert found["result"][name] == pytest.approx(value, abs=1e-5)
        else:
            assert found["result"][name] == value, name
    assert found["videos"] == alone["videos"] and len(set(found["videos"])) == 5
    np.testing.assert_allclose(found["probabilities"], alone["probabilities"], atol=1e-5)


@pytest.mark.parametrize("replicas", [2, 3])
def test_mirrored_replicas(mirrored, alone, replicas):
    found_replicas, results = mirrored[replicas - 1]
    assert found_replicas == replicas
    all_same(results, alone)


def test_two_workers(programs, folder, alone):
    cluster = {"worker": [f"localhost:{port}" for port in free_ports(2)]}
    given = json.dumps([str(folder), [("multi_worker", 1, [3])]])
    workers = [
        programs.start(
            PROGRAM, given, TF_CONFIG=json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        )
        for index in range(2)
    ]
    for worker in workers:
        [(replicas, results)] = outcomes(worker)
        assert replicas == 2
        all_same(results, alone)
