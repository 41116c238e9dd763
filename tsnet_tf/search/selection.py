"""From the distribution to one architecture: the most probable one, or the best of many that are measured.

A target is a ceiling. Being under it is fine; nothing is added that alpha does not want.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tensorflow as tf

from tsnet_tf import console
from tsnet_tf.errors import UserError
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.search.budget import BudgetedDistribution
from tsnet_tf.search.cost_tables import CostModel, CostTables
from tsnet_tf.space.cost import largest, smallest
from tsnet_tf.space.two_stream import Space, choices, values_of

MEASUREMENTS = 5  # at most, of architectures taken for a target in measured costs
DRAWS = 8  # times as many are drawn as are wanted, since some are drawn twice


@dataclasses.dataclass(frozen=True)
class Scored:
    """An architecture that was measured.

    Attributes:
      architecture: candidate indices, int32 ``[choices]``.
      cost: under the search's cost model.
      score: mean log-likelihood of the labels on the validation clips; the higher the better.
      top1: accuracy on them, 0 to 1.
    """

    architecture: np.ndarray
    cost: float
    score: float
    top1: float


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


def most_probable_as_measured(
    space: Space, logits: tf.Tensor, target: float, cost_model: CostModel, measure: Callable[[np.ndarray], float]
) -> tuple[np.ndarray, float]:
    """The most probable architecture within the target when it is measured, where the cost model is an estimate.

    What is taken by the estimate is measured; if it exceeds the target, the estimate is put right by as much and
    another one is taken, a few times.

    Args:
      space: the searched space.
      logits: alpha, ``[choices, values]``.
      target: what the architecture may cost.
      cost_model: the estimate.
      measure: the cost of an architecture, given as candidate indices.

    Returns:
      Candidate indices, int32 ``[choices]``, and what it costs when it is measured; of several that exceed the target,
      the one that does so least.
    """
    tried, aim = [], target
    for _ in range(MEASUREMENTS):
        budget = BudgetedDistribution(space, aim, cost_model=cost_model)
        found = budget.most_probable(logits)
        measured = measure(found)
        tried.append((found, measured))
        if measured <= target:
            break
        aim = target * float(budget.costs.of(found[None])[0]) / measured
    return min(tried, key=lambda one: max(one[1] - target, 0.0))


def draw(budget: BudgetedDistribution, logits: tf.Tensor, count: int, seed: int) -> np.ndarray:
    """Up to ``count`` different architectures within the budget, ``[count, choices]``, the most probable one first."""
    drawn = budget.sample(logits, DRAWS * count, tf.constant([seed, 0])).numpy()
    drawn = drawn[budget.costs.of(tf.constant(drawn)).numpy() <= budget.most * (1 + 1e-6)]  # bins round
    _, first = np.unique(drawn, axis=0, return_index=True)
    return np.concatenate([budget.most_probable(logits)[None], drawn[np.sort(first)]])[:count]


def random_within(budget: BudgetedDistribution, count: int, seed: int) -> np.ndarray:
    """``count`` different architectures, drawn uniformly from those within the budget, ``[count, choices]``."""
    uniform, drawn, number = tf.zeros(budget.distribution.shape), {}, 0
    while len(drawn) < count:
        some = budget.sample(uniform, count, tf.constant([seed, number])).numpy()
        costs = budget.costs.of(tf.constant(some)).numpy()
        within = (budget.least <= costs) & (costs <= budget.most)  # bins round
        drawn |= {tuple(architecture): None for architecture in some[within].tolist()}
        number += 1
    return np.array(list(drawn)[:count], np.int32)


def supernet_scores(
    network: TwoStreamModel, architectures: np.ndarray, batches: Iterable, costs: CostTables
) -> list[Scored]:
    """Measures architectures with the weights they share, all on the same clips, with the statistics of each batch.

    Args:
      network: the supernet.
      architectures: int32 ``[count, choices]``.
      batches: ``(clips, labels)``, a finite number; held in memory.
      costs: the search's costs.
    """

    measure = score_and_top1(network)
    batches, spent, found = list(batches), costs.of(tf.constant(architectures)).numpy(), []
    with console.progress("scores with shared weights", len(architectures)) as bar:
        for architecture, cost in zip(architectures, spent, strict=True):
            means = np.mean([measure(tf.constant(architecture), *batch) for batch in batches], 0)
            found.append(Scored(architecture, float(cost), float(means[0]), float(means[1])))
            bar.advance()
    return found


def score_and_top1(network: TwoStreamModel) -> Callable:
    """``(architecture, clips, labels)`` to `Scored`'s score and top1 on this batch, float32 ``[2]``."""

    @tf.function(autograph=False)
    def measure(architecture, clips, labels):
        logits = tf.cast(network(clips, architecture=architecture, training=False), tf.float32)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
        right = tf.equal(tf.argmax(logits, 1, labels.dtype), labels)
        return tf.stack([-tf.reduce_mean(losses), tf.reduce_mean(tf.cast(right, tf.float32))])

    return measure


def best(measured: Sequence[Scored]) -> Scored:
    """The one with the highest score; of equals the cheapest."""
    return max(measured, key=lambda one: (one.score, -one.cost))


def pareto_front(measured: Sequence[Scored]) -> list[Scored]:
    """Those that score more than everything that costs no more, from cheap to expensive."""
    front: list[Scored] = []
    for one in sorted(measured, key=lambda m: (m.cost, -m.score)):
        if not front or one.score > front[-1].score:
            front.append(one)
    return front
