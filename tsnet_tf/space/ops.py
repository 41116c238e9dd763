"""The operations that a network consists of: their sizes, what they put out and what they cost.

A size is a whole number, or a `LookupTable` as long as it depends on open choices. Two operations that are equal are
the same computation, wherever they stand: that is what makes a table of measured latencies small
(`tsnet_tf.search.latency`).
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence

from tsnet_tf.space.fusions import OPERATIONS
from tsnet_tf.space.lookup_table import LookupTable
from tsnet_tf.space.two_stream import Choice

Size = int | LookupTable
Shape = tuple[int, int, int, int]  # channels, frames, height, width


@dataclasses.dataclass(frozen=True)
class Cost:
    """Multiply-adds for one view, trainable parameters, and activations for one view."""

    macs: int = 0
    params: int = 0
    activations: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.macs + other.macs, self.params + other.params, self.activations + other.activations)


@dataclasses.dataclass(frozen=True)
class Op:
    """An operation; its cost and output shape are those of one without open choices."""

    selected = True  # a field where that is a choice

    @property
    def tables(self) -> list[LookupTable]:
        """The sizes that depend on open choices."""
        return [size for size in vars(self).values() if isinstance(size, LookupTable)]

    def resolved(self, look_up: Callable[[LookupTable], object]) -> "Op":
        """The operation with what ``look_up`` gives in place of each table."""
        sizes = {name: look_up(size) for name, size in vars(self).items() if isinstance(size, LookupTable)}
        return dataclasses.replace(self, **sizes)

    def over(self, axes: Sequence[Choice]) -> list["Op"]:
        """The operation for every combination of the candidates of ``axes``, the last choice fastest."""
        count = math.prod(len(axis.values) for axis in axes)
        columns = [size.over(axes) if isinstance(size, LookupTable) else [size] * count for size in vars(self).values()]
        return [type(self)(*sizes) for sizes in zip(*columns, strict=True)]


@dataclasses.dataclass(frozen=True)
class Stem(Op):
    """1x3x3 convolution with stride 2 to ``side`` x ``side``, then a depthwise temporal one."""

    frames: int
    side: int
    channels: int
    temporal_kernel: int

    @property
    def output_shape(self) -> Shape:
        return (self.channels, self.frames, self.side, self.side)

    @property
    def cost(self) -> Cost:
        c, weights = self.channels, (27 + self.temporal_kernel) * self.channels
        positions = self.frames * self.side * self.side
        return Cost(positions * weights, weights + 2 * c, 2 * positions * c)


@dataclasses.dataclass(frozen=True)
class Block(Op):
    """One MBConv3D block; ``side`` is that of its input, ``se_channels`` is 0 without squeeze-excite."""

    frames: int
    side: int
    stride: int
    in_channels: Size
    channels: Size
    temporal_kernel: Size
    spatial_kernel: Size
    expanded_channels: Size
    se_channels: Size

    @property
    def sizes(self) -> dict[str, Size]:
        """What `tsnet_tf.layers.mbconv3d.MBConv3D` is made and called with."""
        return {name: size for name, size in vars(self).items() if name not in ("frames", "side", "stride")}

    @property
    def output_side(self) -> int:
        return (self.side + 1) // 2 if self.stride == 2 else self.side

    @property
    def output_shape(self) -> Shape:
        return (self.channels, self.frames, self.output_side, self.output_side)

    @property
    def cost(self) -> Cost:
        return _cost_of_block(self)


@functools.cache
def _cost_of_block(block: Block) -> Cost:
    in_channels, expanded, channels, se = block.in_channels, block.expanded_channels, block.channels, block.se_channels
    entering, leaving = block.frames * block.side**2, block.frames * block.output_side**2
    depthwise = expanded * block.temporal_kernel * block.spatial_kernel**2
    macs = entering * in_channels * expanded + leaving * (depthwise + expanded * channels)
    params = in_channels * expanded + depthwise + expanded * channels + 4 * expanded + 2 * channels
    activations = entering * expanded + leaving * (expanded + channels)
    if se:
        macs += 2 * expanded * se
        params += 2 * expanded * se + expanded + se
        activations += expanded + se
    if block.stride == 2 or in_channels != channels:
        macs += leaving * in_channels * channels
        params += in_channels * channels + 2 * channels
        activations += leaving * channels
    return Cost(macs, params, activations)


@dataclasses.dataclass(frozen=True)
class Fusion(Op):
    """A fusion into a sparse stream of ``frames`` frames, ``ratio`` dense frames to a sparse one.

    ``dense`` and ``sparse`` are channels; ``selected`` tells whether it is the one of its place's candidates that is
    chosen.
    """

    frames: int
    side: int
    ratio: int
    dense: Size
    sparse: Size
    kind: str
    selected: bool | LookupTable = True

    @property
    def output_shape(self) -> Shape:
        return (self.sparse, self.frames, self.side, self.side)

    @property
    def cost(self) -> Cost:
        operation = OPERATIONS[self.kind]
        seen = len(operation.frames(self.ratio))
        taps = operation.convolved or (1 if operation.pool else seen)
        positions, fused = self.frames * self.side * self.side, taps * self.dense
        projection = Cost(positions * fused * self.sparse, fused * self.sparse, positions * self.sparse)
        if not operation.convolved:
            return projection
        weights = seen * self.dense * fused
        return projection + Cost(positions * weights, weights + 2 * fused, positions * fused)


@dataclasses.dataclass(frozen=True)
class Attention(Op):
    """A GloRe block with ``nodes`` nodes of 2 x ``nodes`` states (the layers of `tsnet_tf.layers.glore`)."""

    frames: int
    side: int
    channels: Size
    nodes: Size
    selected: bool | LookupTable = True

    @property
    def output_shape(self) -> Shape:
        return (self.channels, self.frames, self.side, self.side)

    @property
    def cost(self) -> Cost:
        c, nodes, states = self.channels, self.nodes, 2 * self.nodes
        positions = self.frames * self.side * self.side
        to_graph = positions * c * (states + nodes) + positions * states * nodes
        graph = nodes * nodes * states + states * states * nodes
        back = positions * states * nodes + positions * states * c
        params = c * states + states + c * nodes + nodes + nodes * nodes + nodes + states * states + states * c + 2 * c
        activations = positions * (states + nodes) + 3 * states * nodes + positions * (states + c)
        return Cost(to_graph + graph + back, params, activations)


@dataclasses.dataclass(frozen=True)
class Head(Op):
    """A stream's last 1x1x1 convolution, pooled, and its part of the fully connected layer."""

    frames: int
    side: int
    channels: Size
    width: int
    hidden: int

    @property
    def output_shape(self) -> Shape:
        return (self.hidden, 1, 1, 1)

    @property
    def cost(self) -> Cost:
        positions, weights = self.frames * self.side * self.side, self.width * self.hidden
        macs = positions * self.channels * self.width + weights
        return Cost(macs, self.channels * self.width + 2 * self.width + weights, positions * self.width + self.hidden)


@dataclasses.dataclass(frozen=True)
class Classifier(Op):
    """The fully connected layer at the end."""

    hidden: int
    classes: int

    @property
    def output_shape(self) -> Shape:
        return (self.classes, 1, 1, 1)

    @property
    def cost(self) -> Cost:
        weights = self.hidden * self.classes
        return Cost(weights, weights + self.classes, self.classes)
