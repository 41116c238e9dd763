"""The paper's space: its size, its labels and its settings."""

import math

import pytest

from tsnet_tf.space import two_stream
from tsnet_tf.space.fusions import OPERATIONS
from tsnet_tf.space.table1 import scaled, span, spread, table1

ARCHITECTURE = ("temporal_kernel", "spatial_kernel", "channels", "expansion")


def sparse_only(space):
    return two_stream.restrict(two_stream.only(space, ["sparse"]), [f"sparse/*/{kind}" for kind in ARCHITECTURE], {})


def test_sparse_stream_has_as_many_architectures_as_the_table_says():
    space = sparse_only(table1())
    # 3 x 2 kernels and 7 expansions for 2 + 2 + 4 + 3 groups; 3, 4, 4 and 5 widths in stages 1 to 4.
    expected = (3 * 2 * 7) ** 11 * 3**2 * 4**2 * 4**4 * 5**3
    assert two_stream.size(space) == expected == 3305633223677039345664000
    assert two_stream.entropy_of_uniform(space) == pytest.approx(56.46, abs=0.005)


def test_attention_has_4096_places():
    space = table1()
    fixed = {choice.label: choice.values[0] for choice in two_stream.choices(space)}
    places = two_stream.restrict(space, ["*/attention"], fixed)
    assert two_stream.size(places) == 4096
    assert [c.label for c in two_stream.choices(places) if c.label.startswith("sparse")] == [
        "sparse/s2/g1/attention",
        "sparse/s2/g2/attention",
        "sparse/s3/g2/attention",
        "sparse/s3/g4/attention",
        "sparse/s4/g2/attention",
        "sparse/s4/g3/attention",
    ]


def test_an_operation_more_does_not_change_the_papers_space(monkeypatch):
    """Whatever operations there are, Table 1 has the paper's four by name."""
    monkeypatch.setitem(OPERATIONS, "another", OPERATIONS["time_to_channel"])
    fusions = {choice.values for choice in two_stream.choices(table1()) if choice.kind == "fusion"}
    assert fusions == {("none", "time_to_channel", "time_strided_sampling", "time_strided_conv")}


def test_whole_space_is_larger_than_the_paper_claims():
    # Both streams, four fusions after each of 11 groups, 4096 ways to place attention.
    dense = (3 * 2 * 7) ** 11 * 2**2 * 3**2 * 3**4 * 4**3
    assert two_stream.size(table1()) == 3305633223677039345664000 * dense * 4**11 * 4096 > 2e53


def test_every_choice_has_a_label_of_its_own():
    space = table1()
    positions = ["s1/g1", "s1/g2", "s2/g1", "s2/g2", "s3/g1", "s3/g2", "s3/g3", "s3/g4", "s4/g1", "s4/g2", "s4/g3"]
    kinds = (*ARCHITECTURE[:2], "channels", "expansion", "fusion", "attention")
    expected = [
        f"{stream}/{position}/{kind}" for stream in ("sparse", "dense") for position in positions for kind in kinds
    ]
    assert [choice.label for choice in two_stream.variables(space)] == expected
    for choice in two_stream.choices(space):
        assert choice.kind == choice.label.rsplit("/", 1)[1]
    counts = {kind: sum(c.kind == kind for c in two_stream.choices(space)) for kind in kinds}
    assert counts == {
        "temporal_kernel": 22,
        "spatial_kernel": 22,
        "channels": 22,
        "expansion": 22,
        "fusion": 11,
        "attention": 12,
    }


def test_streams_are_as_printed():
    space = table1()
    assert space.frames == 32
    assert [stream.frames for stream in space.streams] == [4, 32]
    assert [stream.stem_channels for stream in space.streams] == [24, 8]
    assert [stream.head_channels for stream in space.streams] == [774, 126]  # 2.25 x 344 and 2.25 x 56
    for stream in space.streams:
        depths = [sum(g.depth for g in stream.groups if g.stage == stage) for stage in (1, 2, 3, 4)]
        assert depths == [3, 5, 11, 7]
        assert [g.stride for g in stream.groups] == [2, 1, 2, 1, 2, 1, 1, 1, 2, 1, 1]
    widths = [[sorted({g.channels for g in stream.groups if g.stage == s}) for s in (1, 4)] for stream in space.streams]
    assert widths == [[[(32, 40, 48)], [(248, 272, 296, 320, 344)]], [[(8, 16)], [(32, 40, 48, 56)]]]
    assert space.sparse.groups[0].expansion == (1.5, 2.25, 3.0, 3.75, 4.5, 5.25, 6.0)


def test_widths_depths_and_fusions_are_settings():
    space = table1(sparse_width=0.25, dense_width=0.375, depths=((1,), (1,), (1, 2), (1,)), fusions=("none",))
    assert [g.channels for g in space.sparse.groups] == [
        (8, 10, 12),
        (16, 18, 20, 22),
        (32, 36, 40, 44),
        (32, 36, 40, 44),
        (62, 68, 74, 80, 86),
    ]
    # A few dense channels become the same number: they are one candidate.
    assert [g.channels for g in space.dense.groups][:2] == [(4, 6), (4, 6, 10)]
    assert [g.depth for g in space.sparse.groups] == [1, 1, 1, 2, 1]
    assert not [c for c in two_stream.choices(space) if c.kind == "fusion"]


def test_span_counts_both_ends():
    assert span(1.5, 3.0, 0.75) == (1.5, 2.25, 3.0)
    assert span(32, 32, 8) == (32,)


def test_scaled_channels_are_even():
    assert [scaled(8, 0.25), scaled(24, 0.375), scaled(1, 0.1), scaled(48, 1.0)] == [2, 10, 2, 48]


def test_attention_places_end_with_the_last_group():
    assert [sorted(spread(2, groups)) for groups in (1, 2, 3, 4)] == [[0], [0, 1], [1, 2], [1, 3]]
    assert spread(0, 3) == set() and spread(1, 3) == {2} and spread(4, 3) == {0, 1, 2}
    assert math.prod(2 for groups in (2, 4, 3) for _ in spread(2, groups)) == 2**6
