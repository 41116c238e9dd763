"""A run that was interrupted ends as one that was not; and a value that is no number ends the run."""

import json
import os
import re
import shutil
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf import console
from tsnet_tf.errors import NotFinite, TryAgain, UserError
from tsnet_tf.search.joint_settings import JointSettings
from tsnet_tf.search.joint_step import SearchModel
from tsnet_tf.space.cost import smallest
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import only, restrict, values_of
from tsnet_tf.training import checkpoints, stopping
from tsnet_tf.training.loop import train_loop
from tsnet_tf.training.optimizers import alpha_optimizer, weight_optimizer
from tsnet_tf.training.pace import Pace
from tsnet_tf.training.recorder import Recorder

STEPS, CHECKPOINT_EVERY = 8, 2
CLASSES, FEATURES = 3, 5


class SmallNetwork(keras.Model):
    """Shaped like the supernet, but quickly traced: the architecture scales the features before a dense layer."""

    def __init__(self):
        super().__init__()
        space = only(table1(depths=((1,), (1,))), ("sparse",))
        free = ("sparse/s1/g1/temporal_kernel", "sparse/s2/g1/spatial_kernel")
        self.space, self.synchronized = restrict(space, free, values_of(smallest(space))), False
        self.dropout, self.dense = keras.layers.Dropout(0.5), keras.layers.Dense(CLASSES)
        self.dense.build((None, FEATURES))
        self.built = True

    def call(self, clips, architecture=None, training=False):
        scale = 1.0 + tf.cast(tf.reduce_sum(architecture), tf.float32)
        return self.dense(self.dropout(clips * scale, training=training))


def make_model():
    keras.utils.set_random_seed(0)
    model = SearchModel(
        SmallNetwork(),
        JointSettings(samples=3, cost_term="dual_ascent"),
        target=0.1,
        alpha_optimizer=alpha_optimizer(0.1),
        alpha_warmup_steps=2,
    )
    model.compile(weight_optimizer(STEPS, learning_rate=0.1))
    return model


def make_dataset(context, done):
    def element(number):
        clips = tf.random.stateless_normal([2, 4, FEATURES], [0, number])
        labels = tf.random.stateless_uniform([2, 4], [1, number], 0, CLASSES, tf.int64)
        return (clips[0], labels[0]), (clips[1], labels[1])

    return tf.data.Dataset.range(done, 10_000).map(lambda n: element(tf.cast(n, tf.int32)))


def run(workdir, stop_at=None, report_every=1, make_dataset=make_dataset, **settings):
    """Trains, and fails like a lost machine while step ``stop_at`` is being reported."""
    model = make_model()

    def measure(metrics):
        if stop_at is not None and int(model.optimizer.iterations) >= stop_at:
            raise KeyboardInterrupt
        return {**metrics, **model.state_of_search()}

    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    pace = Pace(STEPS, report_every, CHECKPOINT_EVERY)
    workdir = str(workdir)
    recorder = Recorder(workdir, "test", measure=measure)
    train_loop(model, make_dataset, strategy, workdir=workdir, recorder=recorder, pace=pace, **settings)
    return model


def assert_alike(model, other):
    for found, expected in zip(everything(model), everything(other), strict=True):
        np.testing.assert_array_equal(found, expected)


def everything(model):
    """All that a step depends on: weights, both optimizers, alpha, multiplier, the state of dropout."""
    variables = [*model.network.variables, *model.optimizer.variables, *model.alpha_optimizer.variables]
    return [np.array(v) for v in (*variables, model.alpha, model.multiplier)]


def records(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def whole_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("whole")


@pytest.fixture(scope="module")
def whole(whole_folder):
    return run(whole_folder), records(whole_folder)


def test_run_reports_every_step_and_keeps_its_last_checkpoint(whole, tmp_path_factory):
    model, lines = whole
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    assert {"loss", "indicator", "entropy", "expected_gmacs", "multiplier"} <= set(lines[-1])
    assert np.array(model.alpha).any()


@pytest.mark.parametrize("stop_at", [1, 6], ids=["before_any_checkpoint", "between_two"])
def test_interrupted_run_ends_as_the_uninterrupted_one(tmp_path, whole, stop_at):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, stop_at=stop_at)
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"step": 99, "lo')  # torn in the middle of a line
    left = tmp_path / "checkpoints" / "ckpt-5_temp"
    left.mkdir(parents=True)
    (left / "part-00000-of-00001.data-00000-of-00001.tempstate1").write_bytes(b"half a checkpoint")
    model = run(tmp_path)
    assert not left.exists()
    for found, expected in zip(everything(model), everything(whole[0]), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert records(tmp_path) == whole[1]


def test_several_steps_a_call_come_to_the_same(tmp_path, whole):
    """Eight steps, reported every third: calls of two steps and one, and the weights of single steps."""
    model = run(tmp_path, report_every=3, steps_per_call=2)
    assert_alike(model, whole[0])
    assert [line["step"] for line in records(tmp_path)] == [3, 6, 8]


def test_a_call_has_a_step(tmp_path):
    with pytest.raises(UserError, match="train_loop.steps_per_call: expected an integer from 1 on, found 0"):
        run(tmp_path, steps_per_call=0)


def test_what_other_workers_say_is_read_a_step_late(monkeypatch):
    """A signal that has come with the third question ends the run at the fourth; nobody waits for an answer."""
    strategy = object.__new__(tf.distribute.MultiWorkerMirroredStrategy)
    monkeypatch.setattr(tf, "function", lambda function: lambda signals: signals)
    received = []
    stops = stopping.wanted(strategy, received)
    assert [stops(), stops()] == [False, False]
    received.append(signal.SIGTERM)
    assert [stops(), stops()] == [False, True]


def test_finished_run_is_left_as_it_is(tmp_path, whole):
    run(tmp_path)
    before = (tmp_path / "metrics.jsonl").read_bytes()
    model = run(tmp_path)
    assert (tmp_path / "metrics.jsonl").read_bytes() == before
    for found, expected in zip(everything(model), everything(whole[0]), strict=True):
        np.testing.assert_array_equal(found, expected)


class BreaksDown(keras.Model):
    """Its loss is no number any more from the third step on."""

    def __init__(self):
        super().__init__()
        self.weight = self.add_weight(name="weight", shape=(), initializer="ones")
        self.mean = keras.metrics.Mean(name="loss")
        self.built = True

    @property
    def metrics(self):
        return [self.mean]

    def train_step(self, number):
        self.optimizer.apply([self.weight], [self.weight])
        self.mean.update_state(tf.where(number < 2, 1.0, float("nan")))
        return {"loss": self.mean.result()}


def test_loss_that_is_no_number_names_step_and_checkpoint(tmp_path):
    model = BreaksDown()
    model.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    with pytest.raises(UserError) as error:
        train_loop(
            model,
            lambda context, done: tf.data.Dataset.range(done, 100),
            tf.distribute.OneDeviceStrategy("CPU:0"),
            workdir=str(tmp_path),
            recorder=Recorder(str(tmp_path), "search: sparse"),
            pace=Pace(10, 1, 1),
        )
    last = tf.train.latest_checkpoint(str(tmp_path / "checkpoints"))
    assert last.endswith("-2")
    assert error.value.exit_code == 3
    assert str(error.value).splitlines()[0] == (
        f"search: sparse: loss is not a number at step 3; last good checkpoint: {last}; "
        "a smaller learning_rate or weight_optimizer.clip_norm may help"
    )
    assert [line["step"] for line in records(tmp_path)] == [1, 2]


def signal_after(steps, number, monkeypatch):
    """Sends a signal to this process when so many steps are done."""
    wanted = stopping.wanted

    def patched(strategy, received):
        stops, calls = wanted(strategy, received), []

        def look():
            calls.append(None)
            if len(calls) == steps + 1:
                os.kill(os.getpid(), number)
            return stops()

        return look

    monkeypatch.setattr(stopping, "wanted", patched)


@pytest.fixture(scope="module")
def reported_less_often(tmp_path_factory):
    """Model and records of a run with a report every three steps."""
    folder = tmp_path_factory.mktemp("less_often")
    return run(folder, report_every=3), records(folder)


def test_reporting_less_often_changes_nothing_but_the_lines(whole, reported_less_often):
    model, lines = reported_less_often
    assert [line["step"] for line in lines] == [3, 6, 8]
    assert_alike(model, whole[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.nightly)])
def test_signal_saves_the_step_in_flight_and_the_same_command_goes_on(
    tmp_path, monkeypatch, number, reported_less_often
):
    """Between two checkpoints and two reports: step 5 of reports every 3 and checkpoints every 2 steps."""
    expected, lines = reported_less_often
    before = signal.getsignal(number)
    with monkeypatch.context() as patch, pytest.raises(TryAgain) as stopped:
        signal_after(5, number, patch)
        run(tmp_path / "run", report_every=3)
    assert stopped.value.exit_code == 75 and signal.getsignal(number) is before
    said = f"test: stopped by {signal.Signals(number).name} after step 5; last good checkpoint: {tmp_path}/run/"
    assert str(stopped.value).startswith(said + "checkpoints/ckpt-5; run the same command again to go on")
    assert_alike(run(tmp_path / "run", report_every=3), expected)
    assert records(tmp_path / "run") == lines


@pytest.mark.parametrize("stop_at", [None, 4])
def test_signal_while_the_first_step_is_traced_ends_at_once_and_loses_nothing(tmp_path, monkeypatch, stop_at):
    if stop_at:
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, stop_at=stop_at)
    last = tf.train.latest_checkpoint(str(tmp_path / "checkpoints")) or "none yet"
    with monkeypatch.context() as patch, pytest.raises(TryAgain) as stopped:
        patch.setattr(SmallNetwork, "call", lambda *_, **__: os.kill(os.getpid(), signal.SIGINT))
        run(tmp_path)
    assert (last == "none yet") == (stop_at is None) and str(stopped.value).startswith(
        "test: stopped by SIGINT while its first step was being traced, so nothing is lost; "
        f"last good checkpoint: {last}; run the same command again to go on"
    )
    assert (tf.train.latest_checkpoint(str(tmp_path / "checkpoints")) or "none yet") == last


def test_what_a_loop_is_at_is_told_when_a_signal_is_not_heard():
    assert stopping.under_way("search: sparse", 0, 0, None) == (
        "search: sparse was still tracing and computing its first step, so nothing is lost; "
        "last good checkpoint: none yet"
    )
    assert stopping.under_way("search: sparse", 30, 7, "a/ckpt-30") == (
        "search: sparse was still at step 38, or saving what it had; last good checkpoint: a/ckpt-30"
    )


def truncated(folder):
    path = folder / "ckpt-8.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return "Read fewer bytes than requested|Read less bytes|out of range|truncated|EOF"


def flipped(folder):
    path = folder / "ckpt-8.data-00000-of-00001"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return "Checksum does not match|checksum"


def flipped_index(folder):
    path = folder / "ckpt-8.index"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return "checksum|corrupt|CRC"


def without_index(folder):
    (folder / "ckpt-8.index").unlink()
    return "its index is missing"


def without_data(folder):
    (folder / "ckpt-8.data-00000-of-00001").unlink()
    return "No such file"


def without_list(folder):
    (folder / "checkpoint").write_text("torn")
    return flipped(folder)


@pytest.fixture
def warned(monkeypatch):
    lines = []
    monkeypatch.setattr(console, "warn", lines.append)
    return lines


@pytest.mark.parametrize("damage", [truncated, flipped, flipped_index, without_index, without_data, without_list])
def test_bad_checkpoint_is_named_and_the_one_before_is_taken(tmp_path, damage, warned):
    step, weights = tf.Variable(0, dtype=tf.int64), tf.Variable(tf.zeros([1000]))
    checkpoint = tf.train.Checkpoint(step=step, weights=weights)
    manager = checkpoints.manager(checkpoint, str(tmp_path), step, 2)
    for number in (6, 8):
        step.assign(number)
        weights.assign(tf.random.stateless_normal([1000], [0, number]))
        checkpoints.save(manager, number)
    fault = damage(tmp_path)
    assert checkpoints.restore_latest(checkpoint, str(tmp_path), "test") == f"{tmp_path}/ckpt-6"
    [line] = warned
    assert line.startswith(f"test: checkpoint '{tmp_path}/ckpt-8' cannot be read (")
    assert re.search(fault, line), line
    assert int(step) == 6
    np.testing.assert_array_equal(weights, tf.random.stateless_normal([1000], [0, 6]))


def test_run_with_a_bad_checkpoint_goes_on_from_the_one_before(tmp_path, whole, whole_folder, warned):
    shutil.copytree(whole_folder, tmp_path, dirs_exist_ok=True)
    flipped(tmp_path / "checkpoints")
    model = run(tmp_path)
    assert len(warned) == 1
    assert_alike(model, whole[0])
    assert records(tmp_path) == whole[1]


def test_nothing_is_changed_if_no_checkpoint_can_be_read(tmp_path, whole, whole_folder, warned):
    shutil.copytree(whole_folder, tmp_path, dirs_exist_ok=True)
    folder = tmp_path / "checkpoints"
    for path in folder.glob("*.index"):
        path.write_bytes(b"")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="expected a checkpoint that can be read in '.*', found 3 that cannot; nothing"):
        run(tmp_path)
    assert len(warned) == 3
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert before.items() <= after.items()
    assert {path.parent.name for path in after.keys() - before.keys()} == {"events"}


def test_checkpoint_of_another_model_is_refused(tmp_path, whole, whole_folder, monkeypatch):
    shutil.copytree(whole_folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.setitem(globals(), "FEATURES", FEATURES + 1)
    with pytest.raises(UserError, match="test: expected a checkpoint of this model in '.*ckpt-8', found: "):
        run(tmp_path)


def broken_at(step, stream):
    """The data, but with a value that is no number in step ``step``, for the weights (0) or alpha (1)."""

    def make(context, done):
        def spoil(number, data):
            clips = tf.where(number == step - 1, float("nan"), data[stream][0])
            return tuple((clips, labels) if i == stream else (c, labels) for i, (c, labels) in enumerate(data))

        return tf.data.Dataset.zip(tf.data.Dataset.range(done, 10_000), make_dataset(context, done)).map(spoil)

    return make


@pytest.mark.parametrize(
    "stream, report_every", [(0, 3), pytest.param(1, 1, marks=pytest.mark.slow)], ids=["training", "validation"]
)
def test_gradient_that_is_no_number_stops_the_run_and_the_last_checkpoint_is_good(
    tmp_path, whole, stream, report_every
):
    with pytest.raises(NotFinite) as error:
        run(tmp_path, make_dataset=broken_at(6, stream), report_every=report_every)
    assert error.value.exit_code == 3
    last = tmp_path / "checkpoints" / ("ckpt-5" if report_every == 1 else "ckpt-3")
    assert str(error.value).startswith("test: the gradient is not finite at step 6 (updates left out: ")
    assert f"last good checkpoint: {last}" in str(error.value)
    assert_alike(run(tmp_path), whole[0])  # goes on from there, with good data


def test_signal_saves_nothing_that_would_end_the_run_at_the_next_report(tmp_path, whole, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(NotFinite, match="not finite at step 5 .*ckpt-3"):
        signal_after(5, signal.SIGTERM, patch)
        run(tmp_path, make_dataset=broken_at(5, 0), report_every=3)
    assert_alike(run(tmp_path), whole[0])  # goes on from step 3, with good data


def test_skipping_leaves_updates_out_and_counts_them(tmp_path):
    model = run(tmp_path, make_dataset=broken_at(6, 0), skipped_allowed=1)
    assert all(np.isfinite(value).all() for value in everything(model))
    lines = records(tmp_path)
    assert [line["skipped_updates"] for line in lines] == [0] * 5 + [1] * 3
    assert ["loss" in line for line in lines] == [True] * 5 + [False] + [True] * 2
    assert (int(model.optimizer.skipped), int(model.optimizer.skipped_at)) == (1, 6)
