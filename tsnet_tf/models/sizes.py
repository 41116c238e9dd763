"""From sampled candidate indices to the sizes that layers are called with."""

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tsnet_tf.layers.elastic import Size, on_host
from tsnet_tf.space.two_stream import (
    Choice,
    Space,
    choices,
    glore_nodes,
    group_positions,
    inner_channels,
    squeeze_channels,
    variables,
)


@dataclasses.dataclass(frozen=True)
class GroupSizes:
    """The sizes of one block group: ints where the space leaves no choice, scalar tensors elsewhere.

    Attributes:
      temporal_kernel, spatial_kernel, channels: the group's own variables.
      inner: width between a block's pointwise convolutions.
      squeezed: width of its squeeze-excite bottleneck.
      nodes: GloRe nodes for these channels.
      attention: whether GloRe follows the group.
      fusion: candidate operation to whether it is the chosen one.
    """

    temporal_kernel: Size
    spatial_kernel: Size
    channels: Size
    inner: Size
    squeezed: Size
    nodes: Size
    attention: bool | tf.Tensor
    fusion: dict[str, bool | tf.Tensor]


def sampled_sizes(space: Space, architecture: tf.Tensor | None) -> dict[str, list[GroupSizes]]:
    """The sizes of every group, by stream name.

    Args:
      space: the space; variables with one candidate give plain ints.
      architecture: int32 ``[open choices]``, the index of each open choice's value in the order of
        `tsnet_tf.space.two_stream.choices`; None for a genotype.
    """
    order = {choice.label: index for index, choice in enumerate(choices(space))}
    known = {choice.label: choice for choice in variables(space)}
    if architecture is None and order:
        raise ValueError(f"expected the architecture of a space with {len(order)} open choices, found None")

    tables = _Tables(order)
    look_up = tables.add

    def group_sizes(prefix: str, group) -> GroupSizes:
        choice = {kind: known[f"{prefix}/{kind}"] for kind in ("temporal_kernel", "spatial_kernel", "fusion")}
        channels, expansion = known[f"{prefix}/channels"], known[f"{prefix}/expansion"]
        return GroupSizes(
            temporal_kernel=look_up(int, choice["temporal_kernel"]),
            spatial_kernel=look_up(int, choice["spatial_kernel"]),
            channels=look_up(int, channels),
            inner=look_up(inner_channels, expansion, channels),
            squeezed=look_up(lambda e, c: squeeze_channels(inner_channels(e, c)), expansion, channels),
            nodes=look_up(lambda c: glore_nodes(space.glore_ratio, c), channels),
            attention=look_up(bool, known[f"{prefix}/attention"]),
            fusion={
                name: look_up(lambda value, name=name: value == name, choice["fusion"])
                for name in group.fusion
                if name != "none"
            },
        )

    sizes = {
        stream.name: [
            group_sizes(f"{stream.name}/{position}", group)
            for position, group in zip(group_positions(stream), stream.groups, strict=True)
        ]
        for stream in space.streams
    }
    return tables.resolve(sizes, architecture)


class _Tables:
    """Many small look-ups done as one.

    Every table of a size over the candidates it depends on goes into one flat constant, and a matrix product turns
    the architecture into one position for each table: a handful of operations where there would be thousands.
    """

    def __init__(self, order: dict[str, int]):
        self._order = order
        self._flat, self._strides, self._starts, self._is_flag = [], [], [], []

    def add(self, function: Callable, *axes: Choice):
        """A value that is the same for all candidates, or else a place holder for `resolve`."""
        table = [function(*values) for values in itertools.product(*(axis.values for axis in axes))]
        if len(set(table)) == 1:
            return table[0]
        strides, step = np.zeros(len(self._order), np.int32), 1
        for axis in reversed(axes):
            if axis.label in self._order:
                strides[self._order[axis.label]] = step
            step *= len(axis.values)
        self._starts.append(len(self._flat))
        self._flat.extend(int(value) for value in table)
        self._strides.append(strides)
        self._is_flag.append(isinstance(table[0], bool))
        return _Looked(len(self._starts) - 1)

    def resolve(self, sizes, architecture: tf.Tensor | None):
        """``sizes`` with every place holder replaced by a scalar tensor."""
        if not self._starts:
            return sizes
        with on_host():
            where = tf.linalg.matvec(np.stack(self._strides), tf.cast(architecture, tf.int32)) + np.array(
                self._starts, np.int32
            )
            values = tf.unstack(tf.gather(np.array(self._flat, np.int32), where), len(self._starts))

        def fill(value):
            if isinstance(value, dict):
                return {name: fill(entry) for name, entry in value.items()}
            if isinstance(value, list):
                return [fill(entry) for entry in value]
            if isinstance(value, GroupSizes):
                return GroupSizes(**{field.name: fill(getattr(value, field.name)) for field in fields})
            if isinstance(value, _Looked):
                found = values[value.index]
                with on_host():
                    return tf.cast(found, tf.bool) if self._is_flag[value.index] else found
            return value

        fields = dataclasses.fields(GroupSizes)
        return fill(sizes)


@dataclasses.dataclass(frozen=True)
class _Looked:
    index: int


def largest_sizes(space: Space) -> dict[str, list[GroupSizes]]:
    """The sizes that weights must have: the largest of every group, each independently, by stream name."""

    def of(group) -> GroupSizes:
        inner = inner_channels(max(group.expansion), max(group.channels))
        return GroupSizes(
            temporal_kernel=int(max(group.temporal_kernel)),
            spatial_kernel=int(max(group.spatial_kernel)),
            channels=int(max(group.channels)),
            inner=inner,
            squeezed=max(
                squeeze_channels(inner_channels(e, c)) for e, c in itertools.product(group.expansion, group.channels)
            ),
            nodes=glore_nodes(space.glore_ratio, max(group.channels)),
            attention=max(group.attention),
            fusion={name: True for name in group.fusion if name != "none"},
        )

    return {stream.name: [of(group) for group in stream.groups] for stream in space.streams}
