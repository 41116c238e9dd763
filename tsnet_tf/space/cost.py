"""What an architecture costs: multiply-adds (MACs), parameters and activations.

The cost of an architecture is a sum of `Part`s (stem, block groups, fusions, attention blocks, heads), and each part
depends on a handful of variables. `parts` tabulates every part over the candidates of those variables, so the same
numbers serve a single genotype, TensorFlow look-ups over sampled choices, and expectations under a distribution.

Counted are convolutions, matrix products and fully connected layers, as X3D's published figures are; normalisation,
activation functions and additions are not. Parameters are the trainable ones. Activations are the numbers that those
convolutions, products and layers put out.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator

from tsnet_tf.space.two_stream import (
    Choice,
    Group,
    Space,
    Stream,
    Value,
    glore_nodes,
    group_positions,
    inner_channels,
    pick,
    squeeze_channels,
    variables,
)

FUSION_KERNEL = 5  # frames seen by the time-strided convolution (SlowFast, section 3.3)


@dataclasses.dataclass(frozen=True)
class Cost:
    """Multiply-adds for one view, trainable parameters, and activations for one view."""

    macs: int = 0
    params: int = 0
    activations: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.macs + other.macs, self.params + other.params, self.activations + other.activations)


@dataclasses.dataclass(frozen=True)
class Part:
    """One addend of an architecture's cost.

    Attributes:
      stream: "sparse", "dense" or "both".
      place: "stem", "s1" to "s4" or "head".
      name: what it is, such as "s2/g1 blocks".
      axes: the variables it depends on.
      table: its cost for every combination of their candidates, the last axis fastest.
    """

    stream: str
    place: str
    name: str
    axes: tuple[Choice, ...]
    table: tuple[Cost, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(axis.values) for axis in self.axes)


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
    """The cheapest architecture: the first candidate of every variable, no fusion, no attention."""
    return pick(space, {c.label: "none" if "none" in c.values else c.values[0] for c in variables(space)})


def largest(space: Space) -> Space:
    """The architecture with the last candidate of every variable (the widest, with attention everywhere)."""
    return pick(space, {c.label: c.values[-1] for c in variables(space)})


def _part(stream: str, place: str, name: str, axes: list[Choice], cost: Callable[..., Cost]) -> Part:
    table = tuple(cost(*values) for values in itertools.product(*(axis.values for axis in axes)))
    return Part(stream, place, name, tuple(axes), table)


def _parts(space: Space, resolution: int) -> Iterator[Part]:
    known = {choice.label: choice for choice in variables(space)}
    for stream in space.streams:
        frames, size = stream.frames, (resolution + 1) // 2
        yield _part(stream.name, "stem", "stem", [], lambda stream=stream, size=size: _stem(stream, size))
        before = None
        index_in_stage, stage = 0, 0
        for position, group in zip(group_positions(stream), stream.groups, strict=True):
            index_in_stage = 0 if group.stage != stage else index_in_stage
            stage, place = group.stage, f"s{group.stage}"
            label = f"{stream.name}/{position}"
            kernels = [known[f"{label}/{kind}"] for kind in ("temporal_kernel", "spatial_kernel", "expansion")]
            channels = known[f"{label}/channels"]
            entering = () if before else (stream.stem_channels,)

            def blocks(*values: Value, group=group, first=index_in_stage, size=size, frames=frames, entering=entering):
                values = (*entering, *values)
                return _group(group, first, size, frames, *values)

            yield _part(
                stream.name, place, f"{position} blocks", ([before] if before else []) + [channels, *kernels], blocks
            )
            size = (size + 1) // 2 if group.stride == 2 else size
            positions = frames * size * size
            if stream is space.sparse and space.dense is not None:
                dense_channels = known[f"dense/{position}/channels"]
                ratio = space.dense.frames // stream.frames
                yield _part(
                    stream.name,
                    place,
                    f"{position} fusion",
                    [dense_channels, channels, known[f"{label}/fusion"]],
                    lambda dense, sparse, kind, p=positions, r=ratio: _fusion(p, r, dense, sparse, kind),
                )
            yield _part(
                stream.name,
                place,
                f"{position} attention",
                [channels, known[f"{label}/attention"]],
                lambda c, on, p=positions: _glore(p, c, glore_nodes(space.glore_ratio, c)) if on else Cost(),
            )
            before = channels
            index_in_stage += group.depth
        yield _part(
            stream.name,
            "head",
            "head",
            [before],
            lambda c, positions=positions, stream=stream: _stream_head(
                positions, c, stream.head_channels, space.hidden
            ),
        )
    weights = space.hidden * space.classes
    classifier = Cost(weights, weights + space.classes, space.classes)
    yield Part("both", "head", "classifier", (), (classifier,))


def _stem(stream: Stream, size: int) -> Cost:
    positions, c, t = stream.frames * size * size, stream.stem_channels, stream.stem_temporal_kernel
    return Cost(positions * (27 * c + t * c), 27 * c + t * c + 2 * c, 2 * positions * c)


def _group(group: Group, first: int, size: int, frames: int, before, channels, temporal, spatial, expansion) -> Cost:
    """``group.depth`` blocks, the first of which has index ``first`` in its stage and ``before`` input channels."""
    total = Cost()
    for block in range(group.depth):
        stride = group.stride if block == 0 else 1
        with_squeeze = (first + block) % 2 == 0
        total += _block(frames, size, stride, before, channels, temporal, spatial, expansion, with_squeeze)
        size, before = (size + 1) // 2 if stride == 2 else size, channels
    return total


def _block(frames, size, stride, before, channels, temporal, spatial, expansion, with_squeeze) -> Cost:
    inner = inner_channels(expansion, channels)
    entering = frames * size * size
    leaving = frames * ((size + 1) // 2) ** 2 if stride == 2 else entering
    depthwise = inner * temporal * spatial * spatial
    macs = entering * before * inner + leaving * (depthwise + inner * channels)
    params = before * inner + depthwise + inner * channels + 4 * inner + 2 * channels
    activations = entering * inner + leaving * (inner + channels)
    if with_squeeze:
        squeezed = squeeze_channels(inner)
        macs += 2 * inner * squeezed
        params += 2 * inner * squeezed + inner + squeezed
        activations += inner + squeezed
    if stride == 2 or before != channels:
        macs += leaving * before * channels
        params += before * channels + 2 * channels
        activations += leaving * channels
    return Cost(macs, params, activations)


def _fusion(positions: int, ratio: int, dense: int, sparse: int, kind: str) -> Cost:
    """A fusion into ``positions`` places of the sparse stream, ``ratio`` dense frames to a sparse one."""
    if kind == "none":
        return Cost()
    fused = {"time_to_channel": ratio * dense, "time_strided_sampling": dense, "time_strided_conv": 2 * dense}[kind]
    projection = Cost(positions * fused * sparse, fused * sparse, positions * sparse)
    if kind != "time_strided_conv":
        return projection
    weights = FUSION_KERNEL * dense * fused
    return projection + Cost(positions * weights, weights + 2 * fused, positions * fused)


def _glore(positions: int, c: int, nodes: int) -> Cost:
    """A GloRe block with ``nodes`` nodes of 2 x ``nodes`` states (the layers of `tsnet_tf.layers.glore`)."""
    states = 2 * nodes
    to_graph = positions * c * (states + nodes) + positions * states * nodes
    graph = nodes * nodes * states + states * states * nodes
    back = positions * states * nodes + positions * states * c
    params = c * states + states + c * nodes + nodes + nodes * nodes + nodes + states * states + states * c + 2 * c
    activations = positions * (states + nodes) + 3 * states * nodes + positions * (states + c)
    return Cost(to_graph + graph + back, params, activations)


def _stream_head(positions: int, c: int, width: int, hidden: int) -> Cost:
    weights = width * hidden
    return Cost(positions * c * width + weights, c * width + 2 * width + weights, positions * width + hidden)
