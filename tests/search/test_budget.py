"""P(A | alpha, cost within a budget) against every architecture of a small space, one by one."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.errors import UserError
from tsnet_tf.search.budget import BudgetedDistribution
from tsnet_tf.search.cost_tables import PARAMS
from tsnet_tf.space.cost import complexity, smallest
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import choices, pick, restrict, values_at, values_of

FREE = ("*/s1/g1/channels", "*/s2/g1/channels", "sparse/*/temporal_kernel", "sparse/*/fusion", "*/attention")


@pytest.fixture(scope="module")
def space():
    """Two streams that meet in fusions, whose costs depend on the widths of both: 2304 architectures."""
    whole = table1(
        depths=((1,), (1,)), sparse_width=0.25, resolution=32, sparse_frames=2, dense_frames=4, hidden=8, classes=4,
        temporal_kernels=(1, 3), fusions=("none", "time_strided_conv"), attention_stages=(2,), attention_places=1,
    )  # fmt: skip
    return restrict(whole, FREE, values_of(smallest(whole)))


@pytest.fixture(scope="module")
def every(space):
    """All architectures and their costs."""
    indices = np.array(list(itertools.product(*(range(len(c.values)) for c in choices(space)))), np.int32)
    costs = BudgetedDistribution(space, 1.0).costs
    return indices, costs.of(tf.constant(indices)).numpy()


def leaning(budget, seed):
    return tf.constant(np.random.default_rng(seed).normal(size=budget.distribution.shape), tf.float32)


def test_costs_are_those_of_the_architectures(space, every):
    for indices, cost in list(zip(*every, strict=True))[::500]:
        assert complexity(pick(space, values_at(space, indices))).gmacs == pytest.approx(cost, rel=1e-5)


@pytest.mark.parametrize("part", [0.2, 0.7])
def test_the_share_within_the_budget_is_that_of_the_enumeration(space, every, part):
    indices, costs = every
    most, least = np.quantile(costs, part), np.quantile(costs, part / 2)
    budget = BudgetedDistribution(space, float(most), float(least))
    logits = leaning(budget, 1)
    probability = np.exp(budget.distribution.log_prob(logits, indices).numpy())
    assert np.exp(budget.log_share(logits)) == pytest.approx(
        probability[(costs >= least) & (costs <= most)].sum(), abs=0.02
    )


def test_samples_are_within_the_budget_and_as_frequent_as_they_should_be(space, every):
    indices, costs = every
    most = float(np.quantile(costs, 0.3))
    budget = BudgetedDistribution(space, most)
    logits = leaning(budget, 2)
    drawn = budget.sample(logits, 20_000, tf.constant([0, 0])).numpy()
    assert budget.costs.of(tf.constant(drawn)).numpy().max() <= 1.01 * most  # what bins round
    inside = costs <= most
    exact = np.exp(budget.distribution.log_prob(logits, indices).numpy()) * inside
    exact /= exact.sum()
    for row, choice in enumerate(budget.distribution.choices):
        for value in range(len(choice.values)):
            expected = exact[indices[:, row] == value].sum()
            error = np.sqrt(expected * (1 - expected) / len(drawn))
            assert (drawn[:, row] == value).mean() == pytest.approx(expected, abs=4 * error + 0.005), choice.label
    # Also jointly: the widths of the two streams, between which the budget makes a trade.
    pair = [row for row, choice in enumerate(budget.distribution.choices) if choice.label.endswith("s2/g1/channels")]
    both = (indices[:, pair] == 1).all(1)
    assert (drawn[:, pair] == 1).all(1).mean() == pytest.approx(exact[both].sum(), abs=0.02)


@pytest.mark.parametrize("seed", range(4))
def test_the_mode_is_that_of_the_enumeration(space, every, seed):
    indices, costs = every
    most = float(np.quantile(costs, 0.15 + 0.2 * seed))
    budget = BudgetedDistribution(space, most)
    logits = leaning(budget, seed)
    found = budget.most_probable(logits)
    probability = budget.distribution.log_prob(logits, indices).numpy()
    best = np.where(costs <= most, probability, -np.inf).max()
    assert float(budget.costs.of(found[None])[0]) <= most * (1 + 1e-6)
    assert float(budget.distribution.log_prob(logits, found[None])[0]) >= best - 0.05


def test_a_budget_is_a_ceiling(space):
    """An alpha that wants everything small gets it, far below the budget: nothing is exchanged upwards."""
    budget = BudgetedDistribution(space, 1.0)
    wants = -tf.repeat(tf.range(float(budget.distribution.shape[1]))[None], budget.distribution.shape[0], 0)
    assert not budget.most_probable(5 * wants).any()


def test_equal_seeds_give_equal_architectures(space):
    budget = BudgetedDistribution(space, 1.0)
    logits = leaning(budget, 0)
    first, again, other = (budget.sample(logits, 8, tf.constant([s, 0])).numpy() for s in (1, 1, 2))
    assert (first == again).all() and (first != other).any()


def test_parameters_are_counted_alike(space, every):
    budget = BudgetedDistribution(space, 0.02, cost_model=PARAMS)
    drawn = budget.sample(leaning(budget, 0), 200, tf.constant([0, 0]))
    assert 0.015 < budget.costs.of(drawn).numpy().max() <= 0.0202


def test_a_budget_that_nothing_keeps_to_is_refused(space, every):
    with pytest.raises(UserError, match=r"expected a budget that some architecture of space 'table1' keeps to"):
        BudgetedDistribution(space, 0.5 * float(every[1].min()))
    with pytest.raises(UserError, match="expected a budget"):
        BudgetedDistribution(space, 1.0, 2 * float(every[1].max()))
