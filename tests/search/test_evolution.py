"""Plain evolution: it climbs, keeps to the budget, and asks as often as it may."""

import numpy as np

from tsnet_tf.search.budget import BudgetedDistribution
from tsnet_tf.search.evolution import evolve
from tsnet_tf.search.selection import random_within
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import only, restrict

SPACE = restrict(only(table1(depths=((1,), (1,))), ("sparse",)), ["sparse/*"], {})
BUDGET = BudgetedDistribution(SPACE, 0.62, 0.59)


def planted(asked):
    """A sum of a random number for every candidate of every choice; writes down what is asked."""
    table = np.random.default_rng(3).normal(size=BUDGET.distribution.shape)

    def score(architecture):
        asked.append(tuple(architecture))
        return float(table[np.arange(len(architecture)), architecture].sum())

    return score


def test_children_climb_above_random_architectures_of_the_same_number_and_cost():
    asked = []
    score = planted(asked)
    best = evolve(BUDGET, score, random_within(BUDGET, 32, 0), 400, 5, seed=0)
    assert len(asked) == 400
    costs = BUDGET.costs.of(np.array(asked)).numpy()
    assert 0.59 - 1e-6 <= costs.min() and costs.max() <= 0.62 + 1e-6
    values = [score(one) for one in asked[:400]]
    assert score(best[0]) == max(values) and [score(one) for one in best] == sorted(map(score, best), reverse=True)
    assert len({tuple(one) for one in best}) == 5
    random = BUDGET.sample(np.zeros(BUDGET.distribution.shape, np.float32), 400, np.array([1, 0])).numpy()
    assert score(best[0]) > max(map(score, random))
    assert np.mean(values[-50:]) > np.mean(values[:32]) + 2 * np.std(values[:32])  # it is the population that climbs


def test_the_same_seed_gives_the_same_architectures():
    first, second, other = (
        evolve(BUDGET, planted([]), random_within(BUDGET, 16, 0), 60, 3, seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()
