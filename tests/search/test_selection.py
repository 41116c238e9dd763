"""From the distribution to one architecture: the most probable one, and what happens when it misses the target."""

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.errors import UserError
from tsnet_tf.search.cost_tables import PARAMS, CostTables
from tsnet_tf.search.distribution import ArchitectureDistribution
from tsnet_tf.search.selection import (
    MEASUREMENTS,
    Scored,
    check_target,
    most_probable,
    most_probable_as_measured,
    pareto_front,
    refine,
)
from tsnet_tf.space.cost import complexity, largest, smallest
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import choices, only, pick


@pytest.fixture(scope="module")
def space():
    return only(table1(depths=((1,), (1, 1), (1, 1), (1,))), ("sparse",))


@pytest.fixture(scope="module")
def distribution(space):
    return ArchitectureDistribution(space)


@pytest.fixture(scope="module")
def macs(space):
    return CostTables(space)


def leaning(distribution, towards, strength=3.0, noise=0.5, seed=0):
    """Logits that prefer candidate ``towards`` (0 or -1) of every choice, with noise."""
    logits = np.random.default_rng(seed).normal(scale=noise, size=distribution.shape).astype(np.float32)
    for row, choice in enumerate(distribution.choices):
        logits[row, range(len(choice.values))[towards]] += strength
    return tf.constant(logits)


def test_most_probable_is_taken_where_it_fits(space, distribution, macs):
    wanted = np.array([row % len(c.values) for row, c in enumerate(distribution.choices)], np.int32)
    logits = tf.one_hot(wanted, distribution.shape[1]) * 2.0
    cost = float(macs.of(wanted[None])[0])
    found, is_most_probable = most_probable(distribution, logits, macs, cost * 1.04)
    assert is_most_probable
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("towards", [0, -1], ids=["from_below", "from_above"])
def test_repaired_to_the_target(space, distribution, macs, towards, seed):
    low, high = complexity(smallest(space)).gmacs, complexity(largest(space)).gmacs
    target = (low * high) ** 0.5
    logits = leaning(distribution, towards, seed=seed)
    found, is_most_probable = most_probable(distribution, logits, macs, target, tolerance=0.05)
    values = {c.label: c.values[i] for c, i in zip(choices(space), found, strict=True)}
    assert complexity(pick(space, values)).gmacs == pytest.approx(target, rel=0.05 + 1e-4)
    assert not is_most_probable


@pytest.mark.parametrize("towards", [0, -1], ids=["from_below", "from_above"])
def test_nothing_probable_is_given_up_in_vain(space, distribution, macs, towards):
    """No single exchange gives a more probable architecture that also keeps to the target."""
    target = (complexity(smallest(space)).gmacs * complexity(largest(space)).gmacs) ** 0.5
    logits = leaning(distribution, towards)
    found, _ = most_probable(distribution, logits, macs, target)
    own = float(distribution.log_prob(logits, found[None])[0])
    for row, choice in enumerate(distribution.choices):
        for value in range(len(choice.values)):
            other = found.copy()
            other[row] = value
            if abs(float(macs.of(other[None])[0]) / target - 1) <= 0.05:
                assert float(distribution.log_prob(logits, other[None])[0]) <= own + 1e-5


def test_unreachable_target_gives_the_nearest_end(space, distribution, macs):
    """Not asked for by a search, which checks its target first; but it must end."""
    found, _ = most_probable(distribution, leaning(distribution, -1), macs, 1e-3)
    assert float(macs.of(found[None])[0]) == pytest.approx(complexity(smallest(space)).gmacs, rel=1e-5)


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


def drawn_architectures(distribution, count):
    return distribution.sample(tf.zeros(distribution.shape), count, [0, 0]).numpy()


def test_refine_measures_what_fits_once_and_takes_the_best(distribution, macs):
    drawn = drawn_architectures(distribution, 12)
    prices = macs.of(tf.constant(drawn)).numpy()
    budget = float(np.median(prices))
    first = drawn[prices.argmax()]  # measured though it exceeds the budget: it is the search's own answer
    measured = []

    def score(architecture):
        measured.append(architecture.tolist())
        return float(len(measured) == 3)

    best, front = refine(np.concatenate([first[None], drawn, drawn]), macs, budget, score)
    fitting = [a.tolist() for a, price in zip(drawn, prices, strict=True) if price <= budget]
    assert measured == [first.tolist(), *fitting]  # every one once, in order
    assert best.architecture.tolist() == measured[2] and best.score == 1.0
    assert front[-1] == best and [m.cost for m in front] == sorted(m.cost for m in front)


def test_refine_with_nothing_in_the_budget_keeps_the_first(distribution, macs):
    drawn = drawn_architectures(distribution, 3)
    best, front = refine(drawn, macs, 1e-3, lambda architecture: 0.5)
    assert best.architecture.tolist() == drawn[0].tolist() and front == [best]


def test_front_by_hand():
    def one(cost, score):
        return Scored(np.zeros(1, np.int32), cost, score)

    measured = [one(3, 0.5), one(1, 0.2), one(2, 0.6), one(2, 0.4), one(4, 0.6), one(5, 0.9), one(1, 0.1)]
    assert [(m.cost, m.score) for m in pareto_front(measured)] == [(1, 0.2), (2, 0.6), (5, 0.9)]


def test_a_wrong_estimate_is_put_right_by_what_is_measured(space, distribution, macs):
    target = (complexity(smallest(space)).gmacs * complexity(largest(space)).gmacs) ** 0.5
    costs = []

    def measure(architecture):
        costs.append(1.3 * float(macs.of(architecture[None])[0]))
        return costs[-1]

    found, _, measured = most_probable_as_measured(distribution, leaning(distribution, 0), macs, target, 0.05, measure)
    assert costs[0] == pytest.approx(1.3 * target, rel=0.051)
    assert measured == measure(found) == pytest.approx(target, rel=0.051) and 3 <= len(costs) <= MEASUREMENTS + 1
