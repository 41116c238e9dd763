"""Sliding clips and what is said about each moment, with numbers worked out by hand."""

import numpy as np
import pytest

from tsnet_tf.export.windows import moments, sliding_clips


def slide(length, frames=2, stride=3, hop=2):
    """(frames seen, the numbers of the clip's frames); a clip of 2 frames at stride 3 spans 6."""
    pictures = (np.full((1, 1, 3), number, np.uint8) for number in range(length))
    return [(seen, clip[:, 0, 0, 0].tolist()) for seen, clip in sliding_clips(pictures, frames, stride, hop)]


def test_clips_start_every_hop_and_the_last_one_ends_with_the_video():
    assert slide(10) == [(6, [0, 3]), (8, [2, 5]), (10, [4, 7])]
    assert slide(11) == [(6, [0, 3]), (8, [2, 5]), (10, [4, 7]), (11, [5, 8])]
    assert slide(12, hop=6) == [(6, [0, 3]), (12, [6, 9])]


@pytest.mark.parametrize("length, shown", [(1, [0, 0]), (3, [0, 2]), (4, [0, 3]), (6, [0, 3])])
def test_a_short_video_is_one_clip_whose_last_frame_is_held(length, shown):
    assert slide(length) == [(length, shown)]


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
