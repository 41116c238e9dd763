import pytest
import tensorflow as tf

from tsnet_tf.data.sampling import Sampling
from tsnet_tf.errors import UserError


def _training(sampling, video_frames, frames, stride, number=0, rate=30.0):
    seed = tf.constant([0, number], tf.int64)
    return sampling.training_frames(tf.constant(video_frames), tf.constant(rate), frames, stride, seed).numpy().tolist()


def _tests(sampling, video_frames, frames, stride, views, rate=30.0):
    return sampling.test_frames(tf.constant(video_frames), tf.constant(rate), frames, stride, views).numpy().tolist()


def test_a_short_video_is_held_or_looped():
    assert _training(Sampling(), 5, 4, 2) == [0, 2, 4, 4]
    assert _training(Sampling(short_videos="loop"), 5, 4, 2) == [0, 2, 4, 1]  # 6 % 5
    assert _tests(Sampling(short_videos="loop"), 3, 4, 2, 2) == [[0, 2, 1, 0]] * 2


def test_a_clip_of_segments_has_one_frame_of_each():
    # 40 frames in 4 segments: 0-9, 10-19, 20-29, 30-39; each place in them is reached.
    seen = [set() for _ in range(4)]
    for number in range(200):
        for segment, frame in enumerate(_training(Sampling(segments=4), 40, 4, 16, number)):
            seen[segment].add(frame)
    assert seen == [set(range(10 * segment, 10 * segment + 10)) for segment in range(4)]


@pytest.mark.parametrize("video_frames", [200, 33, 7, 1])
def test_segments_of_the_sparse_stream_are_every_eighth_of_the_dense_one(video_frames):
    sampling = Sampling(segments=32)
    for number in range(5):
        dense = _training(sampling, video_frames, 32, 2, number)
        assert dense[::8] == _training(sampling, video_frames, 4, 16, number)
        assert dense == sorted(dense) and 0 <= dense[0] and dense[-1] < video_frames
    assert [view[::8] for view in _tests(sampling, video_frames, 32, 2, 3)] == _tests(sampling, video_frames, 4, 16, 3)


def test_test_views_of_segments_are_even_places_in_them():
    # One view: the middles of 4 segments of 10 frames. Two: a quarter and three quarters of the way, 2.5 and 7.5.
    assert _tests(Sampling(segments=4), 40, 4, 16, 1) == [[5, 15, 25, 35]]
    assert _tests(Sampling(segments=4), 40, 4, 16, 2) == [[2, 12, 22, 32], [7, 17, 27, 37]]


def test_segments_need_a_number_of_frames_that_divides_them():
    with pytest.raises(UserError, match="divides the 32 segments of the dense stream, found 5"):
        _tests(Sampling(segments=32), 40, 5, 16, 1)


def test_frames_can_be_counted_at_one_rate_for_all_videos():
    at_ten = Sampling(frame_rate=10.0)
    # Each 1/10 second of a video at 30 per second is 3 frames, of which the middle one is taken.
    assert _tests(at_ten, 30, 10, 1, 1) == [[1, 4, 7, 10, 13, 16, 19, 22, 25, 28]]
    # At 5 per second each is shown twice; at 10 all pass unchanged; an unknown rate is left alone.
    assert _tests(at_ten, 5, 10, 1, 1, rate=5.0) == [[0, 0, 1, 1, 2, 2, 3, 3, 4, 4]]
    for rate in (10.0, 0.0):
        assert _tests(at_ten, 10, 10, 1, 1, rate=rate) == [list(range(10))]


@pytest.mark.parametrize("rate", [24.0, 29.97, 60.0])
def test_normalised_sparse_frames_are_every_eighth_dense_one_too(rate):
    sampling = Sampling(frame_rate=30.0)
    dense = _training(sampling, 300, 32, 2, 3, rate)
    assert dense[::8] == _training(sampling, 300, 4, 16, 3, rate)
    assert dense[-1] - dense[0] == pytest.approx(62 * rate / 30, abs=1)
