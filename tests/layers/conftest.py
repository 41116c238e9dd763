"""Clips in the layers' layout, and layers with weights that hide nothing."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def rows():
    """``[batch, frames, h, w, c]`` to the layers' ``[frames * batch, h, w, c]``."""

    def to_rows(clips):
        return np.ascontiguousarray(clips.transpose(1, 0, 2, 3, 4)).reshape(-1, *clips.shape[2:])

    return to_rows


@pytest.fixture(scope="session")
def clips():
    """``[frames * batch, h, w, c]`` back to ``[batch, frames, h, w, c]``."""

    def to_clips(x, frames):
        x = np.asarray(x)
        return x.reshape(frames, -1, *x.shape[1:]).transpose(1, 0, 2, 3, 4)

    return to_clips


@pytest.fixture(scope="session")
def randomized():
    """Fills a layer's weights with noise: zero projections and zero biases would hide mistakes."""

    def fill(layer, seed=0):
        draw = np.random.default_rng(seed)
        for weight in layer.weights:
            weight.assign(draw.normal(size=weight.shape).astype(np.float32))
            if weight.name == "moving_variance":
                weight.assign(draw.uniform(0.5, 2.0, weight.shape).astype(np.float32))
        return layer

    return fill


@pytest.fixture(scope="session")
def widened():
    """Zeros up to ``channels`` channels: what a layer in mask execution is given."""

    def widen(x, channels):
        return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, channels - x.shape[-1])])

    return widen
