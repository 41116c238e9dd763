"""What an architecture costs: multiply-adds (MACs), parameters and activations.

The cost of an architecture is a sum of `Part`s (stem, block groups, fusions, attention blocks, heads), and each part
depends on a handful of variables. `parts` tabulates every part over the candidates of those variables, so the same
numbers serve a single genotype, TensorFlow look-ups over sampled choices, and expectations under a distribution.

Counted are convolutions, matrix products and fully connected layers, as X3D's published figures are; normalisation,
activation functions and additions are not. Parameters are the trainable ones. Activations are the numbers that those
convolutions, products and layers put out.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator

from tsnet_tf.space.pieces import Attention, Block, Classifier, Cost, Fusion, Head, Piece, Stem
from tsnet_tf.space.two_stream import (
    Choice,
    Space,
    glore_nodes,
    group_positions,
    inner_channels,
    pick,
    squeeze_channels,
    variables,
)


@dataclasses.dataclass(frozen=True)
class Part:
    """One addend of an architecture's cost.

    Attributes:
      stream: "sparse", "dense" or "both".
      place: "stem", "s1" to "s4" or "head".
      name: what it is, such as "s2/g1 blocks".
      axes: the variables it depends on.
      pieces: what it consists of for every combination of their candidates, the last axis fastest.
    """

    stream: str
    place: str
    name: str
    axes: tuple[Choice, ...]
    pieces: tuple[tuple[Piece, ...], ...]

    @functools.cached_property
    def table(self) -> tuple[Cost, ...]:
        """Its cost for every combination of the candidates."""
        return tuple(sum((piece.cost for piece in pieces), Cost()) for pieces in self.pieces)


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


def parts(space: Space, resolution: int | None = None) -> tuple[Part, ...]:
    """The cost of ``space`` in addends, at ``resolution`` (default: the space's own) for one view."""
    return tuple(_parts(space, resolution or space.resolution))


def complexity(genotype: Space, resolution: int | None = None) -> Complexity:
    """The cost of one architecture, per view.

    Args:
      genotype: a space with one candidate for every variable.
      resolution: side of the square input in pixels; default the genotype's own.
    """
    rows: dict[tuple[str, str], Cost] = {}
    for part in parts(genotype, resolution):
        if len(part.table) != 1:
            raise ValueError(f"expected a genotype, found open variables in {part.name}")
        key = (part.stream, part.place)
        rows[key] = rows.get(key, Cost()) + part.table[0]
    return Complexity(sum(rows.values(), Cost()), rows)


def output_shapes(genotype: Space, resolution: int | None = None) -> dict[tuple[str, str], tuple[int, int, int, int]]:
    """``(channels, frames, height, width)`` at the end of each (stream, place); the head's are pooled: 1 x 1 x 1."""
    shapes = {}
    for stream in genotype.streams:
        size = ((resolution or genotype.resolution) + 1) // 2
        shapes[stream.name, "stem"] = (stream.stem_channels, stream.frames, size, size)
        for group in stream.groups:
            size = (size + 1) // 2 if group.stride == 2 else size
            shapes[stream.name, f"s{group.stage}"] = (group.channels[0], stream.frames, size, size)
        shapes[stream.name, "head"] = (genotype.hidden, 1, 1, 1)
    return {**shapes, ("both", "head"): (genotype.classes, 1, 1, 1)}


def smallest(space: Space) -> Space:
    """The cheapest architecture: the first candidate of every size, no attention, the cheapest fusion."""
    return _extreme(space, 0, min)


def largest(space: Space) -> Space:
    """The dearest architecture: the last candidate of every size, attention everywhere, the dearest fusion."""
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


def _part(stream: str, place: str, name: str, axes: list[Choice], pieces: Callable[..., list[Piece]]) -> Part:
    combinations = itertools.product(*(axis.values for axis in axes))
    return Part(stream, place, name, tuple(axes), tuple(tuple(pieces(*values)) for values in combinations))


def _parts(space: Space, resolution: int) -> Iterator[Part]:
    known = {choice.label: choice for choice in variables(space)}
    for stream in space.streams:
        frames, size = stream.frames, (resolution + 1) // 2
        stem = Stem(frames, size, stream.stem_channels, stream.stem_temporal_kernel)
        yield _part(stream.name, "stem", "stem", [], lambda stem=stem: [stem])
        before = None
        index_in_stage, stage = 0, 0
        for position, group in zip(group_positions(stream), stream.groups, strict=True):
            index_in_stage = 0 if group.stage != stage else index_in_stage
            stage, place = group.stage, f"s{group.stage}"
            label = f"{stream.name}/{position}"
            kernels = [known[f"{label}/{kind}"] for kind in ("temporal_kernel", "spatial_kernel", "expansion")]
            channels = known[f"{label}/channels"]
            entering = () if before else (stream.stem_channels,)

            def blocks(*values, group=group, first=index_in_stage, size=size, frames=frames, entering=entering):
                before, channels, temporal, spatial, expansion = (*entering, *values)
                inner, found = inner_channels(expansion, channels), []
                for number in range(group.depth):
                    stride = group.stride if number == 0 else 1
                    squeezed = squeeze_channels(inner) if (first + number) % 2 == 0 else 0
                    found.append(Block(frames, size, stride, before, channels, inner, squeezed, temporal, spatial))
                    size, before = (size + 1) // 2 if stride == 2 else size, channels
                return found

            yield _part(
                stream.name, place, f"{position} blocks", ([before] if before else []) + [channels, *kernels], blocks
            )
            size = (size + 1) // 2 if group.stride == 2 else size
            if stream is space.sparse and space.dense is not None:
                ratio = space.dense.frames // stream.frames
                yield _part(
                    stream.name,
                    place,
                    f"{position} fusion",
                    [known[f"dense/{position}/channels"], channels, known[f"{label}/fusion"]],
                    lambda dense, sparse, kind, f=frames, s=size, r=ratio: (
                        [] if kind == "none" else [Fusion(f, s, r, dense, sparse, kind)]
                    ),
                )
            yield _part(
                stream.name,
                place,
                f"{position} attention",
                [channels, known[f"{label}/attention"]],
                lambda c, on, f=frames, s=size: [Attention(f, s, c, glore_nodes(space.glore_ratio, c))] if on else [],
            )
            before = channels
            index_in_stage += group.depth
        yield _part(
            stream.name,
            "head",
            "head",
            [before],
            lambda c, f=frames, s=size, width=stream.head_channels: [Head(f, s, c, width, space.hidden)],
        )
    yield Part("both", "head", "classifier", (), ((Classifier(space.hidden, space.classes),),))
