"""A disk that is full in the middle of a checkpoint costs nothing but the time until there is room again."""

import re
import subprocess

import pytest

pytestmark = pytest.mark.slow

MEGABYTES, FREE = 200, 30  # of the disk; a checkpoint takes 12, and three are kept
# Where nothing can be mounted, files of more than 6 MB cannot be written from the third step on.
PROGRAM = """
import hashlib, resource
from absl import flags
from tsnet_tf import cli
cli.silence_libraries()
import keras
import numpy as np
import tensorflow as tf
from tsnet_tf.training import fused_optimizers
from tsnet_tf.training.loop import train_loop
from tsnet_tf.training.pace import Pace
from tsnet_tf.training.recorder import Recorder

LIMIT = flags.DEFINE_integer("limit", None, "Largest file, bytes, from the third step on.")


class Large(keras.Model):
    def __init__(self):
        super().__init__()
        self.weight = self.add_weight(name="weight", shape=(1_000_000,), initializer="ones")
        self.mean = keras.metrics.Mean(name="loss")
        self.built = True

    @property
    def metrics(self):
        return [self.mean]

    def train_step(self, number):
        self.optimizer.apply([self.weight * tf.random.stateless_normal([1_000_000], [0, number])], [self.weight])
        self.mean.update_state(1.0)


def main():
    def measure(metrics):
        if LIMIT.value and int(model.optimizer.iterations) == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT.value, resource.RLIM_INFINITY))
        return metrics

    model = Large()
    model.compile(fused_optimizers.Adam(0.1), jit_compile=False)
    model.optimizer.build([model.weight])
    train_loop(model, lambda context, done: tf.data.Dataset.range(done, 100).map(lambda n: tf.cast(n, tf.int32)),
               tf.distribute.OneDeviceStrategy("CPU:0"), workdir=cli.WORKDIR.value, pace=Pace(6, 1, 1),
               recorder=Recorder(cli.WORKDIR.value, "test", measure=measure))
    print(hashlib.sha256(np.array(model.weight)).hexdigest())


cli.run(main)
"""


@pytest.fixture
def disk(tmp_path):
    """A small disk with little room, how to make room, and what limits files where there is no such disk."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        yield folder, lambda: None, ["--limit=6000000"]
        return
    filler = folder / "filler"
    filler.write_bytes(bytes((MEGABYTES - FREE) * 2**20))
    yield folder, filler.unlink, []
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk_is_one_line_and_leaves_the_last_checkpoint(programs, disk, tmp_path):
    folder, make_room, flags = disk
    undisturbed = programs.run(PROGRAM, f"--workdir={tmp_path}/undisturbed")

    full = programs.run(PROGRAM, f"--workdir={folder}/run", *flags, code=4)
    checkpoints = folder / "run" / "checkpoints"
    said = f"error: test: the disk is full; last good checkpoint: {checkpoints}/ckpt-(\\d); make room and run the same "
    last = int(re.fullmatch(said + "command again to go on\n", full.stderr)[1])
    assert 1 <= last < 6
    parts = ("data-00000-of-00001", "index")
    whole = {f"ckpt-{step}.{part}" for step in range(max(1, last - 2), last + 1) for part in parts}
    assert {path.name for path in checkpoints.iterdir()} == {"checkpoint", *whole}

    make_room()
    again = programs.run(PROGRAM, f"--workdir={folder}/run")
    assert f"going on from step {last}" in again.stdout
    assert again.stdout.splitlines()[-1] == undisturbed.stdout.splitlines()[-1]
