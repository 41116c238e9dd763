"""Two-stream spaces as data: a `Space` holds `Stream`s, a `Stream` holds `Group`s, a `Group` holds candidates.

A *genotype* (one architecture) is a `Space` in which every variable has exactly one candidate left, so a supernet
and a fixed model are described, counted and built by the same code. `choices` lists the variables that are still
open; `pick` closes some of them.
"""

import dataclasses
import fnmatch
import math
from collections.abc import Iterable, Mapping, Sequence

from tsnet_tf.errors import UserError
from tsnet_tf.space.fusions import OPERATIONS

VARIABLES = ("temporal_kernel", "spatial_kernel", "channels", "expansion", "fusion", "attention")
FUSIONS = ("none", *OPERATIONS)
Value = int | float | str | bool


@dataclasses.dataclass(frozen=True)
class Group:
    """A block group: ``depth`` MBConv3D blocks that share one architecture (a row of the paper's Table 1).

    Every variable holds its candidates, smallest first.

    Attributes:
      stage: stage number, from 1.
      depth: number of blocks.
      stride: spatial stride of the first block; the temporal stride is always 1.
      temporal_kernel: odd sizes in frames.
      spatial_kernel: odd sizes in pixels.
      channels: output channels.
      expansion: a block's expanded channels divided by its output channels.
      fusion: operations that bring dense features to the sparse stream at the end of the group (`FUSIONS`).
      attention: whether a GloRe block follows the group.
    """

    stage: int
    depth: int
    stride: int
    temporal_kernel: tuple[int, ...]
    spatial_kernel: tuple[int, ...]
    channels: tuple[int, ...]
    expansion: tuple[float, ...]
    fusion: tuple[str, ...] = ("none",)
    attention: tuple[bool, ...] = (False,)


@dataclasses.dataclass(frozen=True)
class Stream:
    """One stream of the network.

    Attributes:
      name: "sparse" or "dense".
      frames: number of input frames.
      stem_channels: output channels of the stem.
      stem_temporal_kernel: frames seen by the stem's depthwise temporal convolution.
      head_channels: width of the stream's last 1x1x1 convolution.
      groups: block groups from input to output.
    """

    name: str
    frames: int
    stem_channels: int
    stem_temporal_kernel: int
    head_channels: int
    groups: tuple[Group, ...]


@dataclasses.dataclass(frozen=True)
class Space:
    """A space of video models, or, when every variable has one candidate, one architecture.

    Attributes:
      name: a name for people.
      resolution: side of the square training crop in pixels.
      streams: the sparse stream, then the dense stream if there is one.
      hidden: width of the fully connected layer before the classifier.
      dropout: rate before the classifier.
      classes: number of classes.
      glore_ratio: GloRe's number of nodes divided by the channels it works on.
      notes: what is worth knowing about it, one sentence each.
    """

    name: str
    resolution: int
    streams: tuple[Stream, ...]
    hidden: int = 2048
    dropout: float = 0.5
    classes: int = 400
    glore_ratio: float = 1.5
    notes: tuple[str, ...] = ()

    @property
    def sparse(self) -> Stream:
        return self.streams[0]

    @property
    def dense(self) -> Stream | None:
        return self.streams[1] if len(self.streams) > 1 else None

    @property
    def frames(self) -> int:
        """Frames of one input clip: those of the densest stream."""
        return self.streams[-1].frames


@dataclasses.dataclass(frozen=True)
class Choice:
    """An open variable: its label such as ``sparse/s3/g2/expansion``, its kind and its candidates."""

    label: str
    kind: str
    values: tuple[Value, ...]


def expanded_channels(expansion: float, channels: int) -> int:
    """Width of a block between its two pointwise convolutions: expansion x output channels, halves up."""
    return int(expansion * channels + 0.5)


def se_channels(expanded: int) -> int:
    """Width of a squeeze-excite bottleneck: 1/16 of ``expanded`` to the nearest 8, never under 90 % of it (X3D)."""
    target = expanded / 16
    rounded = max(8, int(target + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * target else rounded


def glore_nodes(ratio: float, channels: int) -> int:
    """Number of GloRe nodes for ``channels`` features, halves up, at least 1."""
    return max(1, int(ratio * channels + 0.5))


def group_positions(stream: Stream) -> list[str]:
    """``s1/g1``, ``s1/g2``, ... for the stream's groups, in order."""
    positions, seen = [], {}
    for group in stream.groups:
        seen[group.stage] = seen.get(group.stage, 0) + 1
        positions.append(f"s{group.stage}/g{seen[group.stage]}")
    return positions


def variables(space: Space) -> list[Choice]:
    """Every variable of the space, also those with a single candidate, in a fixed order."""
    return [
        Choice(f"{stream.name}/{position}/{kind}", kind, getattr(group, kind))
        for stream in space.streams
        for position, group in zip(group_positions(stream), stream.groups, strict=True)
        for kind in VARIABLES
    ]


def choices(space: Space) -> list[Choice]:
    """The variables that are still open (more than one candidate), in a fixed order."""
    return [choice for choice in variables(space) if len(choice.values) > 1]


def is_genotype(space: Space) -> bool:
    """Whether every variable has exactly one candidate."""
    return not choices(space)


def values_of(genotype: Space) -> dict[str, Value]:
    """Label to value, for every variable that has one candidate."""
    return {c.label: c.values[0] for c in variables(genotype) if len(c.values) == 1}


def values_at(space: Space, indices: Iterable[int]) -> dict[str, Value]:
    """Label to value of the architecture that takes, of every open choice, the candidate with the given index."""
    return {choice.label: choice.values[index] for choice, index in zip(choices(space), indices, strict=True)}


def pick(space: Space, values: Mapping[str, Value]) -> Space:
    """Closes variables: ``space`` with the given ones reduced to one candidate.

    Args:
      values: label to value.

    Raises:
      UserError: a label is not in the space, or a value is not among its candidates.
    """
    known = {choice.label: choice for choice in variables(space)}
    for label, value in values.items():
        if label not in known:
            raise UserError(f"space '{space.name}': unknown label '{label}', expected one like '{next(iter(known))}'")
        if value not in known[label].values:
            expected = ", ".join(str(v) for v in known[label].values)
            raise UserError(f"space '{space.name}': {label} is {value}, expected one of {expected}")

    def close(stream: Stream) -> Stream:
        groups = []
        for position, group in zip(group_positions(stream), stream.groups, strict=True):
            closed = {
                kind: (values[label],) for kind in VARIABLES if (label := f"{stream.name}/{position}/{kind}") in values
            }
            groups.append(dataclasses.replace(group, **closed))
        return dataclasses.replace(stream, groups=tuple(groups))

    return dataclasses.replace(space, streams=tuple(close(stream) for stream in space.streams))


def restrict(space: Space, free: Sequence[str], fixed: Mapping[str, Value]) -> Space:
    """Leaves open only what matches ``free``; everything else comes from ``fixed`` or is switched off.

    Args:
      free: shell patterns of labels, such as ``sparse/*/channels``.
      fixed: values of an earlier search or a published architecture.

    Raises:
      UserError: a pattern matches nothing, what they match has no choice, or a variable is neither free nor fixed and
        has no "off".
    """
    off = {"fusion": "none", "attention": False}
    present = variables(space)
    for pattern in free:
        if not any(fnmatch.fnmatchcase(c.label, pattern) for c in present):
            raise UserError(f"free pattern '{pattern}' matches no variable of space '{space.name}'")
    matched = [c for c in present if any(fnmatch.fnmatchcase(c.label, pattern) for pattern in free)]
    if free and all(len(c.values) == 1 for c in matched):
        raise UserError(
            f"free {', '.join(map(repr, free))}: expected variables of two values or more, found {len(matched)} of one "
            f"value in space '{space.name}'; leave the step out (progressive.steps) or widen the space"
        )
    closed = {}
    for choice in present:
        if any(fnmatch.fnmatchcase(choice.label, pattern) for pattern in free):
            continue
        if choice.label in fixed:
            closed[choice.label] = fixed[choice.label]
        elif choice.kind in off and off[choice.kind] in choice.values:
            closed[choice.label] = off[choice.kind]
        elif len(choice.values) > 1:
            raise UserError(f"{choice.label} is neither searched nor given by a previous step: expected a value for it")
    return pick(space, closed)


def only(space: Space, stream_names: Sequence[str]) -> Space:
    """The space with only the named streams; without a dense stream there is nothing to fuse."""
    missing = [name for name in stream_names if name not in [s.name for s in space.streams]]
    if missing or not stream_names or stream_names[0] != "sparse":
        found = ", ".join(stream_names) or "none"
        raise UserError(f"streams: expected 'sparse' or 'sparse, dense' out of space '{space.name}', found {found}")
    streams = [s for s in space.streams if s.name in stream_names]
    if len(streams) == 1:
        groups = tuple(dataclasses.replace(g, fusion=("none",)) for g in streams[0].groups)
        streams = [dataclasses.replace(streams[0], groups=groups)]
    return dataclasses.replace(space, streams=tuple(streams))


def for_clips(space: Space, resolution: int, sparse_frames: int, dense_frames: int) -> Space:
    """The space for clips of this size: side of the crop in pixels, and frames of either stream."""
    frames = {"sparse": sparse_frames, "dense": dense_frames}
    streams = tuple(dataclasses.replace(stream, frames=frames[stream.name]) for stream in space.streams)
    return dataclasses.replace(space, resolution=resolution, streams=streams)


def size(space: Space) -> int:
    """Number of architectures in the space."""
    return math.prod(len(choice.values) for choice in choices(space))


def entropy_of_uniform(space: Space) -> float:
    """Entropy of the uniform distribution over the space, in nats."""
    return sum(math.log(len(choice.values)) for choice in choices(space))
