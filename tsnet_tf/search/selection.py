"""From the distribution to one architecture."""

import numpy as np
import tensorflow as tf

from tsnet_tf.errors import UserError
from tsnet_tf.search.cost_tables import CostTables
from tsnet_tf.search.distribution import ArchitectureDistribution
from tsnet_tf.space.cost import complexity, largest, smallest
from tsnet_tf.space.two_stream import Space


def check_target(space: Space, target_gmacs: float) -> None:
    """Refuses a target that no architecture of ``space`` can meet.

    Raises:
      UserError: the target is below the smallest architecture's multiply-adds or above the largest's.
    """
    low, high = complexity(smallest(space)).gmacs, complexity(largest(space)).gmacs
    if target_gmacs < low:
        raise UserError(
            f"target_gmacs: expected at least {low:.4g}, the smallest architecture of space '{space.name}' at "
            f"{space.resolution} pixels; found {target_gmacs:g}"
        )
    if target_gmacs > high:
        raise UserError(
            f"target_gmacs: expected at most {high:.4g}, the largest architecture of space '{space.name}' at "
            f"{space.resolution} pixels; found {target_gmacs:g}"
        )


def most_probable(
    distribution: ArchitectureDistribution,
    logits: tf.Tensor,
    macs: CostTables,
    target_gmacs: float,
    tolerance: float = 0.05,
) -> tuple[np.ndarray, bool]:
    """The most probable architecture that keeps to the target.

    If the most probable of all costs more or less than the target by over ``tolerance``, single choices are exchanged,
    each time the one that gives up the least log-probability for the multiply-adds it brings nearer; then whatever
    can be had back within the tolerance is.

    Args:
      tolerance: allowed distance from the target, as a part of it.

    Returns:
      Candidate indices, int32 ``[choices]``, and whether it is the most probable of all.
    """
    log_p = distribution.log_probabilities(logits).numpy()
    best = log_p.argmax(1).astype(np.int32)
    low, high = target_gmacs * (1 - tolerance), target_gmacs * (1 + tolerance)

    def cost(architectures: np.ndarray) -> np.ndarray:
        return macs.of(tf.constant(architectures)).numpy()

    current, current_cost = best, float(cost(best[None])[0])
    while not low <= current_cost <= high:
        neighbours = _neighbours(distribution, current)
        costs, losses = cost(neighbours), _total(log_p, current[None]) - _total(log_p, neighbours)
        nearer = np.minimum(_excess(current_cost, low, high) - _excess(costs, low, high), current_cost)
        useful = nearer > 1e-9
        if not useful.any():
            break
        price = np.where(useful, np.maximum(losses, 0.0) / np.maximum(nearer, 1e-9), np.inf)
        current, current_cost = neighbours[price.argmin()], float(costs[price.argmin()])
    while True:
        neighbours = _neighbours(distribution, current)
        costs, gains = cost(neighbours), _total(log_p, neighbours) - _total(log_p, current[None])
        gains = np.where(_excess(costs, low, high) <= _excess(current_cost, low, high), gains, 0.0)
        if gains.max(initial=0.0) <= 1e-6:
            return current, bool((current == best).all())
        current, current_cost = neighbours[gains.argmax()], float(costs[gains.argmax()])


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
