"""The blueprint of a space: its network as an ordered list of stems, blocks, fusions, attention and heads.

The macro-architecture is written here alone. Models are built from the blueprint and walk along it
(`tsnet_tf.models.two_stream`); costs, parameters and output shapes are counted from it (`tsnet_tf.space.cost`); latency
tables are of its operations (`tsnet_tf.search.latency`).
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Literal

from tsnet_tf.space.lookup_table import LookupTable, tabulate
from tsnet_tf.space.ops import Attention, Block, Classifier, Cost, Fusion, Head, Op, Stem
from tsnet_tf.space.two_stream import (
    Choice,
    Space,
    Stream,
    expanded_channels,
    glore_nodes,
    group_positions,
    se_channels,
    variables,
)

Kind = Literal["stem", "blocks", "fusion", "attention", "head", "classifier"]


@dataclasses.dataclass(frozen=True)
class Part:
    """One part of the network, which is a layer of the model and an addend of the cost.

    Attributes:
      stream: "sparse", "dense" or "both".
      position: "stem", a group such as "s2/g1", or "head".
      kind: what it is.
      ops: the blocks of a group, the candidates of a fusion, or one operation; none where a group has no fusion or no
        attention among its candidates.
    """

    stream: str
    position: str
    kind: Kind
    ops: tuple[Op, ...]

    @property
    def name(self) -> str:
        """For people, such as "s2/g1 blocks"."""
        return f"{self.position} {self.kind}" if "/" in self.position else self.kind

    @property
    def place(self) -> str:
        """ "stem", "s1" to "s4" or "head"."""
        return self.position.split("/")[0]

    @functools.cached_property
    def table(self) -> LookupTable:
        """Tuples of the selected operations, over the choices that they depend on."""
        axes = tuple(dict.fromkeys(axis for op in self.ops for table in op.tables for axis in table.axes))
        rows = zip(*(op.over(axes) for op in self.ops), strict=True) if self.ops else [()]
        return LookupTable(axes, tuple(tuple(op for op in row if op.selected) for row in rows))

    @functools.cached_property
    def cost(self) -> LookupTable:
        """Its `Cost`, over the same choices."""
        return self.table.map(lambda ops: sum((op.cost for op in ops), Cost()))

    def resolved(self, look_up: Callable[[LookupTable], object]) -> "Part":
        """The part with what ``look_up`` gives in place of each table among its sizes."""
        return dataclasses.replace(self, ops=tuple(op.resolved(look_up) for op in self.ops))


def blueprint(space: Space, resolution: int | None = None) -> list[Part]:
    """The parts of the network in the order in which they are computed, both streams side by side.

    Args:
      space: a space or a genotype, of which all sizes are numbers.
      resolution: side of the square input in pixels; default the space's own.
    """
    known = {choice.label: choice for choice in variables(space)}
    side = ((resolution or space.resolution) + 1) // 2
    parts = [
        Part(s.name, "stem", "stem", (Stem(s.frames, side, s.stem_channels, s.stem_temporal_kernel),))
        for s in space.streams
    ]
    channels = {stream.name: stream.stem_channels for stream in space.streams}
    for index, position in enumerate(group_positions(space.sparse)):
        for stream in space.streams:
            blocks = _blocks(stream, index, position, side, channels[stream.name], known)
            channels[stream.name] = blocks[-1].channels
            parts.append(Part(stream.name, position, "blocks", blocks))
        side = blocks[-1].output_side
        if space.dense is not None:
            choice = known[f"sparse/{position}/fusion"]
            parts.append(Part("sparse", position, "fusion", _fusions(space, side, channels, choice)))
        for stream in space.streams:
            attention = _attention(space, stream, position, side, known)
            parts.append(Part(stream.name, position, "attention", attention))
    for stream in space.streams:
        head = Head(stream.frames, side, channels[stream.name], stream.head_channels, space.hidden)
        parts.append(Part(stream.name, "head", "head", (head,)))
    return [*parts, Part("both", "head", "classifier", (Classifier(space.hidden, space.classes),))]


def _blocks(stream: Stream, index: int, position: str, side: int, in_channels, known: Mapping[str, Choice]):
    """The MBConv3D blocks of a group; squeeze-excite is in every other block of a stage, the first included (X3D)."""
    group, label = stream.groups[index], f"{stream.name}/{position}"
    earlier_in_stage = sum(other.depth for other in stream.groups[:index] if other.stage == group.stage)
    expansion, width = known[f"{label}/expansion"], known[f"{label}/channels"]
    channels, temporal, spatial = (
        tabulate(int, known[f"{label}/{kind}"]) for kind in ("channels", "temporal_kernel", "spatial_kernel")
    )
    expanded = tabulate(expanded_channels, expansion, width)
    se = tabulate(lambda e, c: se_channels(expanded_channels(e, c)), expansion, width)
    blocks = []
    for number in range(group.depth):
        stride = group.stride if number == 0 else 1
        of_block = se if (earlier_in_stage + number) % 2 == 0 else 0
        blocks.append(Block(stream.frames, side, stride, in_channels, channels, temporal, spatial, expanded, of_block))
        in_channels, side = channels, blocks[-1].output_side
    return tuple(blocks)


def _fusions(space: Space, side: int, channels: Mapping[str, object], choice: Choice) -> tuple[Fusion, ...]:
    """The candidates of one place, of which one or none is selected."""
    frames, ratio = space.sparse.frames, space.dense.frames // space.sparse.frames
    return tuple(
        Fusion(
            frames,
            side,
            ratio,
            channels["dense"],
            channels["sparse"],
            kind,
            tabulate(lambda chosen, kind=kind: chosen == kind, choice),
        )
        for kind in choice.values
        if kind != "none"
    )


def _attention(space: Space, stream: Stream, position: str, side: int, known: Mapping[str, Choice]):
    choice, channels = known[f"{stream.name}/{position}/attention"], known[f"{stream.name}/{position}/channels"]
    if True not in choice.values:
        return ()
    nodes = tabulate(lambda c: glore_nodes(space.glore_ratio, c), channels)
    return (Attention(stream.frames, side, tabulate(int, channels), nodes, tabulate(bool, choice)),)
