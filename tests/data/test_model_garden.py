"""The TensorFlow Model Garden reads our records, and we read its."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.data import pipeline, schema
from tsnet_tf.data.video_dataset import VideoDataset

video_input = pytest.importorskip("official.vision.dataloaders.video_input")


def test_its_decoder_and_parser_read_our_records(tmp_path, write_records):
    from official.vision.configs import video_classification

    folder = write_records(tmp_path / "data", {"train": [[80, 80, 80]]}, height=16, width=20)
    config = video_classification.DataConfig(
        feature_shape=(8, 12, 12, 3), temporal_stride=2, min_image_size=16, num_classes=3, is_training=False
    )
    decoder, parser = video_input.Decoder(), video_input.Parser(config)
    found = []
    for record in tf.data.TFRecordDataset(f"{folder}/train-00000-of-00001.tfrecord"):
        features, label = parser.parse_fn(is_training=False)(decoder.decode(record))
        assert features["image"].shape == (8, 12, 12, 3) and features["image"].dtype == tf.float32
        # The middle 16 of 80 frames start at 32; frame i of the n-th video is grey at level 3 i + n.
        levels = (3 * (32 + 2 * np.arange(8)) + len(found)) / 255
        np.testing.assert_allclose(features["image"][:, 5, 5, 0], levels, atol=1.5 / 255)
        found.append(label.numpy().tolist())
    assert found == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_we_read_the_records_of_its_test_utilities(tmp_path):
    from official.vision.dataloaders import tfexample_utils

    examples = [tfexample_utils.make_video_test_example(image_shape=(36, 48, 3), label=label) for label in (2, 0, 1)]
    path = tmp_path / "train-00000-of-00001.tfrecord"
    tfexample_utils.dump_to_tfrecord(str(path), examples)
    (tmp_path / "labels.json").write_text(json.dumps(["a", "b", "c"]))
    contents = {"train": {"videos": 3, "videos_per_shard": [3]}}
    (tmp_path / "manifest.json").write_text(json.dumps({"splits": contents}))
    dataset = VideoDataset(str(tmp_path), crop=24, train_jitter=(28, 32), test_short_side=28)

    clip, labels = next(iter(pipeline.train_clips(dataset, ["train"], batch_size=3, frames=4, frame_stride=16, seed=0)))
    assert clip.shape == (3, 4, 24, 24, 3) and sorted(labels.numpy()) == [0, 1, 2]
    batch = next(iter(pipeline.test_clips(dataset, "train", batch_size=3, frames=4, frame_stride=16, views=1)))
    assert batch["clip"].shape == (3, 4, 24, 24, 3) and batch["label"].numpy().tolist() == [2, 0, 1]
    for example in examples:
        assert schema.fault(example.SerializeToString(), 3) is None
