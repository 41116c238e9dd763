"""Weights from one search step to the next, and from a supernet to a smaller model."""

import numpy as np
import pytest

from tsnet_tf.models.inheritance import inherit, named_weights
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.space import two_stream
from tsnet_tf.space.cost import largest, smallest

ARCHITECTURE = ("temporal_kernel", "spatial_kernel", "channels", "expansion")


def indices(space, chosen):
    return np.array([c.values.index(chosen.get(c.label, c.values[-1])) for c in two_stream.choices(space)], np.int32)


def test_step_two_without_fusion_and_dense_head_is_step_one(space, draw_clips, draw_architecture, perturbed):
    sparse = two_stream.restrict(two_stream.only(space, ["sparse"]), [f"sparse/*/{kind}" for kind in ARCHITECTURE], {})
    genotype = draw_architecture(sparse, 3)[1]
    first = perturbed(TwoStreamModel(genotype), seed=1)
    found = {k: v for k, v in two_stream.values_of(genotype).items() if not k.endswith(("fusion", "attention"))}
    free = [f"dense/*/{kind}" for kind in ARCHITECTURE] + ["sparse/*/fusion"]
    second_space = two_stream.restrict(space, free, found)
    second = perturbed(TwoStreamModel(second_space), seed=2)

    fresh = inherit(second, first)
    assert fresh and all("dense_" in name or "fusion_" in name for name in fresh)
    clips = draw_clips(space, 4)
    sparse_clips = clips[:, :: space.frames // genotype.frames]
    expected = first(sparse_clips, training=True).numpy()

    off = indices(second_space, {c.label: "none" for c in two_stream.choices(second_space) if c.kind == "fusion"})
    with_dense_head = second(clips, off, training=True).numpy()
    assert np.abs(with_dense_head - expected).max() > 1e-3
    head = [weight for name, weight in named_weights(second).items() if "dense_head_hidden" in name]
    assert len(head) == 1
    head[0].assign(np.zeros(head[0].shape))
    # Not bit for bit: the supernet's blocks are functions of the graph, which has other kernels than eager calls.
    np.testing.assert_allclose(second(clips, off, training=True), expected, rtol=0, atol=2e-5 * np.abs(expected).max())
    # With a fusion on it is another network.
    on = indices(second_space, {})
    assert np.abs(second(clips, on, training=True) - expected).max() > 1e-3


def test_a_smaller_model_takes_first_channels_and_central_taps(space):
    source, target = TwoStreamModel(largest(space)), TwoStreamModel(smallest(space))
    fresh = inherit(target, source)
    assert fresh == []
    given, taken = named_weights(source), named_weights(target)
    kernel = next(name for name in taken if "sparse_s2_g1" in name and name.endswith("depthwise_kernel"))
    assert tuple(given[kernel].shape[:3]) == (5, 5, 5) and tuple(taken[kernel].shape[:3]) == (1, 3, 3)
    width = taken[kernel].shape[-1]
    np.testing.assert_array_equal(taken[kernel], np.asarray(given[kernel])[2:3, 1:4, 1:4, :width])
    project = next(name for name in taken if "sparse_s2_g1" in name and "project/kernel" in name)
    rows, columns = taken[project].shape
    np.testing.assert_array_equal(taken[project], np.asarray(given[project])[:rows, :columns])


def test_a_smaller_source_is_refused(space):
    with pytest.raises(ValueError, match=r"expected at least the shape \(.*\), found \(.*\)"):
        inherit(TwoStreamModel(largest(space)), TwoStreamModel(smallest(space)))


def test_other_weights_are_left_as_they_were(space):
    alone = TwoStreamModel(smallest(two_stream.only(space, ["sparse"])))
    both = TwoStreamModel(smallest(space))
    before = {name: np.array(weight) for name, weight in named_weights(both).items()}
    fresh = inherit(both, alone)
    assert fresh == [name for name in before if "dense_" in name]
    for name in fresh:
        np.testing.assert_array_equal(named_weights(both)[name], before[name])
