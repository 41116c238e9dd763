"""The whole evaluation on a few records, with models whose answer is plain to see."""

import csv
import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf import console
from tsnet_tf.data import schema
from tsnet_tf.errors import UserError
from tsnet_tf.evaluation import predictions
from tsnet_tf.evaluation.evaluate import check_labels, evaluate, evaluation, predict_videos, probabilities_of
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.space.cost import complexity, smallest
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import only


@pytest.fixture
def warned(monkeypatch):
    lines = []
    monkeypatch.setattr(console, "warn", lines.append)
    return lines


@pytest.mark.parametrize("batch_size", [1, 7, 10, 64])
def test_each_video_counts_once(dataset, brightness, batch_size):
    result = evaluate(brightness, dataset, "test", batch_size=batch_size)
    assert (result["videos"], result["views_per_video"]) == (3, 10)
    assert (result["short_side"], result["crop"]) == (28, 24)
    # "dark": one of two right, "light": one of one.
    assert result["top1"] == pytest.approx(2 / 3)
    assert result["top5"] == 1
    assert result["top1_interval"] == pytest.approx([0.2077, 0.9385], abs=1e-4)
    assert result["mean_class_accuracy"] == 0.75
    # All three are called with the probability 1 / (1 + e^-10), nearly 1; two of three rightly.
    assert result["calibration_error"] == pytest.approx(1 / (1 + np.exp(-10)) - 2 / 3, abs=1e-6)
    assert result["labels"] == ["dark", "light"]
    assert result["confusion"] == [[1, 1], [0, 1]]
    assert [row["accuracy"] for row in result["per_class"]] == [0.5, 1.0]


def test_three_crops_cover_the_longer_side(dataset, brightness, genotype):
    result = evaluate(brightness, dataset, "test", "10-left_center_right")
    assert (result["views_per_video"], result["crop"]) == (30, 28)
    assert result["gmacs_per_view"] == complexity(genotype, 28).gmacs
    assert result["gmacs_per_video"] == pytest.approx(30 * result["gmacs_per_view"])


class RandomProjection(keras.Model):
    """Logits: a random matrix times the mean colours of the four quarters of the first and the last frame."""

    def __init__(self, space):
        super().__init__()
        self.space = space
        self.matrix = np.random.default_rng(1).normal(size=(2 * 4 * 3, 2)).astype(np.float32)

    def call(self, clips, training=False):
        ends = tf.cast(clips[:, :: clips.shape[1] - 1], tf.float32) / 255.0
        half = clips.shape[2] // 2
        quarters = [ends[:, :, y : y + half, x : x + half] for y in (0, half) for x in (0, half)]
        means = tf.stack([tf.reduce_mean(quarter, [2, 3]) for quarter in quarters], 2)
        return 40.0 * tf.reshape(means, [-1, 24]) @ self.matrix


def by_hand(dataset, matrix, views, crops):
    """Mean probabilities of every video, written out in NumPy: frames, views, crops, softmax, mean."""
    means = []
    for record in tf.data.TFRecordDataset([path for path, _ in dataset.shards(["test"])]):
        frames = np.stack([tf.io.decode_jpeg(f, dct_method="INTEGER_ACCURATE") for f in schema.parse_video(record)[0]])
        length, height, width = frames.shape[:3]
        side = 24 if crops == 1 else 28
        probabilities = []
        for view in range(views):
            start = int(np.floor(view * max(length - 16, 0) / (views - 1) + 0.5))
            clip = frames[np.minimum(start + 2 * np.arange(8), length - 1)]
            for place in range(crops):
                along = (width - side) // 2 if crops == 1 else (0, (width - side) // 2, width - side)[place]
                top = (height - side) // 2
                cut = clip[[0, -1], top : top + side, along : along + side] / 255.0
                half = side // 2
                quarters = [cut[:, y : y + half, x : x + half].mean((1, 2)) for y in (0, half) for x in (0, half)]
                logits = 40.0 * np.stack(quarters, 1).reshape(-1) @ matrix.astype(np.float64)
                weights = np.exp(logits - logits.max())
                probabilities.append(weights / weights.sum())
        means.append(np.mean(probabilities, axis=0))
    return np.array(means)


@pytest.mark.parametrize("views, crops", [("10-center", 1), ("10-left_center_right", 3), ("3-center", 1)])
def test_protocols_equal_a_plain_computation(tmp_path, write_records, genotype, views, crops):
    """Random videos of the tested short side, so that there is no resizing between."""
    draw = np.random.default_rng(0)

    def video(frames, width):
        blocks = draw.integers(0, 256, (frames, 4, width // 7, 3), np.uint8)
        return blocks.repeat(7, axis=1).repeat(7, axis=2)

    videos = [(f"{i}.mp4", i % 2, video(*size)) for i, size in enumerate([(30, 56), (12, 28), (41, 35), (16, 49)])]
    dataset, model = write_records(tmp_path, videos), RandomProjection(genotype)
    found = predict_videos(probabilities_of(model), genotype, dataset, "test", views, 7)
    expected = by_hand(dataset, model.matrix, int(views.split("-")[0]), crops)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-5)
    assert np.ptp(expected[:, 0]) > 0.2  # the views are not all the same


def test_results_are_left_in_the_run_folder(dataset, brightness, tmp_path):
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    result = evaluation(brightness, ["dark", "light"], dataset, strategy, str(tmp_path), views="3-Center")
    assert json.loads((tmp_path / "evaluation.json").read_text()) == result and result["views"] == "3-center"
    assert (result["missing"], result["repeated"], result["precise_bn_batches"]) == ([], [], 0)
    rows = list(csv.DictReader((tmp_path / "predictions" / "test_3-center.csv").open()))
    assert [row["video"] for row in rows] == ["a.mp4", "b.mp4", "c.mp4"]
    assert [row["label"] for row in rows] == ["dark", "light", "dark"]
    assert [row["predicted"] for row in rows] == ["dark", "light", "light"]
    assert [row["right"] for row in rows] == ["1", "1", "0"] and {row["probability"] for row in rows} == {"1.0000"}
    found = predictions.read(str(tmp_path / "predictions" / "test_3-center.npz"))
    assert found.videos == ["a.mp4", "b.mp4", "c.mp4"] and found.classes == ["dark", "light"]
    assert found.right.tolist() == [True, True, False] and found.labels.tolist() == [0, 1, 0]
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, rtol=1e-6)


def grey(level):
    return np.full((16, 32, 32, 3), level, np.uint8)


def test_videos_missing_or_double_are_counted_and_named(tmp_path, write_records, brightness, warned):
    # A repeated video must not count twice: wrong both times, it would bring top-1 down to 1/3 instead of 1/2.
    videos = [("good.mp4", 0, grey(0)), ("twice.mp4", 0, grey(255)), ("twice.mp4", 0, grey(255))]
    dataset = dataclasses.replace(write_records(tmp_path / "data", videos, claimed=5), max_corrupt_records=2)
    (tmp_path / "data" / "rejects.csv").write_text(
        "path,label,split,reason\nbroken.mp4,dark,test,has no frames\nother.mp4,dark,train,is missing\n"
    )
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    result = evaluation(brightness, ["dark", "light"], dataset, strategy, str(tmp_path / "run"), views="1-center")
    assert (result["videos"], result["top1"]) == (2, 0.5)
    shard = "test-00000-of-00001.tfrecord"
    assert result["missing"] == [f"{shard}, record 3", f"{shard}, record 4", "broken.mp4"]
    assert result["repeated"] == ["twice.mp4"]
    assert [line for line in warned if line.startswith("test: ")] == [
        f"test: 3 videos are missing: {shard}, record 3, {shard}, record 4, broken.mp4",
        "test: 1 video is there more than once and counted once: twice.mp4",
    ]


def test_more_records_than_the_manifest_says(tmp_path, write_records, brightness):
    dataset = write_records(tmp_path, [("a.mp4", 0, grey(0)), ("b.mp4", 0, grey(0))], claimed=1)
    with pytest.raises(UserError, match="expected 1 record in '.*tfrecord' as manifest.json says, found 2"):
        evaluate(brightness, dataset, "test")


def test_torn_file_is_named(tmp_path, write_records, brightness):
    dataset = write_records(tmp_path, [("a.mp4", 0, grey(0)), ("b.mp4", 0, grey(0))])
    path = tmp_path / "test-00000-of-00001.tfrecord"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="expected 2 whole records in '.*tfrecord', found after 1: "):
        evaluate(brightness, dataset, "test")


def test_data_set_with_other_classes_is_a_users_mistake(dataset, brightness):
    space = smallest(table1(sparse_frames=2, dense_frames=8, classes=5))
    with pytest.raises(UserError, match="expected a data set with the model's 5 classes, found 2"):
        evaluate(type(brightness)(space), dataset, "test")


def test_data_set_with_other_labels_is_a_users_mistake(dataset):
    check_labels(["dark", "light"], dataset)
    with pytest.raises(UserError, match="with the model's 3 classes, found 2"):
        check_labels(["dark", "light", "blue"], dataset)
    with pytest.raises(UserError, match="the model's classes, 'light' as number 0, found 'dark' in"):
        check_labels(["light", "dark"], dataset)


def test_unknown_split_is_a_users_mistake(dataset, brightness):
    with pytest.raises(UserError, match="found 'tset'"):
        evaluate(brightness, dataset, "tset")


def test_precise_bn_measures_the_training_clips(tmp_path, write_records):
    """Running statistics are the checkpoint's, or those of the training clips if asked for."""
    space = table1(sparse_frames=2, dense_frames=8, sparse_width=0.25, depths=((1,),), hidden=8, classes=2)
    model = TwoStreamModel(smallest(only(space, ("sparse",))))
    draw = np.random.default_rng(0)
    videos = [(f"{i}.mp4", i % 2, draw.integers(0, 256, (16, 32, 32, 3), np.uint8)) for i in range(4)]
    dataset = write_records(tmp_path / "data", videos)
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    norm = model.stems[0].norm
    run = (model, ["dark", "light"], dataset, strategy, str(tmp_path / "run"))
    evaluation(*run, views="1-center")
    np.testing.assert_array_equal(norm.moving_mean, np.zeros(norm.channels))
    result = evaluation(
        *run, views="1-center", precise_bn_batches=2, precise_bn_batch_size=2, precise_bn_splits=("test",)
    )
    assert result["precise_bn_batches"] == 2
    assert np.abs(norm.moving_mean).min() > 0
