"""The hand-made rule in any space at any budget: uniform choices, as wide as the budget allows."""

import pytest

from tsnet_tf.errors import UserError
from tsnet_tf.space.cost import complexity
from tsnet_tf.space.hand_made import SINGLE_STREAMS, hand_made, hand_made_within, single_stream
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import is_genotype

DEMO = {"resolution": 24, "sparse_frames": 2, "dense_frames": 16, "sparse_width": 0.25, "depths": ((1, 1),) * 4}
DEMO |= {"hidden": 128, "classes": 16}


@pytest.mark.parametrize("settings, gmacs", [({}, 2.0), (DEMO, 0.012), (DEMO, 0.02)])
def test_costs_what_the_budget_allows(settings, gmacs):
    model = hand_made(table1(**settings), gmacs)
    assert is_genotype(model)
    assert 0.97 * gmacs <= complexity(model).gmacs <= gmacs


def test_every_choice_is_uniform_and_fusions_end_the_stages():
    model = hand_made(table1(**DEMO), 0.0117)
    for stream in model.streams:
        assert {(g.temporal_kernel, g.spatial_kernel, g.expansion) for g in stream.groups} == {((3,), (3,), (4.5,))}
        assert not any(g.attention[0] for g in stream.groups)
    fusions = [group.fusion[0] for group in model.sparse.groups]
    assert fusions == ["none", "time_strided_conv"] * 4
    # One width factor: 0.84 x (12, 22, 44, 86) and (16, 24, 32, 56), to even numbers.
    assert [g.channels[0] for g in model.sparse.groups[::2]] == [10, 18, 36, 72]
    assert [g.channels[0] for g in model.dense.groups[::2]] == [14, 20, 26, 48]


@pytest.mark.parametrize("kind", SINGLE_STREAMS)
def test_single_streams_cost_about_the_same_with_their_own_frames(kind):
    space = table1(**DEMO)
    model = single_stream(space, kind, 0.0117)
    assert model.dense is None and model.frames == (2 if kind == "sparse_frames" else 16)
    assert 0.92 * 0.0117 <= complexity(model).gmacs <= 0.0117
    assert {g.fusion for g in model.sparse.groups} == {("none",)}


def test_a_budget_below_the_narrowest_is_refused():
    with pytest.raises(UserError, match=r"expected at least 0\.0\d+ GMACs for 'table1_hand_made', found 1e-05"):
        hand_made(table1(**DEMO), 1e-5)


def test_within_a_space_only_its_candidates_are_taken():
    space = table1(**DEMO)
    model = hand_made_within(space, 0.012)
    assert 0.8 * 0.012 <= complexity(model).gmacs <= 0.012
    for stream in model.streams:
        assert {(g.temporal_kernel, g.spatial_kernel, g.expansion) for g in stream.groups} == {((3,), (3,), (4.5,))}
    for stream, whole in zip(model.streams, space.streams, strict=True):
        assert all(g.channels[0] in w.channels for g, w in zip(stream.groups, whole.groups, strict=True))
    assert [g.fusion[0] for g in model.sparse.groups] == ["none", "time_strided_conv"] * 4
