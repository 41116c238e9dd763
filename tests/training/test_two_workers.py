"""Two worker processes over loopback do what one process does, and the end of one is the end of the other.

The binaries themselves, each with TF_CONFIG, on a data set small enough to be read by all and shared out clip by clip.
"""

import json
import os
import re
import signal
import socket
import time

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.space import genotype
from tsnet_tf.space.cost import complexity

pytestmark = pytest.mark.timeout(2400)

SECONDS_TO_END = 600  # after the other worker is gone
SETTINGS = [
    "table1.name = 'tiny'",
    "table1.sparse_width = 0.125",
    "table1.dense_width = 0.25",
    "table1.depths = ((1,),)",
    "table1.resolution = 16",
    "table1.sparse_frames = 2",
    "table1.dense_frames = 8",
    "table1.hidden = 8",
    "table1.dropout = 0.0",
    "table1.classes = 2",
    "table1.glore_ratio = 0.5",
    "VideoDataset.dense_frames = 8",
    "VideoDataset.dense_stride = 2",
    "VideoDataset.sparse_frames = 2",
    "VideoDataset.crop = 16",
    "VideoDataset.train_jitter = (16, 18)",
    "VideoDataset.test_short_side = 16",
    "batch_size = 4",
    "learning_rate = 0.05",
    "search.synchronized = True",
    "search.branch_gamma = 1.0",
    "search.report_every = 2",
    "search.checkpoint_every = 2",
    "search.recalibration_batches = 2",
    "search.alpha_warmup = 0.0",
    "joint.samples = 2",
    "joint.indicator = 'likelihood'",
    "weight_optimizer.clip_norm = 0.5",
    "train.synchronized = True",
    "train.branch_gamma = 1.0",
    "train.report_every = 2",
    "train.checkpoint_every = 2",
    "train.train_splits = ('train',)",
]

# The demo's own first step and training, on two classes and a few steps; with the paper's optimizer, as Adam divides a
# gradient by its own size and so makes steps of rounding.
DEMO_SETTINGS = [
    "weight_optimizer.kind = 'sgd'",
    "weight_optimizer.clip_norm = 0.5",
    "learning_rate = 0.05",
    "table1.classes = 2",
    "batch_size = 4",
    "search.validation_batch_size = 4",
    "search.synchronized = True",
    "search.report_every = 2",
    "search.checkpoint_every = 2",
    "search.recalibration_batches = 2",
    "search.finetune_epochs = 0",
    "search.alpha_warmup = 0.0",
    "train.synchronized = True",
    "train.report_every = 2",
    "train.checkpoint_every = 2",
]

SELECTION = ["--gin_bindings=search.refine = 2", "--gin_bindings=search.finetune_epochs = 1"]


def smallest():
    """The smallest architecture of that space."""
    from tsnet_tf.space import cost
    from tsnet_tf.space.table1 import table1
    from tsnet_tf.space.two_stream import only

    tiny = dict(sparse_width=0.125, depths=((1,),), resolution=16, sparse_frames=2, hidden=8, classes=2, dropout=0.0)
    return cost.smallest(only(table1(dense_width=0.25, dense_frames=8, **tiny), ("sparse",)))


def start(programs, binary, workdir, data, epochs, *flags, demo=False, cluster=None, index=0):
    """Starts one process: alone, or number ``index`` of a ``cluster``."""
    bindings = DEMO_SETTINGS if demo else [*SETTINGS, f"search.target_gmacs = {1.1 * complexity(smallest()).gmacs}"]
    bindings = [*bindings, f"VideoDataset.directory = '{data}'"]
    bindings += [f"search.epochs = {epochs}", f"train.epochs = {epochs}"]
    environment = {"TMPDIR": str(workdir.parent / f"elsewhere{index}")}
    os.makedirs(environment["TMPDIR"], exist_ok=True)
    if cluster:
        bindings.append("strategy.name = 'multi_worker'")
        environment["TF_CONFIG"] = json.dumps(
            {"cluster": {"worker": cluster}, "task": {"type": "worker", "index": index}}
        )
    gin_file = {
        "search.py": "gin/demo/sparse.gin" if demo else "gin/steps/sparse.gin",
        "train.py": "gin/demo/train.gin" if demo else "gin/train/scratch.gin",
    }[binary]
    flags = [f"--gin_file={gin_file}", f"--workdir={workdir}", *flags]
    return programs.start(binary, *flags, *(f"--gin_bindings={binding}" for binding in bindings), **environment)


def start_two(*arguments, **keywords):
    ports = [socket.socket() for _ in range(2)]
    for port in ports:
        port.bind(("localhost", 0))
    cluster = [f"localhost:{port.getsockname()[1]}" for port in ports]
    for port in ports:
        port.close()
    return [start(*arguments, cluster=cluster, index=index, **keywords) for index in range(2)]


def finish(*processes):
    """Waits for processes that end well, and returns what they said."""
    for process in processes:
        assert process.wait() == 0, f"{process.stdout[-1000:]}\n{process.stderr[-3000:]}"
    return [process.stdout for process in processes]


def tensors(path):
    """The checkpoint's values by name, without the counters that depend on how often was saved."""
    reader = tf.train.load_checkpoint(str(path))
    names = [n for n in reader.get_variable_to_shape_map() if not n.startswith(("_CHECK", "save_counter"))]
    return {name: reader.get_tensor(name) for name in names}


def latest(folder):
    return os.path.basename(tf.train.latest_checkpoint(str(folder / "checkpoints")))


def assert_close(folder, other, names, statistics=True):
    """The checkpoints of these names agree to 1e-4, perhaps without running statistics."""
    for name in names:
        found, expected = tensors(folder / "checkpoints" / name), tensors(other / "checkpoints" / name)
        for key in expected:
            summed = key.startswith("metrics")  # one part on each worker
            if not summed and (statistics or "moving_" not in key):
                np.testing.assert_allclose(found[key], expected[key], atol=1e-4, err_msg=key)
    assert (folder / "genotype.json").read_text() == (other / "genotype.json").read_text()


@pytest.fixture
def to_train(tmp_path):
    (tmp_path / "genotype.json").write_text(genotype.dumps(smallest()))
    return f"--genotype={tmp_path}/genotype.json"


@pytest.mark.slow
@pytest.mark.parametrize("binary", ["search", "train"])
def test_two_workers_give_what_one_process_gives(programs, tmp_path, bright_and_dark, to_train, binary):
    run, alone, flags = tmp_path / "run", tmp_path / "alone", [to_train] if binary == "train" else SELECTION
    workers = start_two(programs, f"{binary}.py", run, bright_and_dark, 3, *flags)
    finish(start(programs, f"{binary}.py", alone, bright_and_dark, 3, *flags, index=2), *workers)
    assert_close(run, alone, [latest(alone), "final"])
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 6]
    # Only the chief has written: events have the process in their names, and the other's folder went with it.
    assert {path.name.split(".")[-3] for path in (run / "events").iterdir()} == {str(workers[0].pid)}
    assert not list((tmp_path / "elsewhere1").rglob("metrics.jsonl"))
    if binary == "search":
        assert (run / "taken.json").read_text() == (alone / "taken.json").read_text()
        fronts = [json.loads((folder / "front.json").read_text()) for folder in (run, alone)]
        for ours, theirs in zip(*fronts, strict=True):  # sums over workers round otherwise
            assert ours.pop("validation_log_loss") == pytest.approx(theirs.pop("validation_log_loss"), rel=1e-5)
            assert ours == theirs


@pytest.mark.nightly
def test_two_workers_run_the_demos_search_step_and_training_as_one_process_does(programs, tmp_path, bright_and_dark):
    for folder, begin in ((tmp_path / "one", lambda *a, **k: [start(*a, **k)]), (tmp_path / "two", start_two)):
        finish(*begin(programs, "search.py", folder / "search", bright_and_dark, 2, demo=True))
        found = f"--genotype={tmp_path}/one/search/genotype.json"
        finish(*begin(programs, "train.py", folder / "train", bright_and_dark, 2, found, demo=True))
    one, two = tmp_path / "one", tmp_path / "two"
    assert_close(two / "search", one / "search", [latest(one / "search")])  # alpha, weights and what optimizers keep
    # In running statistics of the last layers, the small differences of all weights before add up.
    assert_close(two / "train", one / "train", ["final"], statistics=False)


@pytest.mark.slow
def test_the_end_of_one_worker_is_that_of_the_other_and_both_go_on(programs, tmp_path, bright_and_dark, to_train):
    """One training: asked to stop, then without its chief, then without the other worker, and then to its end."""
    folder, epochs, saved = tmp_path / "run", 80, 0
    training = (programs, "train.py", folder, bright_and_dark, epochs, to_train)

    workers = start_two(*training)
    wait_for_checkpoint(folder, saved, workers)
    workers[1].signal(signal.SIGTERM)
    assert [worker.wait(SECONDS_TO_END) for worker in workers] == [75, 75], workers[0].stderr
    errors = [worker.stderr for worker in workers]
    steps = [int(re.search(r"stopped by .* after step (\d+); last good checkpoint", error)[1]) for error in errors]
    assert steps[0] == steps[1] and (folder / "checkpoints" / f"ckpt-{steps[0]}.index").exists()
    assert "stopped by another worker" in errors[0] and "stopped by SIGTERM" in errors[1]

    for killed in (0, 1):  # the chief, and the other
        saved = max(checkpoints(folder))
        workers = start_two(*training)
        wait_for_checkpoint(folder, saved, workers)
        workers[killed].signal(signal.SIGKILL)
        assert workers[killed].wait() == -signal.SIGKILL
        assert workers[1 - killed].wait(SECONDS_TO_END) == 75, workers[1 - killed].stderr
        [line] = [line for line in workers[1 - killed].stderr.splitlines() if line.startswith("error: ")]
        assert re.search(r"training: another worker is gone; last good checkpoint: .*ckpt-\d+; run the same", line)
        assert going_on_from(workers[1 - killed]) == saved

    saved = max(checkpoints(folder))
    workers = start_two(*training)
    finish(*workers)
    assert {going_on_from(worker) for worker in workers} == {saved}
    assert json.loads((folder / "summary.json").read_text())["steps"] == 2 * epochs


def going_on_from(worker):
    return int(re.search(r"training: going on from step (\d+)", worker.stdout)[1])


def checkpoints(folder):
    return [int(re.search(r"ckpt-(\d+)", path.name)[1]) for path in (folder / "checkpoints").glob("ckpt-*.index")]


def wait_for_checkpoint(folder, after, processes):
    """Waits for two more checkpoints, which are made every two steps."""
    while max(checkpoints(folder), default=0) < after + 4:
        ended = [process for process in processes if process.poll() is not None]
        assert not ended, ended[0].stderr[-3000:]
        time.sleep(0.05)
