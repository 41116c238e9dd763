"""What tests of several rooms share."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.data import schema, video_dataset


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


@pytest.fixture(scope="module")
def bright_and_dark(tmp_path_factory, write_records):
    """Folder of a data set of two classes and three splits of eight videos each: bright and dark, with noise."""
    folder = tmp_path_factory.mktemp("data")
    draw, splits = np.random.default_rng(0), {}
    for split in ("train", "validation", "test"):
        frames = [draw.integers(80 * (n % 2), 160 + 80 * (n % 2), (20, 18, 20, 3)).astype(np.uint8) for n in range(8)]
        videos = [(f"{split}{n}.mp4", n % 2, frames[n]) for n in range(8)]
        write_records(folder, videos, split=split)
        splits |= json.loads((folder / "manifest.json").read_text())["splits"]
    (folder / "manifest.json").write_text(json.dumps({"splits": splits}))
    return folder
