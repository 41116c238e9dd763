"""The paper's whole space at full size: it builds, and one joint step runs on a CPU. In a process of its own."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.nightly

PROGRAM = """
import json
import resource
import time

import keras
import numpy as np
import tensorflow as tf

from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.search.joint_settings import JointSettings
from tsnet_tf.search.joint_step import SearchModel
from tsnet_tf.space.table1 import table1
from tsnet_tf.training.optimizers import alpha_optimizer, weight_optimizer

BATCH, SAMPLES = 2, 2
keras.utils.set_random_seed(0)
space = table1()
started = time.monotonic()
settings = JointSettings(samples=SAMPLES)
model = SearchModel(TwoStreamModel(space), settings, target=2.5, alpha_optimizer=alpha_optimizer())
model.compile(weight_optimizer(100))
built = time.monotonic() - started
random = np.random.default_rng(0)


def batch():
    clips = random.integers(0, 256, (BATCH, space.frames, space.resolution, space.resolution, 3), np.uint8)
    return tf.constant(clips), tf.constant(random.integers(0, space.classes, BATCH))


started = time.monotonic()
step = tf.function(model.train_step).get_concrete_function((batch(), batch()))
traced = time.monotonic() - started
started = time.monotonic()
metrics = step((batch(), batch()))
seconds = time.monotonic() - started
print(json.dumps({
    "build_seconds": built,
    "trace_seconds": traced,
    "step_seconds": seconds,
    "peak_gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    "params_m": sum(int(np.prod(v.shape)) for v in model.network.trainable_variables) / 1e6,
    "choices": len(model.distribution.choices),
    "sampled_gmacs": float(metrics["sampled_gmacs"]),
    "loss": float(metrics["loss"]),
    "iterations": int(model.optimizer.iterations),
}))
"""


@pytest.mark.timeout(900)
def test_one_joint_step_of_the_whole_space(capsys):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=850,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    with capsys.disabled():
        print("\nfull size, one joint step:", json.dumps(found))
    assert found["iterations"] == 1
    assert 0 < found["loss"] < 100 and 0.8 < found["sampled_gmacs"] < 12.3
