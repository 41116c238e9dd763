import os

import pytest

from tsnet_tf.data import pipeline
from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.errors import UserError


def test_both_streams_span_the_same_frames():
    dataset = VideoDataset("unused")
    assert dataset.span == 64 == dataset.sparse_frames * dataset.sparse_stride and dataset.sparse_stride == 16


@pytest.mark.parametrize(
    "settings, message",
    [
        (dict(dense_frames=30), "dense_frames to be a multiple of sparse_frames, found 30 and 4"),
        (dict(crop=200), r"train_jitter = .* no less than the crop of 200, found \(182, 228\)"),
        (dict(train_jitter=(228, 182)), "train_jitter"),
        (dict(test_short_side=100), "test_short_side to be no less than the crop of 160, found 100"),
    ],
)
def test_numbers_that_do_not_fit_are_an_error(settings, message):
    with pytest.raises(UserError, match=message):
        VideoDataset("unused", **settings)


def test_labels_and_counts(tmp_path, write_records):
    dataset = VideoDataset(write_records(tmp_path / "data", {"train": [[8, 8], [8]], "test": [[8]]}))
    assert dataset.labels() == ["a", "b", "c"]
    assert dataset.num_videos(["train"]) == 3 and dataset.num_videos(["train", "test"]) == 4
    assert dataset.shards(["train"])[1] == (os.path.join(dataset.directory, "train-00001-of-00002.tfrecord"), 1)


def test_a_missing_folder_or_label_map_is_an_error(tmp_path):
    with pytest.raises(UserError, match="expected records made by bin/prepare_data.py in '.*gone', found no such fold"):
        VideoDataset(str(tmp_path / "gone")).labels()
    with pytest.raises(UserError, match="found no labels.json"):
        VideoDataset(str(tmp_path)).labels()


def test_a_torn_manifest_is_an_error(tmp_path, write_records):
    dataset = VideoDataset(write_records(tmp_path / "data", {"train": [[8]]}))
    (tmp_path / "data" / "manifest.json").write_text('{"splits": {"train": {"vid')
    with pytest.raises(UserError, match="expected what bin/prepare_data.py wrote, found in '.*manifest.json': "):
        dataset.num_videos(["train"])


def test_a_missing_split_or_file_is_an_error(tmp_path, write_records):
    dataset = VideoDataset(write_records(tmp_path / "data", {"train": [[8]], "validation": [[]]}))
    with pytest.raises(UserError, match=r"expected a split of '.*' \(train\), found 'test'"):
        dataset.num_videos(["test"])
    with pytest.raises(UserError, match=r"expected a split of '.*' \(train\), found 'validation'"):
        dataset.num_videos(["validation"])
    os.remove(dataset.shards(["train"])[0][0])
    with pytest.raises(UserError, match="expected the file '.*train-00000-of-00001.tfrecord' that manifest.json names"):
        dataset.num_videos(["train"])


def test_splits_are_checked_together_with_the_settings_that_name_them(tmp_path, write_records):
    dataset = VideoDataset(write_records(tmp_path / "data", {"train": [[8]], "test": [[8]], "validation": [[]]}))
    dataset.check_splits({"search.train_splits": ("train", "test"), "search.test_split": ("test",)})
    message = (
        r"search.validation_splits, search.test_split: expected splits that '.*data' has videos of \(train, test\), "
        "found 'validation', 'tset'; name one of these, or prepare the data with such a split"
    )
    with pytest.raises(UserError, match=message):
        dataset.check_splits(
            {
                "search.train_splits": ("train",),
                "search.validation_splits": ("validation",),
                "search.test_split": ("tset",),
            }
        )
    os.remove(dataset.shards(["test"])[0][0])
    with pytest.raises(UserError, match="expected the file '.*test-00000-of-00001.tfrecord' that manifest.json names"):
        dataset.check_splits({"--split": ("train", "test")})


@pytest.mark.parametrize("splits", ["train", ()])
def test_splits_are_a_list(tmp_path, write_records, splits):
    dataset = VideoDataset(write_records(tmp_path / "data", {"train": [[8]]}))
    with pytest.raises(UserError, match=r"train.train_splits: expected a list of splits such as \('train',\), found"):
        dataset.check_splits({"train.train_splits": splits})


def test_home_stands_in_the_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert VideoDataset("~/data").directory == f"{tmp_path}/data"


@pytest.mark.parametrize("name", ["[a] b", "a*", "a?", "a\\b"])
def test_records_may_be_in_folders_that_look_like_patterns(tmp_path, write_records, name):
    dataset = VideoDataset(
        write_records(tmp_path / name, {"train": [[8, 8]]}), dense_frames=4, dense_stride=1, sparse_frames=2, crop=8,
        train_jitter=(8, 8), test_short_side=8,
    )  # fmt: skip
    clips = pipeline.train_clips(dataset, ["train"], batch_size=2, frames=4, frame_stride=1, seed=0)
    assert next(iter(clips))[0].shape == (2, 4, 8, 8, 3)
