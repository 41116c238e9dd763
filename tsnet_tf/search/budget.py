"""P(A | alpha, cost within a budget): exact samples, the exact mode, and how much probability fits.

The cost of an architecture is a sum over the parts of its blueprint (`tsnet_tf.space.blueprint`), and each part depends
on a few neighbouring choices. From input to output the parts are a chain: what lies behind a part depends on what lies
before it through the widths between them and the cost spent so far. With the cost counted in bins, dynamic programming
over (widths, spent) sums or maximises over every architecture there is, and walking the chain backwards
draws from exactly those within the budget. (Forward filtering and backward sampling, as in hidden Markov models:
Rabiner, "A tutorial on hidden Markov models", section III; the budget is the observation.)

No multiplier has to be found, nothing has to be repaired afterwards, and alpha serves every budget.
"""

import dataclasses
import math

import numpy as np
import tensorflow as tf

from tsnet_tf.errors import UserError
from tsnet_tf.search.cost_tables import GMACS, CostModel, CostTables
from tsnet_tf.search.distribution import ArchitectureDistribution
from tsnet_tf.space.two_stream import Space

BINS = 512
_NEVER = -1e30  # log-probability of what does not fit


@dataclasses.dataclass(frozen=True)
class _Link:
    """One part of the chain: how states behind it (``n``) come from states before it and choices made here (``r``).

    Attributes:
      before: index of the state before, int32 ``[n, r]``.
      cost: of the part, in bins, int32 ``[n, r]``.
      rows: the choices that are made here, as rows of alpha.
      values: the candidate each of them takes, int32 ``[len(rows), n, r]``.
    """

    before: np.ndarray
    cost: np.ndarray
    rows: tuple[int, ...]
    values: np.ndarray


class BudgetedDistribution:
    """P(A | alpha) of those architectures whose cost is within ``[least, most]``.

    Costs are counted in `BINS` bins between that of the cheapest architecture and ``most``, to the nearest bin in each
    part. What a sum of roundings lets over the budget is less than 1 % of it; `most_probable` is exact.

    Args:
      space: a space with open choices.
      most: what an architecture may cost.
      least: what it must cost at least.
      cost_model: what is counted; by default GMACs per view.

    Raises:
      UserError: no architecture of ``space`` is within the budget.
    """

    def __init__(self, space: Space, most: float, least: float = 0.0, cost_model: CostModel = GMACS):
        self.distribution = ArchitectureDistribution(space)
        self.costs = CostTables(space, cost_model)
        self.most, self.least = most, least
        tables = self.costs.parts
        cheapest = sum(float(table.min()) for _, table in tables)
        spread = sum(float(table.max() - table.min()) for _, table in tables)
        # Beyond the most expensive architecture there is nothing to count.
        room = max(min(most - cheapest, spread), 0.0)
        width = room / (BINS - 1) or math.inf
        self._first_bin = max(0, math.ceil((least - cheapest) / width - 0.5))
        self._links = _links([(rows, np.rint((table - table.min()) / width)) for rows, table in tables if rows])
        if not cheapest <= most or self.log_share(tf.zeros(self.distribution.shape)) < _NEVER / 2:
            found = f"{least:.4g} to {most:.4g} {cost_model.unit}"
            raise UserError(f"expected a budget that some architecture of space '{space.name}' keeps to, found {found}")

    def sample(self, logits: tf.Tensor, count: tf.Tensor | int, seed: tf.Tensor) -> tf.Tensor:
        """Draws architectures within the budget: candidate indices, int32 ``[count, choices]``.

        Args:
          logits: alpha, ``[choices, values]``.
          count: how many.
          seed: int ``[2]``; the same seed and logits give the same architectures on every replica.
        """
        log_p = self.distribution.log_probabilities(logits)
        tables = self._forward(log_p, _log_sum)

        def choose(scores: tf.Tensor, number: int) -> tf.Tensor:
            own_seed = tf.random.experimental.stateless_fold_in(seed, number)
            return tf.random.stateless_categorical(scores, 1, own_seed, dtype=tf.int32)[:, 0]

        return self._backward(log_p, tables, self._first_bin, count, choose)

    def most_probable(self, logits: tf.Tensor) -> np.ndarray:
        """The most probable architecture that costs at most ``most``: candidate indices, int32 ``[choices]``.

        Bins round; so the cost is counted again exactly, and bins are given up until it is kept to.
        """
        log_p = self.distribution.log_probabilities(logits)
        tables = self._forward(log_p, tf.reduce_max)

        def choose(scores: tf.Tensor, number: int) -> tf.Tensor:
            return tf.argmax(scores, 1, tf.int32)

        for last in range(BINS, self._first_bin, -1):
            below = [*tables[:-1], tables[-1][:, :last]]
            mode = self._backward(log_p, below, self._first_bin, 1, choose)
            if float(self.costs.of(mode)[0]) <= self.most * (1 + 1e-6):
                return mode[0].numpy()
        raise AssertionError("expected the cheapest architecture to be within the budget")

    def log_share(self, logits: tf.Tensor) -> float:
        """The logarithm of the probability that an architecture drawn from P(A | alpha) is within the budget."""
        log_p = self.distribution.log_probabilities(logits)
        return float(_log_sum(self._forward(log_p, _log_sum)[-1][:, self._first_bin :], 1)[0])

    def _forward(self, log_p: tf.Tensor, reduce) -> list[tf.Tensor]:
        """For every place between two parts: ``[states, spent]``, over all beginnings that lead there."""
        spent = tf.range(BINS)
        tables = [tf.where(spent[None] == 0, 0.0, _NEVER)]
        for link in self._links:
            before = spent - link.cost[..., None]  # [n, r, spent]
            scores = _at(tables[-1], link.before[..., None], before) + _log_weights(log_p, link)[..., None]
            tables.append(tf.maximum(reduce(scores, 1), _NEVER))
        return tables

    def _backward(self, log_p: tf.Tensor, tables: list[tf.Tensor], first_bin: int, count, choose) -> tf.Tensor:
        """Walks from output to input, ``count`` times at once, with ``choose(scores [count, n], number)``."""
        ends = tf.repeat(tables[-1][:1, first_bin:], count, 0)
        spent = first_bin + choose(ends, len(self._links))
        state, sampled = tf.zeros_like(spent), {}
        for number, (link, table) in reversed(list(enumerate(zip(self._links, tables, strict=False)))):
            before, cost = tf.gather(link.before, state), tf.gather(link.cost, state)  # [count, r]
            scores = _at(table, before, spent[:, None] - cost) + tf.gather(_log_weights(log_p, link), state)
            chosen = choose(scores, number)
            for row, values in zip(link.rows, link.values, strict=True):
                sampled[row] = tf.gather_nd(values, tf.stack([state, chosen], 1))
            spent -= tf.gather(cost, chosen, batch_dims=1)
            state = tf.gather(before, chosen, batch_dims=1)
        return tf.stack([sampled[row] for row in range(len(sampled))], 1)


def _links(tables: list[tuple[tuple[int, ...], np.ndarray]]) -> list[_Link]:
    """The chain of parts, each given as the rows of its open choices and its cost in bins over their candidates."""
    sizes = {row: size for rows, table in tables for row, size in zip(rows, table.shape, strict=True)}
    links, live = [], ()
    for number, (rows, table) in enumerate(tables):
        needed = {row for later, _ in tables[number + 1 :] for row in later}
        new = tuple(row for row in rows if row not in live)
        if not new and not table.any():
            continue  # such as attention where there is no place for it
        present = live + new
        kept = tuple(row for row in present if row in needed)
        here = kept + tuple(row for row in present if row not in needed)
        grid = dict(zip(here, np.indices([sizes[row] for row in here]), strict=True))
        shape = (math.prod(sizes[row] for row in kept), -1)
        before = np.zeros([sizes[row] for row in here], np.int64)
        for row in live:
            before = before * sizes[row] + grid[row]
        cost = np.minimum(table[tuple(grid[row] for row in rows)], BINS)  # what alone is over the budget stays so
        links.append(
            _Link(
                before.reshape(shape).astype(np.int32),
                cost.reshape(shape).astype(np.int32),
                new,
                np.array([np.broadcast_to(grid[row], before.shape).reshape(shape) for row in new], np.int32),
            )
        )
        live = kept
    return links


def _log_sum(scores: tf.Tensor, axis: int) -> tf.Tensor:
    """The logarithm of the sum of exponentials, in fewer passes than TensorFlow's, which also knows infinities."""
    largest = tf.reduce_max(scores, axis, keepdims=True)
    return tf.math.log(tf.reduce_sum(tf.exp(scores - largest), axis)) + tf.squeeze(largest, axis)


def _at(table: tf.Tensor, state, spent: tf.Tensor) -> tf.Tensor:
    """``table[state, spent]``, and never where ``spent`` is below 0; the two are broadcast."""
    flat = tf.reshape(table, [-1])
    where = state * tf.shape(table)[1] + tf.maximum(spent, 0)
    return tf.where(spent >= 0, tf.gather(flat, where), _NEVER)


def _log_weights(log_p: tf.Tensor, link: _Link) -> tf.Tensor:
    """Log-probability of the choices made at ``link``, ``[n, r]``."""
    weights = tf.zeros(link.before.shape)
    for row, values in zip(link.rows, link.values, strict=True):
        weights += tf.gather(log_p[row], values)
    return weights
