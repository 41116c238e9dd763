"""Whether a space can be built: what a user's file says wrongly is named in one line."""

import math
from collections.abc import Iterable

from tsnet_tf.errors import UserError
from tsnet_tf.space.two_stream import (
    FUSIONS,
    VARIABLES,
    Group,
    Space,
    Stream,
    Value,
    expanded_channels,
    group_positions,
)

_LARGEST_WHOLE = 2**31  # sizes are int32
_LARGEST_RATIO = 100  # far beyond any use; what is larger is a mistake


def validate(space: Space) -> Space:
    """Returns ``space`` if it can be built.

    Raises:
      UserError: names the first variable that is wrong, what was expected and what was found.
    """
    _check_types(space)
    _check_whole(f"space '{space.name}'", space, ("resolution", "hidden", "classes"))
    if not (is_number(space.dropout) and 0 <= space.dropout < 1):
        raise UserError(f"space '{space.name}': dropout: expected a number from 0 to below 1, found {space.dropout!r}")
    if not (is_number(space.glore_ratio) and 0 < space.glore_ratio <= _LARGEST_RATIO):
        raise UserError(
            f"space '{space.name}': glore_ratio: expected a number above 0 and up to {_LARGEST_RATIO}, "
            f"found {space.glore_ratio!r}"
        )
    names = tuple(stream.name for stream in space.streams)
    if names not in (("sparse",), ("sparse", "dense")):
        found = ", ".join(map(str, names)) or "none"
        raise UserError(f"space '{space.name}': expected streams sparse or sparse, dense; found {found}")
    for stream in space.streams:
        _check_stream(space, stream)
    if space.dense is not None:
        _check_alignment(space)
    return space


def _check_stream(space: Space, stream: Stream) -> None:
    here = f"space '{space.name}': {stream.name} stream"
    _check_whole(here, stream, ("frames", "stem_channels", "stem_temporal_kernel", "head_channels"))
    if stream.stem_temporal_kernel % 2 == 0:
        raise UserError(
            f"{here}: stem_temporal_kernel: expected an odd whole number, found {stream.stem_temporal_kernel}"
        )
    if not stream.groups:
        raise UserError(f"{here}: expected at least one group, found none")
    for number, group in enumerate(stream.groups, start=1):
        _check_whole(f"{here}, group {number}", group, ("stage",))
    stages = [group.stage for group in stream.groups]
    if stages != sorted(stages):
        raise UserError(
            f"{here}: expected the stages in order, so that labels do not overlap, found {', '.join(map(str, stages))}"
        )
    fuses = space.dense is not None and stream is space.sparse
    for position, group in zip(group_positions(stream), stream.groups, strict=True):
        _check_group(f"space '{space.name}': {stream.name}/{position}", group, fuses)


def _check_group(where: str, group: Group, fuses: bool) -> None:
    _check_whole(where, group, ("depth", "stride"))
    for kind in VARIABLES:
        _check_candidates(f"{where}/{kind}", kind, getattr(group, kind))
    if expanded_channels(group.expansion[0], group.channels[0]) < 1:
        raise UserError(
            f"{where}/expansion: expected at least one inner channel, found {group.expansion[0]} x "
            f"{group.channels[0]} channels"
        )
    if group.stride not in (1, 2):
        raise UserError(f"{where}: stride: expected 1 or 2, found {group.stride}")
    if group.fusion != ("none",) and not fuses:
        raise UserError(
            f"{where}/fusion: expected none, as only the sparse stream of a two-stream space can fuse; found "
            f"{', '.join(group.fusion)}"
        )


def _check_alignment(space: Space) -> None:
    """That features of one stream can be added to those of the other."""
    if space.dense.frames % space.sparse.frames:
        raise UserError(
            f"space '{space.name}': expected the dense frames to be a multiple of the sparse frames, "
            f"found {space.dense.frames} and {space.sparse.frames}"
        )
    layouts = [[(group.stage, group.stride) for group in stream.groups] for stream in space.streams]
    if layouts[0] != layouts[1]:
        found = " beside ".join(", ".join(f"stage {n} stride {s}" for n, s in layout) for layout in layouts)
        raise UserError(
            f"space '{space.name}': expected both streams to have the same stages and strides, found {found}"
        )


def _check_types(space: Space) -> None:
    """That everything is what `Space` says, before anything is read from it: spaces also come from users' files."""

    def expect_tuple(where: str, value: object, of: type, what: str) -> None:
        if not isinstance(value, tuple) or not all(isinstance(entry, of) for entry in value):
            raise UserError(f"{where}: expected a tuple of {what}, found {value!r}")

    if not isinstance(space.name, str) or not space.name:
        raise UserError(f"name: expected a text, found {space.name!r}")
    here = f"space '{space.name}'"
    expect_tuple(f"{here}: notes", space.notes, str, "texts")
    expect_tuple(f"{here}: streams", space.streams, Stream, "Streams")
    for stream in space.streams:
        expect_tuple(f"{here}: {stream.name} stream: groups", stream.groups, Group, "Groups")
        for number, group in enumerate(stream.groups, start=1):
            for kind in VARIABLES:
                where = f"{here}: {stream.name} stream, group {number}: {kind}"
                expect_tuple(where, getattr(group, kind), object, "candidates")


def _check_candidates(where: str, kind: str, values: tuple[Value, ...]) -> None:
    if not values:
        raise UserError(f"{where}: expected at least one candidate, found none")
    for value in values:
        if kind == "fusion":
            good = value in FUSIONS
            expected = "one of " + ", ".join(FUSIONS)
        elif kind == "attention":
            good, expected = isinstance(value, bool), "true or false"
        elif kind == "expansion":
            good, expected = (
                is_number(value) and 0 < value <= _LARGEST_RATIO,
                f"a number above 0, up to {_LARGEST_RATIO}",
            )
        elif kind == "channels":
            good, expected = is_whole(value) and value % 2 == 0, "an even whole number above 0"
        else:
            good, expected = is_whole(value) and value % 2 == 1, "an odd whole number"
        if not good:
            raise UserError(f"{where}: expected {expected}, found {value!r}")
    if len(set(values)) != len(values):
        raise UserError(f"{where}: expected distinct candidates, found {values}")
    if kind not in ("fusion",) and list(values) != sorted(values):
        raise UserError(f"{where}: expected candidates from small to large, found {values}")


def _check_whole(where: str, holder: object, names: Iterable[str]) -> None:
    for name in names:
        value = getattr(holder, name)
        if not is_whole(value):
            raise UserError(f"{where}: {name}: expected a whole number above 0, found {value!r}")


def is_number(value: object) -> bool:
    """Whether ``value`` is a finite number; a truth value is none."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST_WHOLE


def is_whole(value: object) -> bool:
    """Whether ``value`` is an int above 0; 3.0 is none."""
    return is_number(value) and isinstance(value, int) and value > 0
