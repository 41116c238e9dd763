"""The blueprint: what stands where, with which sizes; and tables of sizes that depend on choices."""

import dataclasses

import pytest

from tsnet_tf.space import genotype
from tsnet_tf.space.blueprint import blueprint
from tsnet_tf.space.lookup_table import LookupTable, tabulate
from tsnet_tf.space.ops import Attention, Block, Fusion
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import Choice, only


def test_parts_stand_in_the_order_of_computation():
    space = table1(depths=((1,), (2,)), attention_stages=(2,))
    found = [(part.stream, part.name, len(part.ops)) for part in blueprint(space)]
    assert found == [
        ("sparse", "stem", 1), ("dense", "stem", 1),
        ("sparse", "s1/g1 blocks", 1), ("dense", "s1/g1 blocks", 1), ("sparse", "s1/g1 fusion", 3),
        ("sparse", "s1/g1 attention", 0), ("dense", "s1/g1 attention", 0),
        ("sparse", "s2/g1 blocks", 2), ("dense", "s2/g1 blocks", 2), ("sparse", "s2/g1 fusion", 3),
        ("sparse", "s2/g1 attention", 1), ("dense", "s2/g1 attention", 1),
        ("sparse", "head", 1), ("dense", "head", 1), ("both", "classifier", 1),
    ]  # fmt: skip


def test_squeeze_excite_is_in_every_other_block_of_a_stage():
    """Counted through the groups of a stage: of 1, 3, 3 and 4 blocks in stage 3 the first, third and so on have it."""
    ops = [op for part in blueprint(only(table1(), ["sparse"])) for op in part.ops if isinstance(op, Block)]
    assert [op.se_channels != 0 for op in ops] == [
        *(True, False, True), *(True, False, True, False, True), *([True, False] * 5 + [True]),
        *(True, False, True, False, True, False, True),
    ]  # fmt: skip
    assert [op.stride for op in ops] == [2, 1, 1, *[2, *[1] * 4], *[2, *[1] * 10], *[2, *[1] * 6]]


def test_sizes_of_x3d_s():
    """160 pixels; the stem, and the first block of each stage, halves them. Stage 2 has 48 channels, from 24."""
    ops = [op for part in blueprint(genotype.load("x3d_s")) for op in part.ops]
    assert [op.side for op in ops if isinstance(op, Block) and op.stride == 2] == [80, 40, 20, 10]
    assert ops[0].side == 80 and ops[-2].side == 5
    # 2.25 x 48 channels between the convolutions; 108 / 16 is 7 to the nearest 8.
    assert ops[4] == Block(13, 40, 2, 24, 48, 3, 3, 108, 8) and ops[5] == Block(13, 20, 1, 48, 48, 3, 3, 108, 0)


def test_a_table_holds_what_is_selected():
    space = table1(depths=((1,),), sparse_channels=((32, 32, 8),), dense_channels=((8, 16, 8),), attention_stages=(1,))
    parts = {(part.stream, part.name): part for part in blueprint(space)}
    fusions = parts["sparse", "s1/g1 fusion"].table
    assert [axis.label for axis in fusions.axes] == ["dense/s1/g1/channels", "sparse/s1/g1/fusion"]
    assert fusions.at({"dense/s1/g1/channels": 16, "sparse/s1/g1/fusion": "none"}) == ()
    assert fusions.at({"dense/s1/g1/channels": 16, "sparse/s1/g1/fusion": "time_strided_conv"}) == (
        Fusion(4, 40, 8, 16, 32, "time_strided_conv"),
    )
    assert parts["sparse", "s1/g1 attention"].table.values == ((), (Attention(4, 40, 32, 48),))


def test_a_larger_picture_changes_the_sides_alone():
    space = table1(depths=((1,), (2,)))
    one, other = blueprint(space), blueprint(space, 224)
    blocks = [op for part in other for op in part.ops if isinstance(op, Block) and part.stream == "sparse"]
    assert [op.side for op in blocks] == [112, 56, 28]
    for part, larger in zip(one, other, strict=True):
        for op, changed in zip(part.ops, larger.ops, strict=True):
            assert dataclasses.replace(changed, **({"side": op.side} if "side" in vars(op) else {})) == op


EXPANSION, CHANNELS = Choice("e", "expansion", (1.5, 2.0)), Choice("c", "channels", (8, 16, 24))


def test_a_table_of_two_choices():
    table = tabulate(lambda e, c: int(e * c), EXPANSION, CHANNELS)
    assert table == LookupTable((EXPANSION, CHANNELS), (12, 24, 36, 16, 32, 48))
    assert table.strides == {"c": 1, "e": 3} and table.at({"c": 24, "e": 1.5}) == 36
    assert table.map(lambda size: 2 * size).values == (24, 48, 72, 32, 64, 96)
    other = Choice("t", "temporal_kernel", (1, 3))
    assert table.over([CHANNELS, other, EXPANSION]) == [12, 16, 12, 16, 24, 32, 24, 32, 36, 48, 36, 48]


@pytest.mark.parametrize("closed, expected", [(0, LookupTable((CHANNELS,), (16, 32, 48))), (1, 32)])
def test_choices_with_one_candidate_are_no_axes(closed, expected):
    """With one expansion the channels remain; with one number of channels too, a number."""
    channels = dataclasses.replace(CHANNELS, values=(16,)) if closed else CHANNELS
    table = tabulate(lambda e, c: int(e * c), dataclasses.replace(EXPANSION, values=(2.0,)), channels)
    assert table == expected
