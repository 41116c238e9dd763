"""What an architecture consists of, piece by piece, and what each piece costs.

Two pieces that are equal are the same computation, wherever they stand: that is what makes a table of measured
latencies small (`tsnet_tf.search.latency`).
"""

import dataclasses
import functools

from tsnet_tf.space.fusions import OPERATIONS


@dataclasses.dataclass(frozen=True)
class Cost:
    """Multiply-adds for one view, trainable parameters, and activations for one view."""

    macs: int = 0
    params: int = 0
    activations: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.macs + other.macs, self.params + other.params, self.activations + other.activations)


@dataclasses.dataclass(frozen=True)
class Stem:
    """1x3x3 convolution with stride 2 to ``size`` x ``size``, then a depthwise temporal one."""

    frames: int
    size: int
    channels: int
    temporal_kernel: int

    @property
    def cost(self) -> Cost:
        c, weights = self.channels, (27 + self.temporal_kernel) * self.channels
        positions = self.frames * self.size * self.size
        return Cost(positions * weights, weights + 2 * c, 2 * positions * c)


@dataclasses.dataclass(frozen=True)
class Block:
    """One MBConv3D block; ``size`` is the side of what enters, ``squeezed`` is 0 without squeeze-excite."""

    frames: int
    size: int
    stride: int
    before: int
    channels: int
    inner: int
    squeezed: int
    temporal_kernel: int
    spatial_kernel: int

    @property
    def cost(self) -> Cost:
        return _cost_of_block(self)


@functools.cache
def _cost_of_block(block: Block) -> Cost:
    inner, before, channels = block.inner, block.before, block.channels
    entering = block.frames * block.size * block.size
    leaving = block.frames * ((block.size + 1) // 2) ** 2 if block.stride == 2 else entering
    depthwise = inner * block.temporal_kernel * block.spatial_kernel**2
    macs = entering * before * inner + leaving * (depthwise + inner * channels)
    params = before * inner + depthwise + inner * channels + 4 * inner + 2 * channels
    activations = entering * inner + leaving * (inner + channels)
    if block.squeezed:
        macs += 2 * inner * block.squeezed
        params += 2 * inner * block.squeezed + inner + block.squeezed
        activations += inner + block.squeezed
    if block.stride == 2 or before != channels:
        macs += leaving * before * channels
        params += before * channels + 2 * channels
        activations += leaving * channels
    return Cost(macs, params, activations)


@dataclasses.dataclass(frozen=True)
class Fusion:
    """A fusion into a sparse stream of ``frames`` frames, ``ratio`` dense frames to a sparse one."""

    frames: int
    size: int
    ratio: int
    dense: int
    sparse: int
    kind: str

    @property
    def cost(self) -> Cost:
        operation = OPERATIONS[self.kind]
        seen = len(operation.frames(self.ratio))
        taps = operation.convolved or (1 if operation.pool else seen)
        positions, fused = self.frames * self.size * self.size, taps * self.dense
        projection = Cost(positions * fused * self.sparse, fused * self.sparse, positions * self.sparse)
        if not operation.convolved:
            return projection
        weights = seen * self.dense * fused
        return projection + Cost(positions * weights, weights + 2 * fused, positions * fused)


@dataclasses.dataclass(frozen=True)
class Attention:
    """A GloRe block with ``nodes`` nodes of 2 x ``nodes`` states (the layers of `tsnet_tf.layers.glore`)."""

    frames: int
    size: int
    channels: int
    nodes: int

    @property
    def cost(self) -> Cost:
        c, nodes, states = self.channels, self.nodes, 2 * self.nodes
        positions = self.frames * self.size * self.size
        to_graph = positions * c * (states + nodes) + positions * states * nodes
        graph = nodes * nodes * states + states * states * nodes
        back = positions * states * nodes + positions * states * c
        params = c * states + states + c * nodes + nodes + nodes * nodes + nodes + states * states + states * c + 2 * c
        activations = positions * (states + nodes) + 3 * states * nodes + positions * (states + c)
        return Cost(to_graph + graph + back, params, activations)


@dataclasses.dataclass(frozen=True)
class Head:
    """A stream's last 1x1x1 convolution, pooled, and its part of the fully connected layer."""

    frames: int
    size: int
    channels: int
    width: int
    hidden: int

    @property
    def cost(self) -> Cost:
        positions, weights = self.frames * self.size * self.size, self.width * self.hidden
        macs = positions * self.channels * self.width + weights
        return Cost(macs, self.channels * self.width + 2 * self.width + weights, positions * self.width + self.hidden)


@dataclasses.dataclass(frozen=True)
class Classifier:
    """The fully connected layer at the end."""

    hidden: int
    classes: int

    @property
    def cost(self) -> Cost:
        weights = self.hidden * self.classes
        return Cost(weights, weights + self.classes, self.classes)


Piece = Stem | Block | Fusion | Attention | Head | Classifier
