import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.data import pipeline
from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.errors import UserError

DENSE = dict(frames=32, frame_stride=2)
SPARSE = dict(frames=4, frame_stride=16)


@pytest.fixture
def dataset(tmp_path, write_records):
    """6 training videos of 80 frames in 3 files, and 3 test videos of 80, 80 and 40 frames; 16 x 20 pixels."""
    folder = write_records(tmp_path / "data", {"train": [[80, 80], [80, 80], [80, 80]], "test": [[80, 80], [40]]})
    return VideoDataset(folder, crop=12, train_jitter=(14, 18), test_short_side=16)


def _take(clips, count):
    return [(clip.numpy(), label.numpy()) for clip, label in clips.take(count)]


def _assert_equal(first, second):
    assert len(first) == len(second)
    for (clip, label), (other_clip, other_label) in zip(first, second, strict=False):
        np.testing.assert_array_equal(label, other_label)
        np.testing.assert_array_equal(clip, other_clip)


def test_batches_have_the_promised_shapes_statically(dataset):
    spec = pipeline.train_clips(dataset, ["train"], batch_size=4, seed=0, **DENSE).element_spec
    assert spec == (tf.TensorSpec([4, 32, 12, 12, 3], tf.uint8), tf.TensorSpec([4], tf.int32))
    spec = pipeline.test_clips(dataset, "test", batch_size=4, **SPARSE).element_spec
    assert spec["clip"] == tf.TensorSpec([None, 4, 12, 12, 3], tf.uint8)


def test_the_sparse_stream_is_every_eighth_dense_frame(dataset):
    dense = _take(pipeline.train_clips(dataset, ["train"], batch_size=3, seed=1, **DENSE), 4)
    sparse = _take(pipeline.train_clips(dataset, ["train"], batch_size=3, seed=1, **SPARSE), 4)
    _assert_equal([(clip[:, ::8], label) for clip, label in dense], sparse)
    dense = list(pipeline.test_clips(dataset, "test", batch_size=5, **DENSE))
    sparse = list(pipeline.test_clips(dataset, "test", batch_size=5, **SPARSE))
    for one, other in zip(dense, sparse, strict=False):
        np.testing.assert_array_equal(one["clip"][:, ::8], other["clip"])


def test_a_training_clip_shows_frames_at_the_stride(dataset):
    # Frame i of the n-th video is grey at level 3 i + n: at stride 2 the level rises by 6 a frame.
    clip, _ = _take(pipeline.train_clips(dataset, ["train"], batch_size=6, seed=0, **DENSE), 1)[0]
    levels = clip.astype(int).mean(axis=(2, 3, 4))
    np.testing.assert_allclose(np.diff(levels, axis=1), 6, atol=1)
    assert levels[:, 0].max() <= 3 * 16 + 5 + 1


@pytest.mark.parametrize("cache_megabytes", [512, 0])
def test_a_round_shows_every_video_once_and_the_next_is_in_another_order(dataset, cache_megabytes):
    dataset = dataclasses.replace(dataset, cache_megabytes=cache_megabytes, shuffle_buffer=6)
    rounds = _take(pipeline.train_clips(dataset, ["train"], batch_size=6, seed=3, **SPARSE), 4)
    labels = [label.tolist() for _, label in rounds]
    assert all(sorted(label) == [0, 0, 1, 1, 2, 2] for label in labels)
    assert len({tuple(label) for label in labels}) > 1


@pytest.mark.parametrize("cache_megabytes", [512, 0])
def test_the_seed_alone_decides_the_clips(dataset, cache_megabytes):
    dataset = dataclasses.replace(dataset, cache_megabytes=cache_megabytes)

    def clips(seed):
        return _take(pipeline.train_clips(dataset, ["train"], batch_size=2, seed=seed, **SPARSE), 7)

    first = clips(0)
    _assert_equal(first, clips(0))
    assert any((clip != other).any() for (clip, _), (other, _) in zip(first, clips(1), strict=False))


@pytest.mark.parametrize("cache_megabytes", [512, 0])
@pytest.mark.parametrize("skipped", [1, 5])
def test_a_resumed_run_gets_the_clips_it_would_have_got(dataset, cache_megabytes, skipped):
    dataset = dataclasses.replace(dataset, cache_megabytes=cache_megabytes)

    def clips(skip):
        return pipeline.train_clips(dataset, ["train"], batch_size=4, seed=2, skip_batches=skip, **SPARSE)

    _assert_equal(_take(clips(0), 8)[skipped:], _take(clips(skipped), 8 - skipped))


@pytest.mark.parametrize("cache_megabytes", [512, 0])
def test_without_repeat_it_ends_after_the_last_whole_batch(dataset, cache_megabytes):
    dataset = dataclasses.replace(dataset, cache_megabytes=cache_megabytes)
    arguments = dict(batch_size=4, seed=0, repeat=False, **SPARSE)
    assert len(list(pipeline.train_clips(dataset, ["train"], **arguments))) == 1
    assert len(list(pipeline.train_clips(dataset, ["train"], skip_batches=1, **arguments))) == 0


def _as_pipeline(number, replicas=2):
    return tf.distribute.InputContext(2, number, replicas)


def test_two_pipelines_share_the_steps_of_one(dataset):
    arguments = dict(batch_size=4, seed=5, **SPARSE)
    whole = _take(pipeline.train_clips(dataset, ["train"], **arguments), 5)
    parts = [
        _take(pipeline.train_clips(dataset, ["train"], input_context=_as_pipeline(number), **arguments), 5)
        for number in range(2)
    ]
    joined = [
        (np.concatenate([a, b]), np.concatenate([label_a, label_b]))
        for (a, label_a), (b, label_b) in zip(*parts, strict=False)
    ]
    _assert_equal(joined, whole)


def test_two_pipelines_that_stream_read_different_files(dataset):
    dataset = dataclasses.replace(dataset, cache_megabytes=0)
    arguments = dict(batch_size=4, seed=5, repeat=False, **SPARSE)
    # The files hold labels (0, 1), (2, 0), (1, 2): the first pipeline has the first and the third.
    parts = [
        np.concatenate([b[1] for b in _take(pipeline.train_clips(dataset, ["train"], input_context=c, **arguments), 9)])
        for c in (_as_pipeline(0), _as_pipeline(1))
    ]
    assert len(parts[0]) == len(parts[1]) == 2  # as many steps as the smaller part allows
    assert set(parts[1]) == {0, 2}


def test_a_file_without_videos_is_nobody_s_share(tmp_path, write_records):
    folder = write_records(tmp_path / "data", {"train": [[80, 80], [], [80, 80]]})
    dataset = VideoDataset(folder, crop=12, train_jitter=(14, 18), test_short_side=16, cache_megabytes=0)
    for number in range(2):
        arguments = dict(batch_size=4, seed=5, repeat=False, input_context=_as_pipeline(number), **SPARSE)
        assert len(list(pipeline.train_clips(dataset, ["train"], **arguments))) == 1


def test_without_flips_the_left_stays_left(tmp_path, write_records):
    import os

    from tsnet_tf.data import schema

    folder = write_records(tmp_path / "data", {"train": [[1]]})
    picture = np.zeros([16, 20, 3], np.uint8)
    picture[:, 10:] = 255
    record = schema.serialize_video(
        [tf.io.encode_jpeg(picture, quality=100).numpy()] * 64,
        height=16, width=20, frame_rate=30.0, label_index=0, label_text="a", media_id="x",
    )  # fmt: skip
    with tf.io.TFRecordWriter(os.path.join(folder, "train-00000-of-00001.tfrecord")) as writer:
        writer.write(record)
    brighter_right = {}
    for flip in (False, True):
        dataset = VideoDataset(folder, crop=16, train_jitter=(16, 16), test_short_side=16, flip=flip)
        clips = _take(pipeline.train_clips(dataset, ["train"], batch_size=40, seed=0, **SPARSE), 1)[0][0]
        brighter_right[flip] = int((clips[:, 0, :, -1, 0] > clips[:, 0, :, 0, 0]).all(axis=1).sum())
    assert brighter_right[False] == 40 and 8 < brighter_right[True] < 32


@pytest.mark.parametrize("crops, views_per_video", [("center", 3), ("left_center_right", 9)])
def test_test_views_of_a_video_follow_one_another_and_the_last_batch_is_kept(dataset, crops, views_per_video):
    batches = list(pipeline.test_clips(dataset, "test", batch_size=4, views=3, crops=crops, **SPARSE))
    total = 3 * views_per_video
    assert [len(batch["label"]) for batch in batches] == [4] * (total // 4) + [total % 4]
    joined = {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}
    assert joined["video"].tolist() == np.repeat(range(3), views_per_video).tolist()
    assert joined["label"].tolist() == np.repeat([0, 1, 2], views_per_video).tolist()
    assert joined["view"].tolist() == list(range(views_per_video)) * 3
    # Starts 0, 8, 16 in 80 frames; in 40 frames always 0, and the last frame, 39, is held. Level: 3 i + number.
    levels = joined["clip"][:: views_per_video // 3, :, 5, 5, 0].astype(int)
    np.testing.assert_allclose(levels[:3], [[0, 48, 96, 144], [24, 72, 120, 168], [48, 96, 144, 192]], atol=1)
    np.testing.assert_allclose(levels[6:], [[2, 50, 98, 119]] * 3, atol=1)


def test_test_views_may_be_larger(dataset):
    batch = next(iter(pipeline.test_clips(dataset, "test", batch_size=1, short_side=24, crop=20, **SPARSE)))
    assert batch["clip"].shape == (1, 4, 20, 20, 3)


@pytest.mark.parametrize(
    "changed, message",
    [
        (dict(frames=16), "expected frames x stride to span 64 source frames as 32 x 2 does, found 16 x 16"),
        (dict(views=0), "expected at least one view"),
        (dict(crops="corners"), "expected crops to be one of center, left_center_right, found 'corners'"),
        (dict(short_side=10), "expected a test short side no less than the crop of 12, found 10"),
        (dict(split="val"), r"\(train, test\), found 'val'"),
    ],
)
def test_wrong_test_settings_are_an_error(dataset, changed, message):
    arguments = {"split": "test", "batch_size": 2, **SPARSE, **changed}
    with pytest.raises(UserError, match=message):
        pipeline.test_clips(dataset, **arguments)


def test_wrong_training_settings_are_an_error(dataset):
    with pytest.raises(UserError, match="found 32 x 1"):
        pipeline.train_clips(dataset, ["train"], batch_size=2, frames=32, frame_stride=1, seed=0)
    with pytest.raises(UserError, match="expected a batch size that 2 replicas can share, found 3"):
        pipeline.train_clips(dataset, ["train"], batch_size=3, seed=0, input_context=_as_pipeline(0), **SPARSE)
    many = tf.distribute.InputContext(4, 0, 4)
    with pytest.raises(UserError, match=r"expected at least one file per input pipeline \(4\), found 3"):
        streamed = dataclasses.replace(dataset, cache_megabytes=0)
        pipeline.train_clips(streamed, ["train"], batch_size=4, seed=0, input_context=many, **SPARSE)


def _levels(clips):
    """The level of the first frame of every clip; of videos of one frame, that is the video's number."""
    return [int(round(float(clip[0].numpy().mean()))) for batch, _ in clips for clip in batch]


@pytest.mark.parametrize("cache_megabytes", [512, 0])
@pytest.mark.parametrize("workers", [2, 3])
def test_each_of_n_workers_reads_records_of_its_own_and_together_they_read_all(
    tmp_path, write_records, cache_megabytes, workers
):
    folder = write_records(tmp_path / "data", {"train": [[1, 1], [1, 1], [1, 1], [1, 1], [1, 1], [1, 1]]})
    dataset = VideoDataset(folder, crop=12, train_jitter=(14, 18), test_short_side=16, cache_megabytes=cache_megabytes)
    parts = [
        _levels(
            pipeline.train_clips(
                dataset,
                ["train"],
                batch_size=workers,
                seed=1,
                repeat=False,
                input_context=tf.distribute.InputContext(workers, number, workers),
                **SPARSE,
            )
        )
        for number in range(workers)
    ]
    assert [len(part) for part in parts] == [12 // workers] * workers
    assert sorted(level for part in parts for level in part) == list(range(12))


@pytest.mark.parametrize("cache_megabytes", [512, 0])
def test_the_same_seed_gives_the_same_clips_whatever_the_parallelism(dataset, cache_megabytes):
    dataset = dataclasses.replace(dataset, cache_megabytes=cache_megabytes, mixup_alpha=0.3)

    def clips(threads):
        options = tf.data.Options()
        options.threading.private_threadpool_size = threads
        options.autotune.enabled = threads > 1
        made = pipeline.train_clips(dataset, ["train"], batch_size=3, seed=4, soft_labels=True, **SPARSE)
        return _take(made.with_options(options), 4)

    _assert_equal(clips(1), clips(8))


def test_mixed_clips_have_each_class_s_share_and_a_resumed_run_gets_the_same(dataset):
    dataset = dataclasses.replace(dataset, cutmix_alpha=1.0)
    arguments = dict(batch_size=4, seed=2, soft_labels=True, **SPARSE)
    made = pipeline.train_clips(dataset, ["train"], **arguments)
    assert made.element_spec[1] == tf.TensorSpec([4, 3], tf.float32)
    whole = _take(made, 3)
    _assert_equal(whole[2:], _take(pipeline.train_clips(dataset, ["train"], skip_batches=2, **arguments), 1))
    with pytest.raises(UserError, match="expected mixup_alpha and cutmix_alpha of 0 in a search.*found 0.0 and 1.0"):
        pipeline.train_clips(dataset, ["train"], batch_size=4, seed=2, **SPARSE)


def test_no_augmentation_at_test_time(dataset):
    strong = dataclasses.replace(dataset, randaugment_layers=2, mixup_alpha=1.0, cutmix_alpha=1.0)
    plain = dataclasses.replace(dataset, flip=False)
    for one, other in zip(
        pipeline.test_clips(strong, "test", batch_size=9, views=3, **SPARSE),
        pipeline.test_clips(plain, "test", batch_size=9, views=3, **SPARSE),
        strict=True,
    ):
        for key in one:
            np.testing.assert_array_equal(one[key], other[key])


@pytest.mark.parametrize("settings", [dict(sampling="segments"), dict(short_videos="loop"), dict(frame_rate=20.0)])
def test_sparse_frames_are_every_eighth_dense_one_under_every_policy(dataset, settings):
    dataset = dataclasses.replace(dataset, **settings)
    dense = _take(pipeline.train_clips(dataset, ["train"], batch_size=3, seed=1, **DENSE), 2)
    sparse = _take(pipeline.train_clips(dataset, ["train"], batch_size=3, seed=1, **SPARSE), 2)
    _assert_equal([(clip[:, ::8], label) for clip, label in dense], sparse)
    dense = next(iter(pipeline.test_clips(dataset, "test", batch_size=9, views=3, **DENSE)))
    sparse = next(iter(pipeline.test_clips(dataset, "test", batch_size=9, views=3, **SPARSE)))
    np.testing.assert_array_equal(dense["clip"][:, ::8], sparse["clip"])


def test_ten_views_cover_a_kinetics_clip():
    from tsnet_tf.data import clips

    # 300 frames: ten spans of 64 from the first frame to the last.
    starts = clips.uniform_starts(tf.constant(300), 64, 10).numpy()
    shown = {frame for start in starts for frame in range(start, start + 64)}
    assert len(starts) == 10 and shown == set(range(300))
