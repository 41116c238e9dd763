"""Picking, restricting and validating spaces, and the words in which mistakes are reported."""

import dataclasses

import pytest

from tsnet_tf.errors import UserError
from tsnet_tf.space import two_stream
from tsnet_tf.space.cost import smallest
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import only, pick, restrict
from tsnet_tf.space.validation import validate

SPACE = table1(name="small", sparse_width=0.25, dense_width=0.375, depths=((1,), (1,), (1,), (1,)))


def with_group(stream=0, index=0, **changes):
    changed = SPACE.streams[stream]
    groups = list(changed.groups)
    groups[index] = dataclasses.replace(groups[index], **changes)
    streams = list(SPACE.streams)
    streams[stream] = dataclasses.replace(changed, groups=tuple(groups))
    return dataclasses.replace(SPACE, streams=tuple(streams))


def test_pick_closes_only_what_it_is_given():
    picked = pick(SPACE, {"sparse/s2/g1/channels": 18, "dense/s1/g1/spatial_kernel": 5})
    assert two_stream.values_of(picked)["sparse/s2/g1/channels"] == 18
    assert len(two_stream.choices(picked)) == len(two_stream.choices(SPACE)) - 2
    assert two_stream.size(picked) * 4 * 2 == two_stream.size(SPACE)
    assert pick(SPACE, {}) == SPACE


@pytest.mark.parametrize(
    "values, message",
    [
        (
            {"sparse/s9/g1/channels": 8},
            "space 'small': unknown label 'sparse/s9/g1/channels', expected one like 'sparse/s1/g1/temporal_kernel'",
        ),
        (
            {"sparse/s1/g1/channels": 9},
            "space 'small': sparse/s1/g1/channels is 9, expected one of 8, 10, 12",
        ),
    ],
)
def test_pick_refuses(values, message):
    with pytest.raises(UserError) as error:
        pick(SPACE, values)
    assert str(error.value) == message


def test_restrict_leaves_open_what_is_free_and_switches_off_what_nobody_gave():
    fixed = two_stream.values_of(smallest(SPACE))
    step = restrict(SPACE, ["dense/*/channels"], {k: v for k, v in fixed.items() if not k.endswith("attention")})
    assert [c.label for c in two_stream.choices(step)] == [f"dense/s{stage}/g1/channels" for stage in (1, 2, 3, 4)]
    assert two_stream.values_of(step)["sparse/s1/g1/fusion"] == "none"
    assert two_stream.values_of(step)["sparse/s2/g1/attention"] is False


@pytest.mark.parametrize(
    "free, message",
    [
        (["sparce/*"], "free pattern 'sparce/*' matches no variable of space 'small'"),
        (
            ["dense/*"],
            "sparse/s1/g1/temporal_kernel is neither searched nor given by a previous step: expected a value for it",
        ),
    ],
)
def test_restrict_refuses(free, message):
    with pytest.raises(UserError) as error:
        restrict(SPACE, free, {})
    assert str(error.value) == message


def test_restrict_refuses_what_leaves_nothing_to_search():
    closed = pick(SPACE, {"sparse/s2/g1/channels": 18})
    with pytest.raises(UserError, match="expected variables of two values or more, found 1 of one value in space 'sm"):
        restrict(closed, ["sparse/s2/g1/channels"], two_stream.values_of(smallest(SPACE)))


def test_sparse_stream_alone_has_nothing_to_fuse():
    alone = only(SPACE, ["sparse"])
    assert alone.dense is None and alone.frames == 4
    assert not [c for c in two_stream.choices(alone) if c.kind == "fusion"]
    assert only(SPACE, ["sparse", "dense"]) == SPACE


@pytest.mark.parametrize("names, found", [(["dense"], "dense"), ([], "none"), (["sparse", "slow"], "sparse, slow")])
def test_only_refuses(names, found):
    with pytest.raises(UserError) as error:
        only(SPACE, names)
    assert str(error.value) == f"streams: expected 'sparse' or 'sparse, dense' out of space 'small', found {found}"


@pytest.mark.parametrize(
    "broken, message",
    [
        (
            lambda: with_group(temporal_kernel=(1, 2)),
            "sparse/s1/g1/temporal_kernel: expected an odd whole number, found 2",
        ),
        (lambda: with_group(spatial_kernel=()), "spatial_kernel: expected at least one candidate, found none"),
        (lambda: with_group(channels=(8, 8)), r"channels: expected distinct candidates, found \(8, 8\)"),
        (lambda: with_group(channels=(10, 8)), r"channels: expected candidates from small to large, found \(10, 8\)"),
        (lambda: with_group(channels=(0,)), "channels: expected an even whole number above 0, found 0"),
        (lambda: with_group(channels=(8.5,)), "channels: expected an even whole number above 0, found 8.5"),
        (lambda: with_group(channels=("8",)), "channels: expected an even whole number above 0, found '8'"),
        (lambda: with_group(expansion=(-1.0,)), "expansion: expected a number above 0, up to 100, found -1.0"),
        (lambda: with_group(fusion=("some",)), "fusion: expected one of none, time_to_channel, .*, found 'some'"),
        (lambda: with_group(attention=(1,)), "attention: expected true or false, found 1"),
        (lambda: with_group(depth=0), "sparse/s1/g1: depth: expected a whole number above 0, found 0"),
        (lambda: with_group(stride=3), "sparse/s1/g1: stride: expected 1 or 2, found 3"),
        (
            lambda: with_group(stream=1, fusion=("none", "time_to_channel")),
            "dense/s1/g1/fusion: expected none, as only the sparse stream of a two-stream space can fuse; found",
        ),
        (
            lambda: dataclasses.replace(SPACE, streams=SPACE.streams[:1]),
            "sparse/s1/g1/fusion: expected none, as only the sparse stream of a two-stream space can fuse; found",
        ),
        (
            lambda: dataclasses.replace(SPACE, streams=SPACE.streams[1:]),
            "expected streams sparse or sparse, dense; found dense",
        ),
        (lambda: table1(dense_frames=30), "expected the dense frames to be a multiple .*, found 30 and 4"),
        (lambda: with_group(stride=1), "expected both streams to have the same stages and strides"),
    ],
)
def test_validate_names_what_is_wrong(broken, message):
    with pytest.raises(UserError, match=message):
        validate(broken())


def test_squeeze_width_is_a_multiple_of_eight_and_never_far_below_a_sixteenth():
    # 54 / 16 = 3.4 -> 8; 216 / 16 = 13.5 -> 16; 432 / 16 = 27 -> 24 would be under 90 %, so 32.
    assert [two_stream.se_channels(inner) for inner in (54, 216, 432, 320)] == [8, 16, 32, 24]


def test_values_at_indices():
    space = table1()
    values = two_stream.values_at(space, [len(c.values) - 1 for c in two_stream.choices(space)])
    assert values["sparse/s1/g1/channels"] == 48 and values["dense/s4/g3/attention"] is True


def test_halves_are_rounded_up():
    assert two_stream.expanded_channels(2.25, 10) == 23  # 22.5
    assert [two_stream.glore_nodes(ratio, channels) for ratio, channels in ((1.5, 3), (0.25, 1))] == [5, 1]
