"""Intervals that hold what they promise, Holm's correction and Kendall's tau by hand."""

import numpy as np
import pytest

from tsnet_tf.study.statistics import holm, kendall_tau, paired_difference


def group(draw, units, trainings, videos, mean, hardness):
    """Losses with an effect of each unit, each training, and each video (shared), and noise."""
    return [
        [
            mean + unit + draw.normal(scale=0.1) + hardness + draw.normal(scale=0.3, size=videos)
            for _ in range(trainings)
        ]
        for unit in draw.normal(scale=0.1, size=units)
    ]


def test_the_mean_is_the_mean_and_equal_groups_do_not_differ():
    draw = np.random.default_rng(0)
    hardness = draw.normal(size=50)
    first = group(draw, 3, 2, 50, 0.5, hardness)
    same = paired_difference(first, first)
    assert same.mean == 0 and same.low < 0 < same.high and same.p_value > 0.5
    second = [[np.full(50, 1.0)] * 2, [np.full(50, 3.0)] * 2]
    difference = paired_difference([[np.full(50, 4.0), np.full(50, 6.0)]], second)
    assert difference.mean == pytest.approx(5 - 2)
    # (4, 5 or 6) less (1, 2 or 3) in the resamples
    assert (difference.low, difference.high) == (1.0, 5.0)


def test_videos_are_paired():
    """What makes a video hard for both is no part of the difference: the interval is far narrower than its spread."""
    draw = np.random.default_rng(1)
    hardness = draw.normal(scale=5.0, size=100)
    first, second = ([[hardness + shift + draw.normal(scale=0.1, size=100)]] for shift in (0.0, 0.2))
    difference = paired_difference(first, second)
    assert -0.25 < difference.low < difference.mean < difference.high < -0.15


def test_seeds_are_paired():
    """What makes a seed good for all architectures is no part of the difference."""
    draw = np.random.default_rng(2)
    of_seeds = draw.normal(scale=5.0, size=(3, 1))
    first, second = (of_seeds + shift + draw.normal(scale=0.1, size=(4, 3, 100)) for shift in (0.0, 0.2))
    difference = paired_difference(first, second)
    assert -0.23 < difference.low < difference.mean < difference.high < -0.17


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    """Two groups of 8 units x 2 trainings whose true difference is 0.2; the bootstrap of so few is a little narrow."""
    hits = 0
    for seed in range(60):
        draw = np.random.default_rng(seed)
        hardness = draw.normal(size=40)
        first, second = (group(draw, 8, 2, 40, mean, hardness) for mean in (0.0, 0.2))
        found = paired_difference(first, second, seed)
        hits += found.low <= -0.2 <= found.high
    assert 51 <= hits <= 60


def test_holm_by_hand():
    """0.01 x 3, then max(0.03, 0.03 x 2), then max(0.06, 0.04 x 1)."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_kendalls_tau_by_hand():
    """Of the six pairs of (1, 2, 3, 4) and (1, 3, 2, 4) five agree and one does not: 4 / 6."""
    assert kendall_tau([1, 2, 3, 4], [1, 3, 2, 4])[0] == pytest.approx(4 / 6)
