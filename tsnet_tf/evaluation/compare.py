"""Whether one model is better than another on the same videos: paired difference, its interval, McNemar's test."""

from __future__ import annotations

import numpy as np
from scipy import stats

from tsnet_tf import console
from tsnet_tf.console import counted
from tsnet_tf.errors import UserError
from tsnet_tf.evaluation.predictions import Predictions

RESAMPLES = 10_000
CONFIDENCE = 0.95


def compare(first: Predictions, second: Predictions, seed: int = 0) -> dict:
    """Compares the top-1 of two models on the same videos.

    The difference is paired: a video that both get right, or both wrong, says nothing about which is better. The
    interval is that of the percentile bootstrap over videos; McNemar's test is the exact one: of the videos that only
    one of the two gets right, each model should have half, if they were equally good.

    Args:
      first, second: what the models said; the order of the videos does not matter.
      seed: of the resampling.

    Returns:
      ``videos`` (their number), ``first_top1``, ``second_top1``, ``difference`` (second less first) and its
      ``interval`` (low, high) (0 to 1); ``both_right``, ``only_first_right``, ``only_second_right``, ``both_wrong``
      (numbers of videos); ``p_value`` of McNemar's test, two-sided.

    Raises:
      UserError: the two are not about the same videos, labels and classes.
    """
    order = _order_of(first, second)
    if len(order) < 2:
        raise UserError(f"expected at least 2 videos to compare, found {len(order)}")
    right = np.stack([first.right, second.right[order]])
    difference = right[1].astype(np.float64) - right[0]
    only_first, only_second = int((difference < 0).sum()), int((difference > 0).sum())
    interval = stats.bootstrap(
        (difference,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=100,  # resamples in memory at once
        confidence_level=CONFIDENCE,
        method="percentile",
        random_state=np.random.default_rng(seed),
    ).confidence_interval
    differing = only_first + only_second
    return {
        "videos": len(difference),
        "first_top1": float(right[0].mean()),
        "second_top1": float(right[1].mean()),
        "difference": float(difference.mean()),
        "interval": [float(interval.low), float(interval.high)],
        "both_right": int(right.all(axis=0).sum()),
        "only_first_right": only_first,
        "only_second_right": only_second,
        "both_wrong": int((~right).all(axis=0).sum()),
        "p_value": float(stats.binomtest(only_first, differing).pvalue) if differing else 1.0,
    }


def show(result: dict) -> None:
    """Shows what `compare` returned."""
    low, high = (100 * bound for bound in result["interval"])
    console.table(
        f"{result['videos']} videos",
        ["", "second right", "second wrong"],
        [
            ["first right", result["both_right"], result["only_first_right"]],
            ["first wrong", result["only_second_right"], result["both_wrong"]],
        ],
    )
    console.say(
        f"top-1: {100 * result['first_top1']:.1f} % and {100 * result['second_top1']:.1f} %; difference "
        f"{100 * result['difference']:+.1f} points, {CONFIDENCE:.0%} interval {low:+.1f} to {high:+.1f}; "
        f"McNemar's test: p = {result['p_value']:.2g}"
    )


def _order_of(first: Predictions, second: Predictions) -> np.ndarray:
    """For every video of ``first``, its place in ``second``."""
    if first.classes != second.classes:
        differing = [(a, b) for a, b in zip(first.classes, second.classes, strict=False) if a != b]
        found = f"'{differing[0][0]}' and '{differing[0][1]}'" if differing else "more in one than in the other"
        raise UserError(
            f"expected predictions of the same classes, found {len(first.classes)} and {len(second.classes)}: {found}"
        )
    places = {video: place for place, video in enumerate(second.videos)}
    alone = sorted(set(first.videos) ^ set(places))
    if alone:
        raise UserError(
            f"expected predictions of the same videos, found {len(alone)} in one of the two only: '{alone[0]}'"
        )
    order = np.array([places[video] for video in first.videos])
    other = np.flatnonzero(first.labels != second.labels[order])
    if len(other):
        raise UserError(
            f"expected the same label in both, found two for {counted(len(other), 'video')}: '{first.videos[other[0]]}'"
        )
    return order
