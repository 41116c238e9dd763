"""What a person would draw in a space: uniform choices, as in the paper's Manual-TSNet (section 5.4).

Kernels of 3, one expansion, one width factor on the space's largest channels, a time-strided convolution at the end of
every stage, no attention. The width factor is what brings the model to a budget. The same rule draws single streams.
"""

import dataclasses
from typing import Literal

from tsnet_tf.errors import UserError
from tsnet_tf.space.cost import complexity
from tsnet_tf.space.two_stream import Space, Stream, Value, pick, values_of, variables
from tsnet_tf.space.validation import validate

KERNEL, EXPANSION, FUSION = 3, 4.5, "time_strided_conv"
SingleStream = Literal["sparse_frames", "dense_frames", "dense_stream"]
SINGLE_STREAMS: tuple[SingleStream, ...] = ("sparse_frames", "dense_frames", "dense_stream")
_WIDTHS = [number / 100 for number in range(5, 1001)]  # factors to try


def hand_made(space: Space, gmacs: float) -> Space:
    """The uniform two-stream architecture of ``space``'s macro-architecture at a cost.

    Args:
      space: gives the macro-architecture: frames, stems, heads, groups and their largest channels.
      gmacs: what it may cost, GMACs per view.

    Raises:
      UserError: even the narrowest costs more.
    """

    return _widest(lambda width: _two_streams(space, width), gmacs)


def hand_made_within(space: Space, gmacs: float) -> Space:
    """The same rule with the candidates of ``space`` that come nearest, so that shared weights fit it.

    Args:
      space, gmacs: as for `hand_made`. Where a choice is closed, its value is kept.

    Raises:
      UserError: even the narrowest costs more.
    """

    def at(width: float) -> Space:
        drawn = values_of(_two_streams(space, width))
        values = {choice.label: _nearest(choice.values, drawn[choice.label]) for choice in variables(space)}
        return dataclasses.replace(pick(space, values), name=f"{space.name}_hand_made", notes=())

    return _widest(at, gmacs)


def single_stream(space: Space, kind: SingleStream, gmacs: float) -> Space:
    """The uniform model of one stream at a cost.

    Args:
      space: as for `hand_made`.
      kind: "sparse_frames": the sparse stream as it is; "dense_frames": the sparse stream with all of the dense
        stream's frames; "dense_stream": the dense stream alone.
      gmacs: what it may cost, GMACs per view.

    Raises:
      UserError: even the narrowest costs more.
    """
    stream = space.dense if kind == "dense_stream" else space.sparse
    frames = space.sparse.frames if kind == "sparse_frames" else space.frames

    def at(width: float) -> Space:
        # The first stream of a model is called sparse, however many frames it has.
        alone = dataclasses.replace(_uniform(stream, width, fuses=False), name="sparse", frames=frames)
        return dataclasses.replace(space, name=f"{space.name}_{kind}", streams=(alone,), notes=())

    return _widest(at, gmacs)


def _two_streams(space: Space, width: float) -> Space:
    streams = tuple(_uniform(stream, width, fuses=index == 0) for index, stream in enumerate(space.streams))
    return dataclasses.replace(space, name=f"{space.name}_hand_made", streams=streams, notes=())


def _nearest(candidates: tuple[Value, ...], wanted: Value) -> Value:
    """The candidate that is wanted, or of sizes the nearest one, or else the first."""
    if wanted in candidates or isinstance(wanted, str | bool):
        return wanted if wanted in candidates else candidates[0]
    return min(candidates, key=lambda candidate: abs(candidate - wanted))


def _uniform(stream: Stream, width: float, fuses: bool) -> Stream:
    groups = []
    for group, following in zip(stream.groups, (*stream.groups[1:], None), strict=True):
        ends_stage = following is None or following.stage != group.stage
        groups.append(
            dataclasses.replace(
                group,
                temporal_kernel=(KERNEL,),
                spatial_kernel=(KERNEL,),
                channels=(max(2, 2 * int(width * max(group.channels) / 2 + 0.5)),),
                expansion=(EXPANSION,),
                fusion=(FUSION if fuses and ends_stage else "none",),
                attention=(False,),
            )
        )
    return dataclasses.replace(stream, groups=tuple(groups))


def _widest(at, gmacs: float) -> Space:
    fitting = [width for width in _WIDTHS if complexity(at(width)).gmacs <= gmacs]
    if not fitting:
        least = complexity(at(_WIDTHS[0])).gmacs
        raise UserError(f"expected at least {least:.4g} GMACs for '{at(_WIDTHS[0]).name}', found {gmacs:g}")
    return validate(at(fitting[-1]))
