"""What an architecture costs: multiply-adds (MACs), parameters and activations.

The cost of an architecture is a sum over the parts of its blueprint (`tsnet_tf.space.blueprint`), and each part depends
on a handful of choices. So a table for every part serves a single genotype, TensorFlow look-ups over sampled choices,
and expectations under a distribution.

Counted are convolutions, matrix products and fully connected layers, as X3D's published figures are; normalisation,
activation functions and additions are not. Parameters are the trainable ones. Activations are the numbers that those
convolutions, products and layers put out.
"""

import dataclasses
from collections.abc import Callable

from tsnet_tf.space.blueprint import blueprint
from tsnet_tf.space.ops import Cost, Fusion, Shape
from tsnet_tf.space.two_stream import Space, pick, variables

STREAMS = ("sparse", "dense", "both")  # the order of rows


@dataclasses.dataclass(frozen=True)
class Complexity:
    """The cost of one architecture: in all, and by (stream, place)."""

    total: Cost
    rows: dict[tuple[str, str], Cost]

    @property
    def gmacs(self) -> float:
        """Giga multiply-adds per view."""
        return self.total.macs / 1e9

    @property
    def params_m(self) -> float:
        """Millions of trainable parameters."""
        return self.total.params / 1e6

    @property
    def activations_m(self) -> float:
        """Millions of activations per view."""
        return self.total.activations / 1e6


def complexity(genotype: Space, resolution: int | None = None) -> Complexity:
    """The cost of one architecture, per view.

    Args:
      genotype: a space with one candidate for every variable.
      resolution: side of the square input in pixels; default the genotype's own.
    """
    rows: dict[tuple[str, str], Cost] = {}
    for part in sorted(blueprint(genotype, resolution), key=lambda part: STREAMS.index(part.stream)):
        if part.cost.axes:
            raise ValueError(f"expected a genotype, found open variables in {part.name}")
        key = (part.stream, part.place)
        rows[key] = rows.get(key, Cost()) + part.cost.values[0]
    return Complexity(sum(rows.values(), Cost()), rows)


def output_shapes(genotype: Space, resolution: int | None = None) -> dict[tuple[str, str], Shape]:
    """``(channels, frames, height, width)`` at the end of each (stream, place); the head's are pooled: 1 x 1 x 1."""
    return {
        (part.stream, part.place): op.output_shape for part in blueprint(genotype, resolution) for op in part.ops[-1:]
    }


def smallest(space: Space) -> Space:
    """The cheapest architecture: the first candidate of every size, no attention, the cheapest fusion."""
    return _extreme(space, 0, min)


def largest(space: Space) -> Space:
    """The most expensive architecture: the last candidate of every size, attention everywhere, the costliest fusion."""
    return _extreme(space, -1, max)


def _extreme(space: Space, index: int, choose: Callable) -> Space:
    values = {c.label: c.values[index] for c in variables(space) if c.kind != "fusion"}
    if space.dense is None:
        return pick(space, values)
    ratio = space.dense.frames // space.sparse.frames
    for choice in variables(space):
        if choice.kind == "fusion" and choice.label.startswith("sparse/"):
            channels = choice.label.removesuffix("fusion") + "channels"
            dense, sparse = values[channels.replace("sparse", "dense", 1)], values[channels]
            costs = {
                kind: Fusion(1, 1, ratio, dense, sparse, kind).cost.macs if kind != "none" else 0
                for kind in choice.values
            }
            values[choice.label] = choose(costs, key=costs.__getitem__)
    return pick(space, values)
