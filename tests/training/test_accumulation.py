"""Microbatches give the step of the whole batch; with networks without BN, to the last digits of float32."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.errors import UserError
from tsnet_tf.search.joint_settings import JointSettings
from tsnet_tf.search.joint_step import SearchModel
from tsnet_tf.space.cost import smallest
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import only, restrict, values_of
from tsnet_tf.training import fused_optimizers
from tsnet_tf.training.accumulation import microbatch
from tsnet_tf.training.classifier import Classifier

CLASSES, FEATURES, BATCH = 3, 5, 12


class Network(keras.Model):
    """A dense layer; the architecture, if there is one, scales the features."""

    def __init__(self):
        super().__init__()
        space = only(table1(depths=((1,), (1,)), classes=CLASSES), ("sparse",))
        self.space, self.synchronized = restrict(space, ("sparse/s1/g1/*",), values_of(smallest(space))), False
        self.dense = keras.layers.Dense(CLASSES)
        self.dense.build((None, FEATURES))
        self.sizes = []
        self.built = True

    def call(self, clips, architecture=None, training=False):
        self.sizes.append(clips.shape[0])
        scale = 1.0 if architecture is None else 1.0 + tf.cast(tf.reduce_sum(architecture), tf.float32)
        return self.dense(clips * scale)


def batch(number, labels="numbers"):
    draw = np.random.default_rng(number)
    found = draw.integers(0, CLASSES, BATCH)
    return tf.constant(draw.normal(size=(BATCH, FEATURES)), tf.float32), tf.constant(
        found if labels == "numbers" else draw.dirichlet([1] * CLASSES, BATCH)
    )


def trained(microbatches, labels):
    keras.utils.set_random_seed(0)
    model = Classifier(Network(), label_smoothing=0.1, microbatches=microbatches)
    model.compile(fused_optimizers.SGD(0.5, momentum=0.9, global_clipnorm=0.5))
    step = tf.function(model.train_step)
    results = [{name: float(value) for name, value in step(batch(n, labels)).items()} for n in range(3)]
    return model, results


@pytest.mark.parametrize("labels", ["numbers", "shares"])
def test_training_step_of_microbatches_is_that_of_the_batch(labels):
    (whole, expected), (parts, found) = trained(1, labels), trained(4, labels)
    for a, b in zip(whole.variables, parts.variables, strict=True):
        np.testing.assert_allclose(np.array(a), np.array(b), atol=1e-6)
    assert found == [pytest.approx(result, abs=1e-6) for result in expected]
    assert set(whole.network.sizes) == {BATCH} and set(parts.network.sizes) == {BATCH // 4}


def test_loss_of_a_training_step_by_hand():
    """Logits are 0 with a kernel of zeros: the cross-entropy is ln 3 whatever the labels; all are taken for class 0."""
    model = Classifier(Network())
    model.compile(fused_optimizers.SGD(0.0))
    model.network.dense.kernel.assign(tf.zeros([FEATURES, CLASSES]))
    result = model.train_step((tf.ones([4, FEATURES]), tf.constant([0, 0, 0, 2])))
    assert float(result["loss"]) == pytest.approx(np.log(3), rel=1e-6)
    assert float(result["accuracy"]) == 0.75


@pytest.mark.parametrize("indicator", ["accuracy", "likelihood"])
def test_joint_step_of_microbatches_is_that_of_the_batch(indicator):
    ends = []
    for microbatches in (1, 3):
        keras.utils.set_random_seed(0)
        model = SearchModel(
            Network(),
            JointSettings(samples=3, indicator=indicator, cost_term="hinge", microbatches=microbatches),
            target=0.1,
            alpha_optimizer=fused_optimizers.Adam(0.1),
        )
        model.compile(fused_optimizers.SGD(0.5, momentum=0.9))
        step = tf.function(model.train_step)
        for n in range(3):
            metrics = step((batch(n), batch(100 + n)))
        ends.append([*(np.array(v) for v in model.variables), *(float(v) for v in metrics.values())])
        assert set(model.network.sizes) == {BATCH // microbatches}
    for expected, found in zip(*ends, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_microbatches_are_the_batch_in_order():
    clips = tf.reshape(tf.range(12), [6, 2])
    parts = [microbatch(clips, index, 3) for index in range(3)]
    np.testing.assert_array_equal(tf.concat(parts, 0), clips)


def test_batch_that_cannot_be_divided_is_refused():
    with pytest.raises(UserError, match="microbatches: expected a divisor of a replica's batch of 6 clips, found 4"):
        microbatch(tf.zeros([6, 2]), 0, 4)
