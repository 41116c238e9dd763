"""Plain evolution within a budget: what the search has to beat with as many evaluations.

Regularised evolution (Real et al., "Regularized Evolution for Image Classifier Architecture Search"): of a few members
of the population the best has a child, in which one choice is another, and the oldest member dies.
"""

import collections
from collections.abc import Callable, Sequence

import numpy as np

from tsnet_tf.search.budget import BudgetedDistribution

POPULATION = 32
PART_COMPETING = 4  # one of so many


def evolve(
    budget: BudgetedDistribution,
    score: Callable[[Sequence[int]], float],
    first: np.ndarray,
    evaluations: int,
    count: int,
    seed: int,
) -> np.ndarray:
    """The ``count`` best of all architectures that were scored, the best one first, ``[count, choices]``.

    Args:
      budget: what all of them keep to.
      score: of one architecture, its candidate indices; the higher the better. May differ from call to call.
      first: the first population, ``[members, choices]``.
      evaluations: calls of ``score``, no fewer than there are members.
      count: architectures wanted; no more than ``evaluations``, and fewer where fewer different ones were scored.
      seed: of the children.
    """
    draw = np.random.default_rng(seed)
    sizes = [len(choice.values) for choice in budget.distribution.choices]
    population = collections.deque((score(one), tuple(one)) for one in first.tolist())
    competing = max(2, len(population) // PART_COMPETING)
    scored = {architecture: value for value, architecture in population}
    for _ in range(evaluations - len(first)):
        competitors = draw.choice(len(population), min(competing, len(population)), replace=False)
        _, parent = max(population[index] for index in competitors)
        child = tuple(_child(parent, sizes, budget, draw).tolist())
        population.append((score(child), child))
        population.popleft()
        scored[child] = population[-1][0]
    best = sorted(scored, key=scored.get, reverse=True)[:count]
    return np.array(best, np.int32)


def _child(parent: tuple[int, ...], sizes: list[int], budget: BudgetedDistribution, draw) -> np.ndarray:
    """The parent with one choice changed and, where the budget asks for it, more: until it is kept to again."""
    child = np.array(parent, np.int32)
    while True:
        row = draw.choice([row for row, size in enumerate(sizes) if size > 1])
        child[row] = (child[row] + draw.integers(1, sizes[row])) % sizes[row]
        if budget.least <= float(budget.costs.of(child[None])[0]) <= budget.most:
            return child
        if draw.uniform() < 0.5:  # or go on from here: at equal cost, one choice alone rarely fits
            child = np.array(parent, np.int32)
