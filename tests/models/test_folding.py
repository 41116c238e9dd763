"""With batch normalisation folded the model says the same, and none of it is forgotten."""

import numpy as np
import pytest

from tsnet_tf.layers.batch_norm import BatchNorm
from tsnet_tf.models.folding import fold, pairs
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import only, pick, variables


@pytest.fixture(scope="module")
def every_part():
    """A genotype with every fusion, attention in both streams, and blocks with and without a shortcut convolution."""
    space = table1(
        sparse_frames=2,
        dense_frames=8,
        sparse_width=0.25,
        depths=((2,), (1,), (1,), (1,)),
        resolution=32,
        hidden=16,
        classes=5,
    )
    fusions = iter(["time_to_channel", "time_strided_sampling", "time_strided_conv", "none"])
    chosen = {}
    for variable in variables(space):
        chosen[variable.label] = (
            next(fusions) if variable.kind == "fusion" and len(variable.values) > 1 else variable.values[-1]
        )
    return pick(space, chosen)


@pytest.fixture(scope="module")
def random_statistics(perturbed):
    def fill(model, clips):
        """Statistics near those of the features, as any training leaves them."""
        norms = [layer for layer in perturbed(model)._flatten_layers() if isinstance(layer, BatchNorm)]
        for norm in norms:
            norm.momentum = 0.0
        model(clips, training=True)
        draw = np.random.default_rng(3)
        for norm in norms:
            variance = np.asarray(norm.moving_variance) + 1e-3
            norm.moving_mean.assign_add(draw.normal(0.0, 0.3, variance.shape) * np.sqrt(variance))
            norm.moving_variance.assign(draw.uniform(0.5, 2.0, variance.shape) * variance)
        return model

    return fill


@pytest.mark.parametrize("streams", [("sparse", "dense"), ("sparse",)])
def test_folded_equals_unfolded(every_part, streams, random_statistics, draw_clips):
    space = only(every_part, streams)
    clips = draw_clips(space, 3)
    model = random_statistics(TwoStreamModel(space), clips)
    expected, found = np.asarray(model(clips, training=False)), np.asarray(fold(model)(clips, training=False))
    assert np.ptp(expected, axis=0).min() > 1e-3 * np.abs(expected).max()  # it does depend on the clip
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_every_normalisation_is_folded(every_part):
    model = TwoStreamModel(every_part)
    norms = [layer for layer in model._flatten_layers() if isinstance(layer, BatchNorm)]
    assert sorted(norm.name for _, norm in pairs(model)) == sorted(norm.name for norm in norms)
    left = {weight.path.rsplit("/", 1)[-1] for weight in fold(model).weights}
    assert not left & {"gamma", "moving_mean", "moving_variance"}


def test_a_supernet_cannot_be_folded(space):
    with pytest.raises(ValueError, match="expected a genotype to fold, found open choices in 'demo'"):
        fold(TwoStreamModel(space))
