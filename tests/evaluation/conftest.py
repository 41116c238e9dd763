"""Records whose contents can be worked out by hand, and a model whose answer is plain to see."""

import json
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.data import schema, video_dataset
from tsnet_tf.space.cost import smallest
from tsnet_tf.space.table1 import table1


@pytest.fixture(scope="session")
def genotype():
    """For clips of 8 frames, 2 of them the sparse stream's, and two classes."""
    space = table1(sparse_frames=2, dense_frames=8, sparse_width=0.25, depths=((1,),) * 4, hidden=8, classes=2)
    return smallest(space)


@pytest.fixture(scope="session")
def write_records():
    """Returns a function that writes a data set of one shard; its videos are (name, class, frames)."""

    def write(folder, videos, labels=("dark", "light"), split="test", claimed=None):
        os.makedirs(folder, exist_ok=True)
        with tf.io.TFRecordWriter(os.path.join(folder, f"{split}-00000-of-00001.tfrecord")) as writer:
            for name, label, frames in videos:
                writer.write(
                    schema.serialize_video(
                        [tf.io.encode_jpeg(frame, quality=95).numpy() for frame in frames],
                        height=frames.shape[1],
                        width=frames.shape[2],
                        frame_rate=30.0,
                        label_index=label,
                        label_text=labels[label],
                        media_id=name,
                    )
                )
        count = len(videos) if claimed is None else claimed
        with open(os.path.join(folder, "labels.json"), "w") as file:
            json.dump(list(labels), file)
        with open(os.path.join(folder, "manifest.json"), "w") as file:
            json.dump({"splits": {split: {"videos": count, "videos_per_shard": [count]}}}, file)
        return video_dataset.VideoDataset(
            directory=str(folder),
            dense_frames=8,
            dense_stride=2,
            sparse_frames=2,
            crop=24,
            train_jitter=(28, 32),
            test_short_side=28,
        )

    return write


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
