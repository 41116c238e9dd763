"""The search finds what is planted: the real `train_step` on the paper's sparse space, with a utility that is known.

Every candidate of every choice has a utility of its own, normally distributed and without relation to its cost. An
architecture's is their sum, scaled so that random architectures have 0 in the mean and the best candidate of every
choice, whatever it costs, gives 1. The validation accuracy is linear in it, and measured on 64 clips, so with binomial
noise. A utility of 1 cannot be had within the target.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.search.joint_step import SearchModel
from tsnet_tf.search.selection import most_probable
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import choices, entropy_of_uniform, only, restrict

TARGET, CLIPS, SAMPLES = 1.4, 64, 16
KINDS = ("temporal_kernel", "spatial_kernel", "channels", "expansion")


def sparse_space():
    return restrict(only(table1(), ("sparse",)), [f"sparse/*/{kind}" for kind in KINDS], {})


class Planted(keras.Model):
    """Is right on a clip (class 0) with a probability that the architecture's utility gives. One idle weight."""

    def __init__(self, space, seed):
        super().__init__()
        self.space, self.synchronized = space, False
        self.idle = self.add_weight(name="idle", shape=(), initializer="zeros")
        draw = np.random.default_rng(seed)
        sizes = [len(choice.values) for choice in choices(space)]
        table = np.zeros((len(sizes), max(sizes)), np.float32)
        for row, size in enumerate(sizes):
            drawn = draw.normal(size=size)
            table[row, :size] = drawn - drawn.mean()
        self.table = table / table.max(1).sum()
        self.built = True

    def utility(self, architectures):
        """``[count, choices]`` to ``[count]``."""
        return tf.reduce_sum(tf.gather(self.table, tf.transpose(architectures), batch_dims=1), 0)

    def call(self, clips, architecture=None, training=False):
        accuracy = 0.4 + 0.5 * self.utility(architecture[None])
        is_right = tf.random.uniform([tf.shape(clips)[0]]) < accuracy
        return tf.one_hot(tf.where(is_right, 0, 1), 2) + self.idle


def search(seed, steps, **settings):
    """Most probable architecture after ``steps`` joint steps: its cost over the target, utility, nats left."""
    keras.utils.set_random_seed(seed)
    network = Planted(sparse_space(), seed)
    model = SearchModel(
        network, target=TARGET, samples=SAMPLES, alpha_optimizer=keras.optimizers.Adam(0.025), seed=seed, **settings
    )
    model.compile(keras.optimizers.SGD(0.0))
    batch = (tf.zeros([CLIPS, 1, 1, 1, 3], tf.uint8), tf.zeros([CLIPS], tf.int32))
    step = tf.function(model.train_step)
    for _ in range(steps):
        step((batch, batch))
    logits = tf.convert_to_tensor(model.alpha)
    best = tf.argmax(model.distribution.log_probabilities(logits), 1, tf.int32)
    kept, _ = most_probable(model.distribution, logits, model.costs, TARGET)
    return {
        "cost": float(model.costs.of(best[None])[0]) / TARGET,
        "utility": float(network.utility(best[None])[0]),
        "selected_cost": float(model.costs.of(kept[None])[0]) / TARGET,
        "selected_utility": float(network.utility(kept[None])[0]),
        "entropy": model.state_of_search()["entropy"],
    }


def random_search(seed, samples):
    """The same number of architectures drawn at random and measured as noisily: the best within 5 % of the target."""
    keras.utils.set_random_seed(seed)
    network = Planted(sparse_space(), seed)
    model = SearchModel(network, target=TARGET, alpha_optimizer=keras.optimizers.Adam(0.025))
    drawn = model.distribution.sample(tf.zeros(model.distribution.shape), samples, [seed, 0])
    utility, cost = network.utility(drawn).numpy(), model.costs.of(drawn).numpy() / TARGET
    measured = np.random.default_rng(seed).binomial(CLIPS, 0.4 + 0.5 * utility)
    best = np.argmax(np.where(np.abs(cost - 1) <= 0.05, measured, -1))
    return float(utility[best])


def test_space_is_the_papers():
    assert entropy_of_uniform(sparse_space()) == pytest.approx(56.5, abs=0.05)
    assert float(Planted(sparse_space(), 0).table.max(1).sum()) == pytest.approx(1.0)
