"""Plain evolution: it climbs, keeps to the budget, and asks as often as it may."""

import numpy as np

from tsnet_tf.search.budget import BudgetedDistribution
from tsnet_tf.search.evolution import _child, evolve
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
    best = evolve(BUDGET, score, random_within(BUDGET, 32, 0), 400, 5, seed=0, competing=8)
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
        evolve(BUDGET, planted([]), random_within(BUDGET, 16, 0), 60, 3, seed, 4) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_a_child_differs_in_one_choice_and_what_the_budget_asks_for():
    parents = random_within(BUDGET, 8, 1)
    draw, different, cost = np.random.default_rng(0), [], []
    for parent in parents.tolist() * 4:
        child = _child(tuple(parent), BUDGET, draw)
        different.append(int((child != parent).sum()))
        cost.append(float(BUDGET.costs.of(child[None])[0]))
    assert min(different) == 1 and np.median(different) <= 3
    assert 0.59 <= min(cost) and max(cost) <= 0.62
