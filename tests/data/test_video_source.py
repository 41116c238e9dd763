"""Memory and files are mapped alike: every video once a round, each with a number of its own."""

import dataclasses

import pytest
import tensorflow as tf

from tsnet_tf.data import clips, records, video_source
from tsnet_tf.data.video_dataset import VideoDataset


@pytest.fixture(params=["memory", "files"])
def dataset(request, tmp_path, write_records):
    """Six training videos of 1 to 6 frames, in three files."""
    folder = write_records(tmp_path / "data", {"train": [[1, 2], [3, 4], [5, 6]]})
    megabytes = 512 if request.param == "memory" else 0
    return VideoDataset(folder, crop=12, train_jitter=(14, 18), test_short_side=16, cache_megabytes=megabytes)


ORDER = video_source.Order(seed=1, batch_size=3, pipelines=1, pipeline=0, repeat=False, skip_batches=0)


def opened(dataset, **changed):
    return video_source.open_source(
        dataset, ["train"], dataclasses.replace(ORDER, **changed), records.Faults(0, len(dataset.labels()))
    )


def mapped(dataset, **changed):
    return list(opened(dataset, **changed).map(lambda index, video: (index, video.count)).as_numpy_iterator())


def test_one_round_has_every_video_and_what_is_skipped_is_its_beginning(dataset):
    whole = mapped(dataset)
    assert [index for index, _ in whole] == list(range(6))
    assert sorted(count for _, count in whole) == [1, 2, 3, 4, 5, 6]
    assert mapped(dataset, skip_batches=1) == whole[3:]


def test_pipelines_share_videos_and_numbers(dataset):
    parts = [mapped(dataset, pipelines=3, pipeline=number) for number in range(3)]
    assert [len(part) for part in parts] == [2, 2, 2]
    assert sorted(index for part in parts for index, _ in part) == list(range(6))
    assert sorted(count for part in parts for _, count in part) == [1, 2, 3, 4, 5, 6]


def test_a_video_gives_frames_by_their_numbers_in_it(dataset):
    # Frame i of the n-th video is grey at level 3 i + n, and the n-th video has n + 1 frames.
    def last_frame(_, video):
        frame = clips.decode_frame(video.jpegs(video.count[tf.newaxis] - 1)[0])
        return video.count, tf.reduce_mean(tf.cast(frame, tf.float32))

    for count, level in opened(dataset).map(last_frame).as_numpy_iterator():
        assert level == pytest.approx(3 * (count - 1) + count - 1, abs=1)
