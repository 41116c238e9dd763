"""P(A | alpha): what it gives by hand, what it draws, and that its gradients are those of the expectation."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.search.distribution import ArchitectureDistribution
from tsnet_tf.space.cost import smallest
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import only, restrict, values_of

LN2, LN3, LN4 = math.log(2), math.log(3), math.log(4)


@pytest.fixture(scope="module")
def distribution():
    """Two open choices: a temporal kernel out of 1, 3, 5 and a spatial kernel out of 3, 5; six architectures."""
    space = only(table1(depths=((1,),) * 4), ("sparse",))
    free = ("sparse/s1/g1/temporal_kernel", "sparse/s1/g1/spatial_kernel")
    return ArchitectureDistribution(restrict(space, free, values_of(smallest(space))))


@pytest.fixture
def logits():
    # Probabilities (1/6, 2/6, 3/6) and (1/4, 3/4); the second choice has no third candidate, whatever its logit.
    return tf.constant([[0.0, LN2, LN3], [0.0, LN3, 7.0]])


def every_architecture():
    return np.array(list(itertools.product(range(3), range(2))), np.int32)


def test_probabilities_are_softmax_over_a_choices_own_candidates(distribution, logits):
    assert [c.kind for c in distribution.choices] == ["temporal_kernel", "spatial_kernel"]
    assert distribution.shape == (2, 3)
    expected = [[1 / 6, 2 / 6, 3 / 6], [1 / 4, 3 / 4, 0]]
    np.testing.assert_allclose(distribution.probabilities(logits), expected, rtol=1e-6)


def test_log_prob_is_the_sum_over_choices(distribution, logits):
    found = distribution.log_prob(logits, tf.constant([[2, 0], [0, 1]]))
    np.testing.assert_allclose(found, [math.log(3 / 6 * 1 / 4), math.log(1 / 6 * 3 / 4)], rtol=1e-6)
    total = tf.reduce_sum(tf.exp(distribution.log_prob(logits, every_architecture())))
    assert float(total) == pytest.approx(1, abs=1e-6)


def test_entropy_by_hand(distribution, logits):
    temporal = (LN2 + LN3) / 6 + LN3 / 3 + LN2 / 2  # sum of p ln(1/p) with p = 1/6, 1/3, 1/2
    spatial = LN4 / 4 + 3 / 4 * (LN4 - LN3)
    np.testing.assert_allclose(distribution.entropy(logits), [temporal, spatial], rtol=1e-6)
    by_kind = distribution.entropy_by_kind(logits)
    assert {kind: pytest.approx(float(v), rel=1e-6) for kind, v in by_kind.items()} == {
        "temporal_kernel": temporal,
        "spatial_kernel": spatial,
    }


def test_uniform_at_zero(distribution):
    zeros = tf.zeros(distribution.shape)
    np.testing.assert_allclose(distribution.entropy(zeros), [LN3, LN2], rtol=1e-6)


def test_samples_come_as_often_as_they_are_probable(distribution, logits):
    count = 20_000
    drawn = distribution.sample(logits, count, tf.constant([3, 4])).numpy()
    assert drawn.shape == (count, 2) and drawn.dtype == np.int32
    for row, probabilities in enumerate([[1 / 6, 2 / 6, 3 / 6], [1 / 4, 3 / 4, 0]]):
        p = np.array(probabilities)
        found = np.bincount(drawn[:, row], minlength=3) / count
        assert (np.abs(found - p) <= 4 * np.sqrt(p * (1 - p) / count)).all()


def test_choices_are_drawn_independently(distribution, logits):
    drawn = distribution.sample(logits, 20_000, tf.constant([5, 6])).numpy()
    both = np.mean((drawn[:, 0] == 2) & (drawn[:, 1] == 1))
    assert both == pytest.approx(1 / 2 * 3 / 4, abs=4 * math.sqrt(0.375 * 0.625 / 20_000))


def test_same_seed_same_samples(distribution, logits):
    draw = tf.function(lambda seed: distribution.sample(logits, 50, seed))
    first, again, other = draw(tf.constant([0, 1])), draw(tf.constant([0, 1])), draw(tf.constant([0, 2]))
    np.testing.assert_array_equal(first, again)
    assert (first.numpy() != other.numpy()).any()


def test_score_gradient_is_the_tapes(distribution, logits):
    architectures, weights = tf.constant([[2, 0], [0, 1], [1, 1]]), tf.constant([0.5, -0.3, 0.1])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = -tf.reduce_sum(weights * distribution.log_prob(logits, architectures))
    expected = tape.gradient(loss, logits)
    np.testing.assert_allclose(distribution.score_gradient(logits, architectures, weights), expected, atol=1e-6)


def test_score_gradient_by_hand(distribution, logits):
    """K = 2 with weights 3/4 and 1/4: sum of weights x p, less the weights of the chosen candidates."""
    found = distribution.score_gradient(logits, tf.constant([[2, 0], [0, 0]]), tf.constant([0.75, 0.25]))
    np.testing.assert_allclose(found, [[1 / 6 - 1 / 4, 2 / 6, 3 / 6 - 3 / 4], [1 / 4 - 1, 3 / 4, 0]], atol=1e-6)


def test_sampled_gradient_is_that_of_the_expectation(distribution, logits):
    """The mean over many samples of utility x score is the gradient of the enumerated expected utility."""
    utility = tf.constant([[0.9, 0.1], [0.2, 0.5], [0.4, 0.7]])  # any number per architecture
    architectures = every_architecture()
    with tf.GradientTape() as tape:
        tape.watch(logits)
        probabilities = tf.exp(distribution.log_prob(logits, architectures))
        objective = -tf.reduce_sum(probabilities * tf.gather_nd(utility, architectures))
    exact = tape.gradient(objective, logits).numpy()

    count = 20_000
    drawn = distribution.sample(logits, count, tf.constant([7, 8]))
    gains = tf.gather_nd(utility, drawn)
    estimate = distribution.score_gradient(logits, drawn, gains / count).numpy()
    chosen = tf.one_hot(drawn, distribution.shape[1])
    terms = gains[:, None, None] * (distribution.probabilities(logits)[None] - chosen)
    error = np.std(terms, 0) / math.sqrt(count)
    assert (np.abs(estimate - exact) <= 3 * error + 1e-7).all()
    # Taking a constant off the utilities (the baseline) changes the noise only.
    centred = distribution.score_gradient(logits, drawn, (gains - tf.reduce_mean(gains)) / count).numpy()
    assert (np.abs(centred - exact) <= 3 * error + 1e-7).all()


def test_space_without_choices_has_no_logits():
    distribution = ArchitectureDistribution(smallest(table1()))
    assert distribution.shape[0] == 0 and distribution.choices == []


def test_n_best_are_the_most_probable_in_order(distribution, logits):
    every = every_architecture()
    order = np.argsort(-distribution.log_prob(logits, every).numpy(), kind="stable")
    np.testing.assert_array_equal(distribution.n_best(logits, 4), every[order[:4]])
    np.testing.assert_array_equal(distribution.n_best(logits, 99), every[order])  # there are only six
    np.testing.assert_array_equal(distribution.most_probable(logits), every[order[0]])
