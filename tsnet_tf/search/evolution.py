"""Plain evolution within a budget: what the search has to beat with as many evaluations.

Regularised evolution (Real et al., "Regularized Evolution for Image Classifier Architecture Search"): of a few members
of the population the best has a child, in which one choice is another, and the oldest member dies.
"""

import collections
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tsnet_tf.search.budget import BudgetedDistribution

POPULATION = 32
_CHANGE = -6.0  # log-odds of a choice that a child has otherwise than its parent, beside the one that it must


def evolve(
    budget: BudgetedDistribution,
    score: Callable[[Sequence[int]], float],
    first: np.ndarray,
    evaluations: int,
    count: int,
    seed: int,
    competing: int,
) -> np.ndarray:
    """The ``count`` best of all architectures that were scored, the best one first, ``[count, choices]``.

    Args:
      budget: what all of them keep to.
      score: of one architecture, its candidate indices; the higher the better. May differ from call to call.
      first: the first population, ``[members, choices]``.
      evaluations: calls of ``score``, no fewer than there are members.
      count: architectures wanted; no more than ``evaluations``, and fewer where fewer different ones were scored.
      seed: of the children.
      competing: members of which the best has a child.
    """
    draw = np.random.default_rng(seed)
    population = collections.deque((score(one), tuple(one)) for one in first.tolist())
    competing = min(competing, len(population))
    scored = {architecture: value for value, architecture in population}
    for _ in range(evaluations - len(first)):
        competitors = draw.choice(len(population), competing, replace=False)
        _, parent = max(population[index] for index in competitors)
        child = tuple(_child(parent, budget, draw).tolist())
        population.append((score(child), child))
        population.popleft()
        scored[child] = population[-1][0]
    best = sorted(scored, key=scored.get, reverse=True)[:count]
    return np.array(best, np.int32)


def _child(parent: tuple[int, ...], budget: BudgetedDistribution, draw: np.random.Generator) -> np.ndarray:
    """The parent with one choice changed, and as few others as the budget asks for.

    At equal cost one change alone rarely fits. So the child is drawn within the budget from a distribution that has its
    mode at the parent.
    """
    shape = budget.distribution.shape
    logits = np.full(shape, _CHANGE, np.float32)
    logits[np.arange(shape[0]), parent] = 0.0
    rows = [row for row, choice in enumerate(budget.distribution.choices) if len(choice.values) > 1]
    while True:
        changed = logits.copy()
        row = draw.choice(rows)
        changed[row, parent[row]] = 10 * _CHANGE
        child = budget.sample(tf.constant(changed), 1, draw.integers(2**31, size=2)).numpy()[0]
        within = budget.least <= float(budget.costs.of(child[None])[0]) <= budget.most
        if within and child[row] != parent[row]:
            return child
