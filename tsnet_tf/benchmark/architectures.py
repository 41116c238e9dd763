"""Which architectures of a space are measured: candidate indices, int32 ``[count, choices]``."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tsnet_tf.search.cost_tables import CostTables
from tsnet_tf.search.distribution import ArchitectureDistribution
from tsnet_tf.space.two_stream import Space, choices


def between(space: Space, count: int, low: float, high: float, seed: int = 0) -> np.ndarray:
    """``count`` random architectures of ``low`` to ``high`` GMACs, int32 ``[count, choices]``.

    Each is drawn with a leaning of its own, towards small or large candidates: uniform draws all cost about the same.
    """
    draw, costs = np.random.default_rng(seed), CostTables(space)
    found = []
    for _ in range(10_000):
        leaning = draw.uniform(0.2, 5.0)
        one = [int(len(c.values) * draw.beta(1.0, leaning)) for c in choices(space)]
        architecture = np.array(one, np.int32)
        if low <= float(costs.of(tf.constant(architecture[None]))[0]) <= high:
            found.append(architecture)
        if len(found) == count:
            return np.stack(found)
    raise ValueError(f"expected {count} architectures of {low} to {high} GMACs, found {len(found)} in 10000 draws")


def largest(space: Space, count: int, seed: int = 0) -> np.ndarray:
    """The most expensive of ``count`` architectures as a search draws them at its start, int32 ``[choices]``."""
    distribution = ArchitectureDistribution(space)
    drawn = distribution.sample(tf.zeros(distribution.shape), count, tf.constant([seed, 0]))
    return drawn[tf.argmax(CostTables(space).of(drawn))].numpy()


def uniform(space: Space, count: int) -> np.ndarray:
    """Architectures, every candidate equally probable: int32 ``[count, choices]``."""
    draw = np.random.default_rng(0)
    return np.stack([draw.integers(0, len(c.values), count) for c in choices(space)], 1).astype(np.int32)
