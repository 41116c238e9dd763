"""A small SavedModel whose answer is plain to see, and a real model with the data it was made for."""

import keras
import pytest
import tensorflow as tf

from tsnet_tf.export.saved_model import export

LABELS = ["green", "none", "red"]
SETTINGS = {"frames": 2, "frame_stride": 3, "short_side": 8, "crop": 6}


class Reddest(keras.Model):
    """Logits: mean green, 0, mean red of the clip; a model with one weight."""

    def __init__(self):
        super().__init__()
        self.gain = self.add_weight(name="gain", shape=(), initializer="ones")

    def call(self, clips, training=False):
        mean = tf.reduce_mean(tf.cast(clips, tf.float32), axis=[1, 2, 3]) / 255.0
        return self.gain * tf.stack([mean[:, 1], tf.zeros_like(mean[:, 0]), mean[:, 0]], axis=1)


@pytest.fixture(scope="session")
def reddest():
    """The model, its labels and its settings."""
    return Reddest(), LABELS, SETTINGS


@pytest.fixture(scope="session")
def saved(reddest, tmp_path_factory):
    """Folder of its SavedModel."""
    model, labels, settings = reddest
    output = str(tmp_path_factory.mktemp("export") / "saved_model")
    export(model, labels, output, **settings)
    return output
