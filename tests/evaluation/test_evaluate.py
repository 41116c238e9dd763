"""The whole evaluation on a few prepared videos, with a model whose answer is plain to see."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.data import prepare, video_dataset
from tsnet_tf.data.demo_videos import write_video
from tsnet_tf.data.sources import csv_file
from tsnet_tf.errors import UserError
from tsnet_tf.evaluation.evaluate import evaluate, record
from tsnet_tf.space.cost import complexity, smallest
from tsnet_tf.space.table1 import table1

FRAMES, SIZE = 20, 32


class Brightness(keras.Model):
    """Says class 0 of dark clips and class 1 of bright ones."""

    def __init__(self, space):
        super().__init__()
        self.space = space

    def call(self, clips, training=False):
        mean = tf.reduce_mean(tf.cast(clips, tf.float32), axis=[1, 2, 3, 4]) / 255.0
        return tf.stack([1.0 - mean, mean], axis=1) * 10.0


@pytest.fixture(scope="module")
def genotype():
    space = table1(sparse_frames=2, dense_frames=8, sparse_width=0.25, depths=((1,),) * 4, hidden=8, classes=2)
    return smallest(space)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    # Three videos: black "dark", white "light", and a white one that is called "dark".
    rows = ["path,label,split"]
    for name, label, brightness in (("a", "dark", 0), ("b", "light", 255), ("c", "dark", 255)):
        write_video(str(folder / f"{name}.mp4"), np.full((FRAMES, SIZE, 2 * SIZE, 3), brightness, np.uint8))
        rows.append(f"{name}.mp4,{label},test")
    (folder / "annotations.csv").write_text("\n".join(rows) + "\n")
    output = str(tmp_path_factory.mktemp("prepared") / "data")
    annotations = csv_file.read(str(folder / "annotations.csv"))
    prepare.prepare(annotations, output, prepare.Options(str(folder), SIZE, 90, None), labels=None, beam_options="")
    return video_dataset.VideoDataset(
        directory=output,
        dense_frames=8,
        dense_stride=2,
        sparse_frames=2,
        crop=24,
        train_jitter=(28, 32),
        test_short_side=28,
    )


@pytest.mark.parametrize("batch_size", [7, 10])
def test_each_video_counts_once(dataset, genotype, batch_size):
    result = evaluate(Brightness(genotype), dataset, "test", batch_size=batch_size)
    assert (result["videos"], result["views_per_video"]) == (3, 10)
    assert (result["short_side"], result["crop"]) == (28, 24)
    # "dark": one of two right, "light": one of one.
    assert result["top1"] == pytest.approx(2 / 3)
    assert result["top5"] == 1
    assert result["mean_class_accuracy"] == 0.75
    assert result["labels"] == ["dark", "light"]
    assert result["confusion"] == [[1, 1], [0, 1]]


def test_three_crops_cover_the_longer_side(dataset, genotype):
    result = evaluate(Brightness(genotype), dataset, "test", "10-left_center_right")
    assert (result["views_per_video"], result["crop"]) == (30, 28)
    assert result["gmacs_per_view"] == complexity(genotype, 28).gmacs
    assert result["gmacs_per_video"] == pytest.approx(30 * result["gmacs_per_view"])


def test_result_is_recorded_in_the_run_folder(dataset, genotype, tmp_path):
    result = evaluate(Brightness(genotype), dataset, "test")
    record(result, str(tmp_path))
    assert json.loads((tmp_path / "evaluation.json").read_text()) == result


def test_data_set_with_other_classes_is_a_users_mistake(dataset):
    space = smallest(table1(sparse_frames=2, dense_frames=8, classes=5))
    with pytest.raises(UserError, match="expected a data set with the model's 5 classes, found 2"):
        evaluate(Brightness(space), dataset, "test")


def test_unknown_split_is_a_users_mistake(dataset, genotype):
    with pytest.raises(UserError, match="found 'tset'"):
        evaluate(Brightness(genotype), dataset, "tset")
