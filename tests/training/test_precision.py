"""Narrow numbers are for computing only, and a small problem is learnt as well with them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.errors import UserError
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.search.joint_settings import JointSettings
from tsnet_tf.search.joint_step import SearchModel
from tsnet_tf.space.cost import smallest
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import restrict, values_of
from tsnet_tf.training import fused_optimizers
from tsnet_tf.training.classifier import Classifier
from tsnet_tf.training.precision import precision

SPACE = table1(
    sparse_width=0.125,
    dense_width=0.25,
    depths=((1,), (1,)),
    resolution=16,
    sparse_frames=2,
    dense_frames=4,
    hidden=8,
    dropout=0.0,
    classes=2,
    glore_ratio=0.5,
)
BATCH = 16


def bright_and_dark(number):
    """Clips whose class is whether they are bright, with noise."""
    draw = np.random.default_rng(number)
    labels = draw.integers(0, 2, BATCH)
    clips = draw.integers(0, 160, (BATCH, 4, 16, 16, 3)) + 80 * labels[:, None, None, None, None]
    return tf.constant(clips, tf.uint8), tf.constant(labels)


def test_policy_ends_with_the_context():
    before = keras.config.dtype_policy()
    with precision("mixed_bfloat16"):
        assert keras.layers.Dense(1).compute_dtype == "bfloat16"
    assert keras.config.dtype_policy() == before and keras.layers.Dense(1).compute_dtype == "float32"


def test_unknown_policy_is_refused():
    with pytest.raises(
        UserError, match="precision.policy: expected one of float32, mixed_bfloat16, mixed_float16; found 'float16'"
    ):
        with precision("float16"):
            pass


@pytest.fixture(scope="module")
def accuracies():
    """Policy to the accuracy on new clips after training."""
    found = {}
    for policy in ("float32", "mixed_bfloat16", "mixed_float16"):
        keras.utils.set_random_seed(0)
        with precision(policy):
            network = TwoStreamModel(smallest(SPACE), branch_gamma=1.0)
        model = Classifier(network)
        model.compile(fused_optimizers.Adam(0.01))
        step = tf.function(model.train_step)
        for number in range(30):
            step(bright_and_dark(number))
        clips, labels = bright_and_dark(1000)
        right = tf.argmax(network(clips, training=True), 1, labels.dtype) == labels
        found[policy] = float(tf.reduce_mean(tf.cast(right, tf.float32)))
    return found


@pytest.mark.slow
def test_a_small_problem_is_learnt_with_all(accuracies):
    assert min(accuracies.values()) >= 15 / 16


def test_variables_stay_float32():
    with precision("mixed_bfloat16"):
        model = Classifier(TwoStreamModel(smallest(SPACE)))
    model.compile(fused_optimizers.Adam(0.01))
    assert model.network.compute_dtype == "bfloat16"
    assert {v.dtype for v in (*model.network.trainable_variables, *model.optimizer._momentums)} == {"float32"}
    assert model.network.classifier.compute_dtype == "float32"


@pytest.mark.slow
def test_search_step_in_bfloat16_is_that_of_float32_but_for_rounding():
    free = ("dense/s1/g1/channels", "sparse/s2/g1/fusion", "sparse/s2/g1/attention")
    space = restrict(SPACE, free, values_of(smallest(SPACE)))
    losses, alphas = [], []
    for policy in ("float32", "mixed_bfloat16"):
        keras.utils.set_random_seed(0)
        with precision(policy):
            network = TwoStreamModel(space)
        model = SearchModel(
            network,
            JointSettings(samples=2, cost_term="hinge", weight_gradient="importance"),
            target=1e-3,
            alpha_optimizer=fused_optimizers.SGD(1.0),  # whose updates are as continuous as gradients
        )
        model.compile(fused_optimizers.SGD(0.01, momentum=0.9))
        step = tf.function(model.train_step)
        for number in range(3):
            metrics = step((bright_and_dark(number), bright_and_dark(100 + number)))
        losses.append(float(metrics["loss"]))
        alphas.append(np.array(model.alpha))
        assert {v.dtype for v in model.variables if "seed" not in v.path} <= {"float32", "int64"}
    assert losses[1] == pytest.approx(losses[0], rel=0.05) and losses[0] != losses[1]
    largest = np.abs(alphas[0]).max()
    assert largest > 0.01
    np.testing.assert_allclose(alphas[1], alphas[0], atol=0.2 * largest)
