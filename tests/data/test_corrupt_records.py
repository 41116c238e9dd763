"""Records that cannot be used: one line with the file and the record's number, or left out and counted."""

import dataclasses
import os

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.data import pipeline, schema
from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.errors import UserError, raised_in_graph

SPARSE = dict(frames=4, frame_stride=16)


@pytest.fixture(params=["memory", "files"])
def dataset(request, tmp_path, write_records):
    """Two files of three training videos, and one of three test videos."""
    folder = write_records(tmp_path / "data", {"train": [[64] * 3, [64] * 3], "test": [[64] * 3]})
    megabytes = 512 if request.param == "memory" else 0
    return VideoDataset(folder, crop=12, train_jitter=(14, 18), test_short_side=16, cache_megabytes=megabytes)


def rewrite(path, number, change):
    """Replaces a record of a file; ``change`` takes and returns its bytes.

    The file says that it was written seconds later: TensorFlow's file systems tell times in whole seconds, and a file
    of the same size and second is not read again (`records.load`).
    """
    found = [record.numpy() for record in tf.data.TFRecordDataset(path)]
    written = os.stat(path).st_mtime
    found[number] = change(found[number])
    with tf.io.TFRecordWriter(path) as writer:
        for record in found:
            writer.write(record)
    os.utime(path, (written + 2, written + 2))


def with_label(label):
    def change(record):
        example = tf.train.SequenceExample.FromString(record)
        example.context.feature[schema.LABEL_INDEX].int64_list.value[0] = label
        return example.SerializeToString()

    return change


def with_frame(content):
    def change(record):
        example = tf.train.SequenceExample.FromString(record)
        for frame in example.feature_lists.feature_list[schema.IMAGE].feature:
            frame.bytes_list.value[0] = content
        return example.SerializeToString()

    return change


def of_another_schema(_):
    feature = tf.train.Feature(int64_list=tf.train.Int64List(value=[3]))
    return tf.train.Example(features=tf.train.Features(feature={"image/class/label": feature})).SerializeToString()


def tear(path):
    """Cuts a file off in the middle of its last record."""
    content = open(path, "rb").read()
    with open(path, "wb") as file:
        file.write(content[: len(content) - 500])


def second(dataset, split="train"):
    return dataset.shards([split])[-1][0]


FAULTS = {  # name: (what is done to the second file, number of the record, words of the message)
    "torn": (tear, 2, "the file torn there, with 1 of 3 records lost"),
    "schema": (
        lambda path: rewrite(path, 1, of_another_schema), 1, "one without image/encoded (is it of another schema?)",
    ),
    "no_example": (
        lambda path: rewrite(path, 1, lambda _: b"\xff" * 40), 1, "bytes that are no tf.train.SequenceExample",
    ),
    "label": (lambda path: rewrite(path, 0, with_label(7)), 0, "the label 7, of 3 classes"),
    "negative_label": (lambda path: rewrite(path, 0, with_label(-1)), 0, "the label -1, of 3 classes"),
    "jpeg": (lambda path: rewrite(path, 2, with_frame(b"GIF")), 2, "frame 0 that is no JPEG"),
}  # fmt: skip


def message_of(action):
    """The one line that a binary would print."""
    with pytest.raises((UserError, tf.errors.OpError)) as caught:
        action()
    return str(caught.value) if isinstance(caught.value, UserError) else raised_in_graph(caught.value)


def read_all(dataset):
    clips = pipeline.train_clips(dataset, ["train"], batch_size=1, seed=0, repeat=False, **SPARSE)
    return [int(label[0]) for _, label in clips]


@pytest.mark.parametrize("fault", FAULTS)
def test_the_line_names_file_and_record(dataset, fault):
    damage, number, words = FAULTS[fault]
    assert sorted(read_all(dataset)) == [0, 0, 1, 1, 2, 2]
    damage(second(dataset))
    expected = f"record {number} of '{second(dataset)}': expected the frames and label of a video, found {words}"
    assert message_of(lambda: read_all(dataset)) == expected


@pytest.mark.parametrize("fault", ["torn", "schema", "jpeg"])
def test_so_many_are_left_out_and_counted(dataset, fault, capsys):
    damage, number, words = FAULTS[fault]
    damage(second(dataset))
    tolerant = dataclasses.replace(dataset, max_corrupt_records=1)
    labels = read_all(tolerant)
    assert sorted(labels) == sorted([0, 1, 2] + [label for label in (0, 1, 2) if label != number])
    warning = capsys.readouterr().err
    assert warning.count("\n") == 1 and words in warning and "left out (1 of at most 1 records)" in warning


def test_one_more_than_allowed_is_an_error(dataset):
    for number, path in enumerate(path for path, _ in dataset.shards(["train"])):
        rewrite(path, number, with_label(9))
    tolerant = dataclasses.replace(dataset, max_corrupt_records=1)
    assert message_of(lambda: read_all(tolerant)).endswith("VideoDataset.max_corrupt_records allows 1")


@pytest.mark.parametrize("dataset", ["files"], indirect=True)
@pytest.mark.parametrize("fault", ["torn", "label", "jpeg"])
def test_evaluation_names_them_too_or_leaves_them_out(dataset, fault):
    damage, number, words = FAULTS[fault]
    damage(second(dataset, "test"))

    def videos(dataset):
        batches = pipeline.test_clips(dataset, "test", batch_size=4, views=2, **SPARSE)
        return np.concatenate([batch["label"].numpy() for batch in batches]).tolist()

    found = message_of(lambda: videos(dataset))
    assert found.startswith(f"record {number} of '{second(dataset, 'test')}'") and words in found
    kept = videos(dataclasses.replace(dataset, max_corrupt_records=1))
    assert kept == [label for label in (0, 0, 1, 1, 2, 2) if label != number]


@pytest.mark.parametrize("dataset", ["files"], indirect=True)
def test_a_fault_is_counted_once_however_often_it_comes(dataset, capsys):
    rewrite(second(dataset), 1, with_label(9))
    tear(second(dataset))
    tolerant = dataclasses.replace(dataset, max_corrupt_records=2)
    clips = pipeline.train_clips(tolerant, ["train"], batch_size=4, seed=0, **SPARSE)  # of 4 usable videos
    rounds = [sorted(label.numpy()) for _, label in clips.take(3)]
    assert rounds == [[0, 0, 1, 2]] * 3 and capsys.readouterr().err.count("left out") == 2


def test_more_records_than_the_manifest_says_are_told_or_left_out(dataset, capsys):
    record = next(iter(tf.data.TFRecordDataset(second(dataset)))).numpy()
    with tf.io.TFRecordWriter(second(dataset)) as writer:
        for _ in range(5):
            writer.write(record)
    assert message_of(lambda: read_all(dataset)).endswith("found 2 records more than manifest.json says")
    assert sorted(read_all(dataclasses.replace(dataset, max_corrupt_records=2))) == [0, 0, 0, 0, 1, 2]
    assert "(2 of at most 2 records)" in capsys.readouterr().err


def test_a_missing_file_is_named(dataset):
    os.remove(second(dataset))
    with pytest.raises(UserError, match="expected the file '.*train-00001-of-00002.tfrecord' that manifest.json names"):
        read_all(dataset)


@pytest.mark.slow
def test_a_binary_prints_one_line(programs, tmp_path, write_records):
    folder = write_records(tmp_path / "data", {split: [[40] * 2] for split in ("train", "validation", "test")})
    path = f"{folder}/train-00000-of-00001.tfrecord"
    rewrite(path, 1, with_frame(b"GIF"))
    settings = [f"data_dir = '{folder}'", "batch_size = 2"]
    settings += [f"VideoDataset.{s}" for s in ("dense_frames = 16", "crop = 12", "train_jitter = (12, 16)")]
    done = programs.run(
        "train.py",
        "--gin_file=gin/demo/train.gin",
        "--genotype=x3d_xs",
        f"--workdir={tmp_path}/run",
        *(f"--gin_bindings={setting}" for setting in [*settings, "VideoDataset.test_short_side = 12"]),
        code=2,
    )
    assert done.stderr.splitlines() == [
        f"error: record 1 of '{path}': expected the frames and label of a video, found frame 0 that is no JPEG"
    ]
