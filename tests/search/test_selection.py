"""From the distribution to one architecture: targets that can be met, measured costs, scores and their front."""

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.errors import UserError
from tsnet_tf.search.budget import BudgetedDistribution
from tsnet_tf.search.cost_tables import GMACS, PARAMS, CostTables
from tsnet_tf.search.selection import (
    MEASUREMENTS,
    Scored,
    best,
    check_target,
    draw,
    most_probable_as_measured,
    pareto_front,
    supernet_scores,
)
from tsnet_tf.space.cost import complexity, largest, smallest
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import only


@pytest.fixture(scope="module")
def space():
    return only(table1(depths=((1,), (1, 1), (1, 1), (1,))), ("sparse",))


@pytest.fixture(scope="module")
def macs(space):
    return CostTables(space)


def middle(space):
    return (complexity(smallest(space)).gmacs * complexity(largest(space)).gmacs) ** 0.5


def test_target_below_the_smallest_says_the_smallest(space, macs):
    low = complexity(smallest(space)).gmacs
    with pytest.raises(UserError, match=rf"target_gmacs: expected at least {low:.4g}, the smallest .* found 0\.01$"):
        check_target(space, macs, 0.01)


def test_target_above_the_largest_says_the_largest(space, macs):
    high = complexity(largest(space)).gmacs
    with pytest.raises(UserError, match=rf"target_gmacs: expected at most {high:.4g}, the largest .* found 99$"):
        check_target(space, macs, 99)


def test_target_in_parameters(space):
    low = complexity(smallest(space)).params_m
    with pytest.raises(UserError, match=rf"target_params_m: expected at least {low:.4g}, the smallest .* found 1$"):
        check_target(space, CostTables(space, PARAMS), 1)


def test_target_between_them_passes(space, macs):
    check_target(space, macs, complexity(smallest(space)).gmacs)
    check_target(space, macs, complexity(largest(space)).gmacs)


def test_draws_are_different_within_the_budget_and_begin_with_the_most_probable(space, macs):
    budget = BudgetedDistribution(space, middle(space))
    logits = tf.random.stateless_normal(budget.distribution.shape, [0, 0])
    drawn = draw(budget, logits, 12, seed=0)
    assert len({tuple(one) for one in drawn.tolist()}) >= 11 and len(drawn) == 12
    assert macs.of(tf.constant(drawn)).numpy().max() <= middle(space) * (1 + 1e-6)
    np.testing.assert_array_equal(drawn[0], budget.most_probable(logits))


def test_scores_are_mean_log_likelihoods_over_all_batches(space, macs):
    """A network that gives the first choice's candidate the logit 1: log-likelihoods of 3 classes by hand."""

    def network(clips, architecture, training):
        return tf.repeat(tf.one_hot(architecture[0], 3)[None], tf.shape(clips)[0], 0)

    batches = [(tf.zeros([2, 1]), tf.constant([0, 0])), (tf.zeros([2, 1]), tf.constant([1, 2]))]
    architectures = np.zeros((2, len(BudgetedDistribution(space, 9.0).distribution.choices)), np.int32)
    architectures[1, 0] = 1
    first, second = supernet_scores(network, architectures, batches, macs)
    right, wrong = 1 - np.log(np.e + 2), -np.log(np.e + 2)
    assert (first.score, first.top1) == pytest.approx((right / 2 + wrong / 2, 0.5), rel=1e-5)
    assert (second.score, second.top1) == pytest.approx((right / 4 + 3 * wrong / 4, 0.25), rel=1e-5)
    assert best([second, first]) is first and first.cost < second.cost


def one_scored(cost, score):
    return Scored(np.zeros(1, np.int32), cost, score, 0.0)


def test_front_by_hand():
    costs_and_scores = [(3, 0.5), (1, 0.2), (2, 0.6), (2, 0.4), (4, 0.6), (5, 0.9), (1, 0.1)]
    measured = [one_scored(*both) for both in costs_and_scores]
    assert [(m.cost, m.score) for m in pareto_front(measured)] == [(1, 0.2), (2, 0.6), (5, 0.9)]
    assert best([one_scored(2, 0.5), one_scored(1, 0.5)]).cost == 1


@pytest.mark.parametrize("factor, measurements", [(1.3, 2), (0.7, 1)])
def test_a_wrong_estimate_is_put_right_by_what_is_measured(space, macs, factor, measurements):
    """An estimate that is too low is mended; one that is too high leaves the model under its ceiling."""
    costs, target = [], middle(space)
    logits = tf.zeros(BudgetedDistribution(space, target).distribution.shape)
    logits += tf.range(float(logits.shape[1]))  # wants the largest of everything

    def measure(architecture):
        costs.append(factor * float(macs.of(architecture[None])[0]))
        return costs[-1]

    found, measured = most_probable_as_measured(space, logits, target, GMACS, measure)
    assert len(costs) == measurements <= MEASUREMENTS
    assert measured == costs[-1] and 0.6 * target < measured <= target
    assert factor * float(macs.of(found[None])[0]) == pytest.approx(measured)


def test_of_several_above_the_target_the_nearest_is_taken(space):
    costs = iter([3.0, 2.0, 2.5, 4.0, 3.0])
    logits = tf.zeros(BudgetedDistribution(space, middle(space)).distribution.shape)
    target = complexity(smallest(space)).gmacs * 1.01
    with pytest.raises(UserError, match="expected a budget"):  # what is aimed at in the end, nothing keeps to
        most_probable_as_measured(space, logits, target, GMACS, lambda architecture: next(costs))
