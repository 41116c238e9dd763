"""MACs and parameters: published figures, and small cases worked by hand."""

import dataclasses
import itertools

import pytest

from tsnet_tf.space import cost, two_stream
from tsnet_tf.space.blueprint import blueprint
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import Group, Space, Stream

X3D_GROUPS = tuple(
    Group(stage, depth, 2, (3,), (3,), (channels,), (2.25,))
    for stage, (depth, channels) in enumerate(((3, 24), (5, 48), (11, 96), (7, 192)), start=1)
)


def x3d(frames, resolution):
    return Space("x3d", resolution, (Stream("sparse", frames, 24, 5, 432, X3D_GROUPS),))


@pytest.mark.parametrize(
    "frames, resolution, gmacs",
    [(13, 160, 1.96), (13, 182, 2.72), (16, 224, 4.73), (16, 256, 6.18)],  # X3D-S and X3D-M, training and test crops
)
def test_x3d_costs_what_was_published(frames, resolution, gmacs):
    found = cost.complexity(x3d(frames, resolution))
    assert found.gmacs == pytest.approx(gmacs, abs=0.005)
    assert found.params_m == pytest.approx(3.79, abs=0.005)


def test_resolution_can_be_given_apart():
    assert cost.complexity(x3d(13, 160), resolution=182) == cost.complexity(x3d(13, 182))


def test_sparse_stream_of_the_table_spans_a_factor_of_ten():
    space = two_stream.restrict(
        two_stream.only(table1(), ["sparse"]),
        ["sparse/*_kernel", "sparse/*/channels", "sparse/*/expansion"],
        {},
    )
    assert cost.complexity(cost.smallest(space)).gmacs == pytest.approx(0.63, abs=0.005)
    assert cost.complexity(cost.largest(space)).gmacs == pytest.approx(6.29, abs=0.005)


def tiny(depth=1, **group):
    settings = {"temporal_kernel": (3,), "spatial_kernel": (3,), "channels": (6,), "expansion": (2.0,), **group}
    sparse = Stream("sparse", 2, 4, 3, 5, (Group(1, depth, 2, **settings),))
    return Space("tiny", 8, (sparse,), hidden=7, classes=3)


def test_one_block_by_hand():
    # 2 frames of 8x8; the stem halves them to 2x4x4 = 32 positions, the block to 2x2x2 = 8.
    # Stem:   3x3x3 input values and 3 frames for each of 4 channels at 32 positions: 32 (27 x 4 + 3 x 4) = 3840.
    # Block:  inner width 2 x 6 = 12, squeeze width 8 (the least there is);
    #         expand 32 x 4 x 12 = 1536, depthwise 8 x 12 x 27 = 2592, squeeze-excite 12 x 8 x 2 = 192,
    #         project 8 x 12 x 6 = 576, shortcut 8 x 4 x 6 = 192: together 5088.
    # Head:   8 x 6 x 5 = 240, then 5 x 7 = 35; classifier 7 x 3 = 21.
    # Parameters: stem 108 + 12 + BN 8; block 48 + 324 + (192 + 12 + 8) + 72 + BN (24 + 24 + 12) + shortcut 24 + 12;
    #             head 30 + BN 10 + 35; classifier 21 + 3.
    # Activations: stem 2 x 32 x 4; block 32 x 12 + 8 x 12 + (12 + 8) + 8 x 6 + 8 x 6; head 8 x 5 + 7; classifier 3.
    found = cost.complexity(tiny())
    assert found.rows == {
        ("sparse", "stem"): cost.Cost(3840, 128, 256),
        ("sparse", "s1"): cost.Cost(5088, 752, 596),
        ("sparse", "head"): cost.Cost(275, 75, 47),
        ("both", "head"): cost.Cost(21, 24, 3),
    }
    assert found.total == cost.Cost(3840 + 5088 + 275 + 21, 128 + 752 + 75 + 24, 256 + 596 + 47 + 3)


def test_second_block_has_neither_squeeze_excite_nor_shortcut():
    # 8 positions: expand 6 x 12, depthwise 12 x 27, project 12 x 6; BN 24 + 24 + 12.
    one, two = (cost.complexity(tiny(depth)).rows["sparse", "s1"] for depth in (1, 2))
    assert two.macs - one.macs == 8 * (72 + 324 + 72)
    assert two.params - one.params == 72 + 324 + 72 + 60
    assert two.activations - one.activations == 8 * (12 + 12 + 6)


def test_attention_by_hand():
    # 8 positions of C = 6; ratio 0.5 gives M = 3 nodes of 6 states.
    # Positions times 6 x (6 + 3) for states and nodes, 6 x 3 for V, 6 x 3 back and 6 x 6 to the channels: 8 x 126.
    # Graph: 3 x 3 x 6 + 6 x 6 x 3 = 162.
    # Parameters: states 36 + 6, nodes 18 + 3, node convolution 9 + 3, state convolution 36, extend 36, BN 12.
    spaces = [dataclasses.replace(tiny(attention=(on,)), glore_ratio=0.5) for on in (False, True)]
    off, on = (cost.complexity(space).rows["sparse", "s1"] for space in spaces)
    assert on.macs - off.macs == 8 * 126 + 162
    assert on.params - off.params == 42 + 21 + 12 + 36 + 36 + 12
    # 8 positions of 6 states, 3 nodes, 6 states back and 6 channels; V and two graph convolutions of 6 x 3.
    assert on.activations - off.activations == 8 * (6 + 3 + 6 + 6) + 3 * 18


@pytest.mark.parametrize(
    "kind, macs, params, activations",
    # 8 sparse positions, 3 dense channels, 6 sparse channels, 4 dense frames to a sparse one.
    [
        ("none", 0, 0, 0),
        ("time_to_channel", 8 * 12 * 6, 12 * 6, 8 * 6),
        ("time_strided_sampling", 8 * 3 * 6, 3 * 6, 8 * 6),
        # 5 frames x 3 to 6 channels, then 6 to 6; BN of 6.
        ("time_strided_conv", 8 * (5 * 3 * 6 + 6 * 6), 5 * 3 * 6 + 6 * 6 + 12, 8 * (6 + 6)),
    ],
)
def test_fusion_by_hand(kind, macs, params, activations):
    def genotype(kind):
        sparse = tiny(fusion=(kind,)).sparse
        dense_group = Group(1, 1, 2, (1,), (3,), (3,), (2.0,))
        return Space("tiny", 8, (sparse, Stream("dense", 8, 2, 3, 5, (dense_group,))), hidden=7, classes=3)

    without, fused = (cost.complexity(genotype(k)).rows["sparse", "s1"] for k in ("none", kind))
    assert (fused.macs - without.macs, fused.params - without.params) == (macs, params)
    assert fused.activations - without.activations == activations


def test_tables_hold_the_cost_of_every_combination():
    space = tiny(temporal_kernel=(1, 3), channels=(4, 6), expansion=(1.5, 2.0))
    others = two_stream.values_of(cost.smallest(space))
    for part in blueprint(space):
        axes = part.cost.axes
        for index, values in enumerate(itertools.product(*(axis.values for axis in axes))):
            chosen = dict(zip([axis.label for axis in axes], values, strict=True))
            genotype = two_stream.pick(space, {**others, **chosen})
            alone = next(p for p in blueprint(genotype) if (p.stream, p.name) == (part.stream, part.name))
            assert alone.cost.values == (part.cost.values[index],) == (part.cost.at(chosen),)


def test_output_shapes_halve_odd_sizes_upwards():
    space = two_stream.pick(table1(), two_stream.values_of(cost.smallest(table1())))
    shapes = cost.output_shapes(space, 182)  # 91, then 46, 23, 12 and 6
    assert [shapes["sparse", place] for place in ("stem", "s1", "s2", "s3", "s4", "head")] == [
        (24, 4, 91, 91),
        (32, 4, 46, 46),
        (64, 4, 23, 23),
        (128, 4, 12, 12),
        (248, 4, 6, 6),
        (2048, 1, 1, 1),
    ]
    assert shapes["dense", "s4"] == (32, 32, 6, 6) and shapes["both", "head"] == (400, 1, 1, 1)
    assert set(shapes) == set(cost.complexity(space).rows)


def test_open_variables_have_no_single_cost():
    with pytest.raises(ValueError, match="expected a genotype, found open variables in s1/g1 blocks"):
        cost.complexity(tiny(channels=(4, 6)))


def test_smallest_and_largest_bound_the_space():
    space = table1(sparse_width=0.25, dense_width=0.375, depths=((1,), (1,), (1,), (1,)), resolution=32)
    small, large = cost.smallest(space), cost.largest(space)
    assert two_stream.is_genotype(small) and two_stream.is_genotype(large)
    assert set(two_stream.values_of(small).values()) & {True, *two_stream.FUSIONS} <= {1, "none"}
    assert cost.complexity(small).total.macs < cost.complexity(large).total.macs
