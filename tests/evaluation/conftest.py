"""Records whose contents can be worked out by hand, and a model whose answer is plain to see."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.space.cost import smallest
from tsnet_tf.space.table1 import table1


@pytest.fixture(scope="session")
def genotype():
    """For clips of 8 frames, 2 of them the sparse stream's, and two classes."""
    space = table1(sparse_frames=2, dense_frames=8, sparse_width=0.25, depths=((1,),) * 4, hidden=8, classes=2)
    return smallest(space)


def grey(level, frames=20, height=32, width=64):
    return np.full((frames, height, width, 3), level, np.uint8)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory, write_records):
    """Three videos: black "dark", white "light", and a white one that is called "dark"."""
    videos = [("a.mp4", 0, grey(0)), ("b.mp4", 1, grey(255)), ("c.mp4", 0, grey(255))]
    return write_records(tmp_path_factory.mktemp("records"), videos)


class Brightness(keras.Model):
    """Says class 0 of dark clips and class 1 of bright ones."""

    def __init__(self, space):
        super().__init__()
        self.space = space

    def call(self, clips, training=False):
        mean = tf.reduce_mean(tf.cast(clips, tf.float32), axis=[1, 2, 3, 4]) / 255.0
        return tf.stack([1.0 - mean, mean], axis=1) * 10.0


@pytest.fixture(scope="session")
def brightness(genotype):
    return Brightness(genotype)
