"""From the distribution to one architecture, or to a whole front of them."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tsnet_tf.errors import UserError
from tsnet_tf.search.cost_tables import CostTables
from tsnet_tf.search.distribution import ArchitectureDistribution
from tsnet_tf.space.cost import largest, smallest
from tsnet_tf.space.two_stream import Space, choices, values_of

MEASUREMENTS = 5  # at most, of architectures taken for a target in measured costs


@dataclasses.dataclass(frozen=True)
class Scored:
    """An architecture that was measured.

    Attributes:
      architecture: candidate indices, int32 ``[choices]``.
      cost: under the search's cost model.
      score: the higher the better.
    """

    architecture: np.ndarray
    cost: float
    score: float


def check_target(space: Space, costs: CostTables, target: float) -> None:
    """Refuses a target that no architecture of ``space`` can meet.

    Raises:
      UserError: the target is below what the smallest architecture costs or above the largest.
    """

    def cost(extreme: Space) -> float:
        values = values_of(extreme)
        indices = [choice.values.index(values[choice.label]) for choice in choices(space)]
        return float(costs.of(tf.constant([indices], tf.int32))[0])

    # Rounded towards the inside of what can be met: the printed number is one that would be accepted.
    low, high = cost(smallest(space)) * (1 - 1e-6), cost(largest(space)) * (1 + 1e-6)
    for is_wrong, bound, which in ((target < low, low, "least"), (target > high, high, "most")):
        if is_wrong:
            size = "smallest" if which == "least" else "largest"
            raise UserError(
                f"target_{costs.model.name}: expected at {which} {bound:.4g}, the {size} architecture of space "
                f"'{space.name}' at {space.resolution} pixels; found {target:g}"
            )


def most_probable(
    distribution: ArchitectureDistribution,
    logits: tf.Tensor,
    costs: CostTables,
    target: float,
    tolerance: float = 0.05,
) -> tuple[np.ndarray, bool]:
    """The most probable architecture that keeps to the target.

    If the most probable of all costs more or less than the target by over ``tolerance``, single choices are exchanged,
    each time the one that gives up the least log-probability for the cost it brings nearer; then whatever can be had
    back within the tolerance is.

    Args:
      tolerance: allowed distance from the target, as a part of it.

    Returns:
      Candidate indices, int32 ``[choices]``, and whether it is the most probable of all.
    """
    log_p = distribution.log_probabilities(logits).numpy()
    best = log_p.argmax(1).astype(np.int32)
    low, high = target * (1 - tolerance), target * (1 + tolerance)

    def cost(architectures: np.ndarray) -> np.ndarray:
        return costs.of(tf.constant(architectures)).numpy()

    current, current_cost = best, float(cost(best[None])[0])
    while not low <= current_cost <= high:
        neighbours = _neighbours(distribution, current)
        prices, losses = cost(neighbours), _total(log_p, current[None]) - _total(log_p, neighbours)
        nearer = np.minimum(_excess(current_cost, low, high) - _excess(prices, low, high), current_cost)
        useful = nearer > 1e-9
        if not useful.any():
            break
        rate = np.where(useful, np.maximum(losses, 0.0) / np.maximum(nearer, 1e-9), np.inf)
        current, current_cost = neighbours[rate.argmin()], float(prices[rate.argmin()])
    while True:
        neighbours = _neighbours(distribution, current)
        prices, gains = cost(neighbours), _total(log_p, neighbours) - _total(log_p, current[None])
        gains = np.where(_excess(prices, low, high) <= _excess(current_cost, low, high), gains, 0.0)
        if gains.max(initial=0.0) <= 1e-6:
            return current, bool((current == best).all())
        current, current_cost = neighbours[gains.argmax()], float(prices[gains.argmax()])


def most_probable_as_measured(
    distribution: ArchitectureDistribution,
    logits: tf.Tensor,
    costs: CostTables,
    target: float,
    tolerance: float,
    measure: Callable[[np.ndarray], float],
) -> tuple[np.ndarray, bool, float]:
    """The most probable architecture that keeps to the target when it is measured, where ``costs`` are estimates.

    What is taken by the estimate is measured; if it misses the target, the estimate is put right by as much and
    another one is taken, a few times.

    Args:
      distribution, logits, costs, target, tolerance: as for `most_probable`.
      measure: the cost of an architecture, given as candidate indices.

    Returns:
      What `most_probable` returns, for the one that came nearest, and what it costs when it is measured.
    """
    tried, aim = [], target
    for _ in range(MEASUREMENTS):
        found, is_most_probable = most_probable(distribution, logits, costs, aim, tolerance)
        measured = measure(found)
        tried.append((found, is_most_probable, measured))
        if abs(measured / target - 1) <= tolerance:
            break
        aim = target * float(costs.of(found[None])[0]) / measured
    return min(tried, key=lambda one: abs(one[2] - target))


def refine(
    candidates: np.ndarray, costs: CostTables, budget: float, score: Callable[[np.ndarray], float]
) -> tuple[Scored, list[Scored]]:
    """Measures every different candidate within the budget.

    Args:
      candidates: int32 ``[count, choices]``; the first is measured whatever it costs.
      costs: the search's costs.
      budget: what a candidate may cost.
      score: measures one architecture ``[choices]``; the higher the better.

    Returns:
      The best one, and the front: those that no cheaper one equals, from cheap to dear.
    """
    _, first = np.unique(candidates, axis=0, return_index=True)
    different = candidates[np.sort(first)]
    prices = costs.of(tf.constant(different)).numpy()
    measured = [
        Scored(architecture, float(price), score(architecture))
        for index, (architecture, price) in enumerate(zip(different, prices, strict=True))
        if index == 0 or price <= budget
    ]
    return max(measured, key=lambda m: (m.score, -m.cost)), pareto_front(measured)


def pareto_front(measured: list[Scored]) -> list[Scored]:
    """Those that score more than everything that costs no more, from cheap to dear."""
    front: list[Scored] = []
    for one in sorted(measured, key=lambda m: (m.cost, -m.score)):
        if not front or one.score > front[-1].score:
            front.append(one)
    return front


def _neighbours(distribution: ArchitectureDistribution, architecture: np.ndarray) -> np.ndarray:
    """All architectures that differ in one choice, int32 ``[n, choices]``."""
    found = []
    for row, choice in enumerate(distribution.choices):
        for value in range(len(choice.values)):
            if value != architecture[row]:
                changed = architecture.copy()
                changed[row] = value
                found.append(changed)
    return np.stack(found)


def _total(log_p: np.ndarray, architectures: np.ndarray) -> np.ndarray:
    return log_p[np.arange(log_p.shape[0]), architectures].sum(1)


def _excess(cost, low: float, high: float):
    """How far ``cost`` lies outside ``[low, high]``."""
    return np.maximum(np.maximum(cost - high, low - cost), 0.0)
