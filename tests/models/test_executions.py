"""One architecture, three ways to compute it: supernet by slices, supernet by masks, fixed model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.kernels import shared_trace
from tsnet_tf.models.inheritance import inherit, named_weights
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.space.table1 import table1

BATCH = 4  # the last feature maps have one pixel: fewer clips would make the variances of a few numbers


@pytest.fixture(scope="module")
def supernets(perturbed):
    """Two supernets of a space, by execution, with the same weights."""

    def make(space):
        keras.utils.set_random_seed(0)
        models = {execution: perturbed(TwoStreamModel(space, execution)) for execution in ("slice", "mask")}
        assert inherit(models["mask"], models["slice"]) == []
        return models

    return make


def compiled(function):
    """One graph for every architecture, as in the search."""
    return tf.function(function, input_signature=[tf.TensorSpec([None], tf.int32)])


def relative_difference(found, expected):
    return np.max(np.abs(np.asarray(found) - expected)) / np.max(np.abs(expected))


# Blocks with and without squeeze-excite, stride and change of width, fusion and attention; small, since supernets take
# long to trace.
SMALL = table1(
    sparse_width=0.25, dense_width=0.375, depths=((1, 1), (2,)), resolution=16, classes=5, hidden=16, dropout=0.0
)


def test_slice_mask_and_pruned_model_agree(supernets, draw_clips, draw_architecture):
    assert_agreement(SMALL, supernets(SMALL), draw_clips(SMALL, BATCH), draw_architecture, range(4), 1e-4)


@pytest.mark.nightly
def test_slice_mask_and_pruned_model_agree_on_the_demos_space(space, supernets, draw_clips, draw_architecture):
    assert_agreement(space, supernets(space), draw_clips(space, BATCH), draw_architecture, range(20), 1e-4)


@pytest.mark.nightly
def test_executions_agree_on_the_full_space(supernets, draw_clips, draw_architecture):
    space = table1(resolution=64, dropout=0.0)
    assert_agreement(space, supernets(space), draw_clips(space, 2), draw_architecture, range(3), 1e-3)


@pytest.mark.slow
def test_executions_agree_on_a_space_of_the_users_own(supernets, draw_clips, draw_architecture):
    """Other frames, ratio of the streams, stages, widths, kernels, fusions and places of attention."""
    space = table1(
        resolution=24,
        sparse_frames=3,
        dense_frames=6,
        depths=((1,), (2, 1)),
        stem_channels=(6, 4),
        sparse_channels=((8, 12, 4), (16, 16, 2)),
        dense_channels=((4, 8, 2), (6, 6, 2)),
        expansions=(1.0, 2.0, 0.5),
        temporal_kernels=(1, 7),
        spatial_kernels=(3, 7),
        fusions=("none", "time_to_channel"),
        attention_stages=(1,),
        attention_places=1,
        hidden=16,
        dropout=0.0,
        classes=5,
    )
    assert_agreement(space, supernets(space), draw_clips(space, BATCH), draw_architecture, range(6), 1e-4)


def assert_agreement(space, models, clips, draw_architecture, seeds, tolerance):
    by_slices, by_masks = (
        compiled(lambda architecture, model=models[name]: model(clips, architecture, training=True))
        for name in ("slice", "mask")
    )
    seen = []
    for seed in seeds:
        architecture, genotype = draw_architecture(space, seed)
        expected = by_slices(architecture).numpy()
        assert relative_difference(by_masks(architecture), expected) < tolerance, f"mask, architecture {seed}"
        fixed = TwoStreamModel(genotype)
        fresh = inherit(fixed, models["slice"])
        assert all("moving_" in name for name in fresh)  # a supernet has no running statistics
        # Batch statistics, as in the supernet.
        found = fixed(clips, training=True)
        assert relative_difference(found, expected) < tolerance, f"fixed model, architecture {seed}"
        seen.append(expected)
    # Different architectures answer differently: what agrees above is not a constant.
    assert all(relative_difference(one, seen[0]) > 1e-2 for one in seen[1:])


def test_slice_and_mask_have_the_same_weight_gradients(supernets, draw_clips, draw_architecture, monkeypatch):
    # A rectifier that rounding switches changes gradients by percents: smooth activations, and traces of their own.
    monkeypatch.setattr(tf.nn, "relu", tf.nn.silu)
    monkeypatch.setattr(shared_trace, "_FUNCTIONS", {})
    models, clips = supernets(SMALL), draw_clips(SMALL, BATCH)
    towards = tf.constant(np.random.default_rng(9).normal(size=(BATCH, SMALL.classes)), tf.float32)

    def gradients_of(model):
        def gradients(architecture):
            weights = [weight.value for weight in model.trainable_weights]
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(model(clips, architecture, training=True) * towards)
            return tape.gradient(loss, weights, unconnected_gradients="zero")

        return compiled(gradients)

    names = list(named_weights(models["slice"]))
    assert names == list(named_weights(models["mask"]))
    by_slices, by_masks = gradients_of(models["slice"]), gradients_of(models["mask"])
    for seed in range(5):
        architecture, _ = draw_architecture(SMALL, seed)
        sliced, masked = by_slices(architecture), by_masks(architecture)
        largest = max(np.abs(gradient).max() for gradient in sliced)
        for name, one, other in zip(names, sliced, masked, strict=True):
            difference = np.abs(one - other).max()
            # What BN makes zero in theory is rounding noise, far below the largest gradient.
            assert difference <= 3e-4 * np.abs(one).max() + 1e-6 * largest, f"{name}, architecture {seed}"


def test_a_supernet_needs_an_architecture(space, draw_clips):
    with pytest.raises(ValueError, match="expected the architecture of a space with .* open choices, found None"):
        TwoStreamModel(space)(draw_clips(space, 1))


def test_a_fixed_model_classifies_without_the_batch(space, draw_clips, draw_architecture, perturbed):
    """Outside training, a clip's logits do not depend on the other clips of its batch."""
    fixed = perturbed(TwoStreamModel(draw_architecture(space, 0)[1]))
    clips = draw_clips(space, 3)
    together = fixed(clips).numpy()
    assert together.shape == (3, 5)
    np.testing.assert_allclose(fixed(clips[1:2])[0], together[1], rtol=1e-4, atol=1e-5)
    assert together.dtype == np.float32


def test_streams_of_as_many_frames_share_no_trace(monkeypatch):
    """They run at the same time, and oneDNN's batch normalisation cannot do two widths at once in one function."""
    monkeypatch.delenv("TSNET_TF_PLAIN", raising=False)  # this is about the fast one
    space = table1(
        resolution=16,
        sparse_frames=4,
        dense_frames=4,
        depths=((1,), (1,)),
        stem_channels=(4, 4),
        sparse_channels=((8, 12, 4), (8, 16, 8)),
        dense_channels=((4, 8, 4), (8, 16, 8)),
        hidden=16,
        classes=5,
    )
    network = TwoStreamModel(space)
    clips, architecture = tf.TensorSpec([2, 4, 16, 16, 3], tf.uint8), tf.TensorSpec([None], tf.int32)
    graph = tf.function(network).get_concrete_function(clips, architecture).graph.as_graph_def()
    calls = [node for node in graph.node if node.op == "PartitionedCall"]
    sparse, dense = (
        {call.attr["f"].func.name for call in calls if stream in call.name} for stream in ("sparse_", "dense_")
    )
    assert sparse and dense and not sparse & dense
