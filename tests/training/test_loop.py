"""A run that was interrupted ends as one that was not; and a value that is no number ends the run."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.errors import UserError
from tsnet_tf.search.joint_step import SearchModel
from tsnet_tf.space.cost import smallest
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import only, restrict, values_of
from tsnet_tf.training.loop import Pace, train_loop
from tsnet_tf.training.optimizers import weight_optimizer
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
        target=0.1,
        alpha_optimizer=keras.optimizers.Adam(0.1),
        samples=3,
        alpha_warmup_steps=2,
        indicator="likelihood",
    )
    model.compile(weight_optimizer(STEPS, learning_rate=0.1))
    return model


def make_dataset(context, done):
    def element(number):
        clips = tf.random.stateless_normal([2, 4, FEATURES], [0, number])
        labels = tf.random.stateless_uniform([2, 4], [1, number], 0, CLASSES, tf.int64)
        return (clips[0], labels[0]), (clips[1], labels[1])

    return tf.data.Dataset.range(done, 10_000).map(lambda n: element(tf.cast(n, tf.int32)))


def run(workdir, stop_at=None, report_every=1):
    """Trains, and fails like a lost machine while step ``stop_at`` is being reported."""
    model = make_model()

    def measure(metrics):
        if stop_at is not None and int(model.optimizer.iterations) >= stop_at:
            raise KeyboardInterrupt
        return {**metrics, **model.state_of_search()}

    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    pace = Pace(STEPS, report_every, CHECKPOINT_EVERY)
    train_loop(model, make_dataset, strategy, recorder=Recorder(str(workdir), "test", measure=measure), pace=pace)
    return model


def everything(model):
    """All that a step depends on: weights, both optimizers, alpha, multiplier, the state of dropout."""
    variables = [*model.network.variables, *model.optimizer.variables, *model.alpha_optimizer.variables]
    return [np.array(v) for v in (*variables, model.alpha, model.multiplier)]


def records(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("whole")
    return run(workdir), records(workdir)


def test_run_reports_every_step_and_keeps_its_last_checkpoint(whole, tmp_path_factory):
    model, lines = whole
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    assert {"loss", "indicator", "entropy", "expected_gmacs", "multiplier"} <= set(lines[0])
    assert np.array(model.alpha).any()


@pytest.mark.parametrize("stop_at", [1, 4, 6], ids=["before_any_checkpoint", "soon_after_one", "between_two"])
def test_interrupted_run_ends_as_the_uninterrupted_one(tmp_path, whole, stop_at):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, stop_at=stop_at)
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"step": 99, "lo')  # torn in the middle of a line
    model = run(tmp_path)
    for found, expected in zip(everything(model), everything(whole[0]), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert records(tmp_path) == whole[1]


def test_finished_run_is_left_as_it_is(tmp_path, whole):
    run(tmp_path)
    before = (tmp_path / "metrics.jsonl").read_bytes()
    model = run(tmp_path)
    assert (tmp_path / "metrics.jsonl").read_bytes() == before
    for found, expected in zip(everything(model), everything(whole[0]), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_reporting_less_often_changes_nothing_but_the_lines(tmp_path, whole):
    model = run(tmp_path, report_every=3)
    assert [line["step"] for line in records(tmp_path)] == [3, 6, 8]
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
            recorder=Recorder(str(tmp_path), "search: sparse"),
            pace=Pace(10, 1, 1),
        )
    last = tf.train.latest_checkpoint(str(tmp_path / "checkpoints"))
    assert last.endswith("-2")
    assert str(error.value) == (f"search: sparse: loss is not a number at step 3; last good checkpoint: {last}")
    assert [line["step"] for line in records(tmp_path)] == [1, 2]
