"""Small records and videos with contents that can be worked out by hand."""

import json
import os

import av
import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf import console
from tsnet_tf.data import schema


@pytest.fixture
def said(monkeypatch):
    """Returns the list of the lines that are said to the user."""
    lines = []
    monkeypatch.setattr(console, "say", lines.append)
    return lines


@pytest.fixture
def write_records():
    """Returns a function that writes records whose frame i is uniformly grey, at level 3 i (+ 1 per video)."""

    def write(folder, splits, *, height=16, width=20, labels=("a", "b", "c")):
        os.makedirs(folder, exist_ok=True)
        contents = {}
        for split, shards in splits.items():
            number = 0
            for index, shard in enumerate(shards):
                path = os.path.join(folder, f"{split}-{index:05d}-of-{len(shards):05d}.tfrecord")
                with tf.io.TFRecordWriter(path) as writer:
                    for frames in shard:
                        jpegs = [grey_jpeg(3 * frame + number, height, width) for frame in range(frames)]
                        writer.write(
                            schema.serialize_video(
                                jpegs,
                                height=height,
                                width=width,
                                frame_rate=30.0,
                                label_index=number % len(labels),
                                label_text=labels[number % len(labels)],
                                media_id=f"{split}/{number}.mp4",
                            )
                        )
                        number += 1
            contents[split] = {"videos": number, "videos_per_shard": [len(shard) for shard in shards]}
        with open(os.path.join(folder, "labels.json"), "w") as file:
            json.dump(list(labels), file)
        with open(os.path.join(folder, "manifest.json"), "w") as file:
            json.dump({"splits": contents}, file)
        return str(folder)

    return write


def grey_jpeg(level, height, width):
    return tf.io.encode_jpeg(np.full([height, width, 3], level, np.uint8), quality=100).numpy()


@pytest.fixture
def write_video():
    """Returns a function that writes an H.264 file of ``frames`` frames; frame i is grey at level 20 + 5 i."""

    def write(path, *, frames=12, height=36, width=48, rate=25):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=rate, options={"qp": "4"})
            stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
            for index in range(frames):
                picture = np.full([height, width, 3], 20 + 5 * index, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
        return str(path)

    return write
