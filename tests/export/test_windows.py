"""Sliding clips and what is said about each moment, with numbers worked out by hand."""

import numpy as np
import pytest

from tsnet_tf.export.windows import at_rate, moments, sliding_clips


def pictures(length):
    """Each shows its number."""
    return (np.full((1, 1, 3), number, np.uint8) for number in range(length))


def slide(length, frames=2, stride=3, hop=2, loop=False):
    """(frames seen, the numbers of the clip's frames); a clip of 2 frames at stride 3 spans 6."""
    found = sliding_clips(pictures(length), frames, stride, hop, loop)
    return [(seen, clip[:, 0, 0, 0].tolist()) for seen, clip in found]


def test_clips_start_every_hop_and_the_last_one_ends_with_the_video():
    assert slide(10) == [(6, [0, 3]), (8, [2, 5]), (10, [4, 7])]
    assert slide(11) == [(6, [0, 3]), (8, [2, 5]), (10, [4, 7]), (11, [5, 8])]
    assert slide(12, hop=6) == [(6, [0, 3]), (12, [6, 9])]


@pytest.mark.parametrize("length, shown", [(1, [0, 0]), (3, [0, 2]), (4, [0, 3]), (6, [0, 3])])
def test_a_short_video_is_one_clip_whose_last_frame_is_held(length, shown):
    assert slide(length) == [(length, shown)]


def test_a_short_video_may_start_again():
    assert slide(2, loop=True) == [(2, [0, 1])]  # 3 % 2
    assert slide(3, loop=True) == [(3, [0, 0])]
    assert slide(7, loop=True) == slide(7)


@pytest.mark.parametrize("video_rate, frame_rate", [(30, 10), (5, 10), (24, 30), (29.97, 30), (50, 12.5), (0, 10)])
@pytest.mark.parametrize("length", [1, 2, 40, 211])
def test_frames_are_counted_as_in_training(video_rate, frame_rate, length):
    import tensorflow as tf

    from tsnet_tf.data.sampling import Sampling

    found = [int(one[0, 0, 0]) for one in at_rate(pictures(length), video_rate, frame_rate)]
    count = max(1, round(length * frame_rate / (video_rate or frame_rate)))
    sampling = Sampling(frame_rate=frame_rate)
    expected = sampling.test_frames(tf.constant(length), tf.constant(float(video_rate)), count, 1, 1)
    assert found == expected[0].numpy().tolist()
    assert list(at_rate(range(length), video_rate, None)) == list(range(length))


def test_a_moment_is_the_mean_of_the_clips_that_show_it():
    # Three clips of two hops each show the moments (0, 1), (1, 2), (2, 3).
    rows = [np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([0.0, 1.0])]
    assert [row.tolist() for row in moments(iter(rows), 2)] == [[1, 0], [0.5, 0.5], [0, 1], [0, 1]]
    assert [row.tolist() for row in moments(iter(rows[:1]), 3)] == [[1, 0]] * 3


def test_moments_come_while_the_video_is_read():
    """Nothing is kept for the end: after two clips, the first two moments have been said."""

    def endless():
        while True:
            yield np.array([1.0])

    said = moments(endless(), 2)
    assert [next(said).tolist() for _ in range(3)] == [[1.0]] * 3
