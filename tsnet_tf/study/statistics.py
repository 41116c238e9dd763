"""What a study's figures allow to be said: paired differences with intervals, and rank correlation.

Three things are drawn by chance: which architectures or searches there are, the seed of each training, and which videos
are in the test split. The hierarchical bootstrap draws all three anew, from the top down (Davison and Hinkley,
"Bootstrap Methods and their Application", section 3.8): units (searches or architectures) with replacement, trainings
within each unit, and the videos, which all trainings share, so that the difference is paired by video.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import stats

RESAMPLES = 10_000
CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class Difference:
    """A difference of two means.

    Attributes:
      mean: first less second.
      low, high: its 95 % interval.
      p_value: two-sided, of no difference.
    """

    mean: float
    low: float
    high: float
    p_value: float


def paired_difference(
    first: Sequence[Sequence[np.ndarray]], second: Sequence[Sequence[np.ndarray]], seed: int = 0
) -> Difference:
    """The mean of ``first`` less that of ``second``, with the interval of the hierarchical bootstrap.

    Args:
      first, second: units, of which each is a sequence of trainings, of which each is a value for every video
        ``[videos]``, the videos in the same order everywhere.
      seed: of the resampling.
    """
    draw = np.random.default_rng(seed)
    values = [np.array([video for unit in group for video in unit], np.float64) for group in (first, second)]
    videos = values[0].shape[1]
    counts = draw.multinomial(videos, np.full(videos, 1 / videos), RESAMPLES) / videos
    means = [
        ((_resampled(draw, [len(unit) for unit in group]) @ rows) * counts).sum(1)
        for group, rows in zip((first, second), values, strict=True)
    ]
    drawn = means[0] - means[1]
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    mean = [np.mean([np.mean(unit) for unit in group]) for group in (first, second)]
    tail = min((drawn <= 0).sum(), (drawn >= 0).sum())
    return Difference(mean[0] - mean[1], float(low), float(high), min(1.0, 2 * (tail + 1) / (RESAMPLES + 1)))


def _resampled(draw: np.random.Generator, sizes: Sequence[int]) -> np.ndarray:
    """The weight of every training in each resample, ``[resamples, trainings]``; units that are drawn count alike."""
    starts = np.cumsum([0, *sizes])
    weights = np.zeros((RESAMPLES, starts[-1]))
    for unit in draw.integers(len(sizes), size=(len(sizes), RESAMPLES)):
        for index, size in enumerate(sizes):
            taken = np.flatnonzero(unit == index)
            counts = draw.multinomial(size, np.full(size, 1 / size), len(taken))
            weights[taken, starts[index] : starts[index + 1]] += counts / (size * len(sizes))
    return weights


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number by Holm's method: the smallest times n, the next times n - 1, ..."""
    order, found, largest = np.argsort(p_values), np.zeros(len(p_values)), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        found[index] = largest
    return found.tolist()


def kendall_tau(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """Kendall's tau-b of two scores of the same architectures, and its p-value."""
    result = stats.kendalltau(first, second)
    return float(result.statistic), float(result.pvalue)
