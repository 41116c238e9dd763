"""A small two-stream space, and models of it whose weights hide nothing."""

import keras
import numpy as np
import pytest

from tsnet_tf.space import two_stream
from tsnet_tf.space.table1 import table1


@pytest.fixture(scope="session")
def space():
    return table1(
        name="small",
        sparse_width=0.25,
        dense_width=0.375,
        depths=((1, 1), (1, 1), (1, 2, 1), (1, 1)),
        resolution=32,
        classes=5,
        hidden=16,
        dropout=0.0,
    )


@pytest.fixture(scope="session")
def perturbed():
    """Gives a model weights with which every part of it matters: gamma 0 and zero projections hide mistakes."""

    def fill(model: keras.Model, seed: int = 0) -> keras.Model:
        draw = np.random.default_rng(seed)
        for weight in model.trainable_weights:
            if weight.name == "gamma":
                weight.assign(draw.uniform(0.5, 1.5, weight.shape))
            elif not np.any(weight):
                weight.assign(draw.normal(0.0, 0.2, weight.shape))
        return model

    return fill


@pytest.fixture(scope="session")
def draw_clips():
    def draw(space, batch: int, seed: int = 0) -> np.ndarray:
        shape = (batch, space.frames, space.resolution, space.resolution, 3)
        return np.random.default_rng(seed).uniform(0, 255, shape).astype(np.float32)

    return draw


@pytest.fixture(scope="session")
def draw_architecture():
    """A random architecture as the candidates' indices and as a genotype."""

    def draw(space, seed: int):
        choices = two_stream.choices(space)
        random = np.random.default_rng(seed)
        indices = [int(random.integers(len(choice.values))) for choice in choices]
        chosen = {choice.label: choice.values[i] for choice, i in zip(choices, indices, strict=True)}
        return np.array(indices, np.int32), two_stream.pick(space, chosen)

    return draw
