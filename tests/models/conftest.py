"""The demo's two-stream space, and models of it whose weights hide nothing."""

import pathlib

import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

import tsnet_tf.search.step  # noqa: F401 (registers what the gin files name)
from tsnet_tf.kernels import shared_trace
from tsnet_tf.space import two_stream
from tsnet_tf.space.table1 import table1


@pytest.fixture(scope="session")
def space():
    """The demo's space, for five classes."""
    gin.add_config_file_search_path(str(pathlib.Path(__file__).parents[2]))
    gin.parse_config_file("gin/demo/settings.gin")
    settings = gin.get_bindings("table1")
    gin.clear_config()
    return table1(**{**settings, "classes": 5})


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


@pytest.fixture
def with_gpu(monkeypatch):
    """As if a GPU were there, as far as this package asks; what was traced without one is not used again."""
    monkeypatch.setattr(shared_trace, "_FUNCTIONS", {})
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["GPU:0"] if kind == "GPU" else [])
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind=None: ["GPU:0"] if kind == "GPU" else [])
