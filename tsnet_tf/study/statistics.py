"""What a study's figures allow to be said: paired differences with intervals, and rank correlation.

Three things are drawn by chance: which architectures or searches there are, the seeds of their trainings, and which
videos are in the test split. The bootstrap draws all three anew, with replacement (Davison and Hinkley, "Bootstrap
Methods and their Application", section 3.8). All units (searches or architectures) are trained with the same seeds and
tested on the same videos, so these are drawn once for both sides: the difference is paired by seed and by video. A seed
is the order of the clips too, and makes all architectures better or worse together.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
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


def paired_difference(first: ArrayLike, second: ArrayLike, seed: int = 0) -> Difference:
    """The mean of ``first`` less that of ``second``, with the interval of the bootstrap.

    Args:
      first, second: a value for every unit, seed and video, ``[units, seeds, videos]``; seeds and videos are the same.
      seed: of the resampling.
    """
    draw = np.random.default_rng(seed)
    groups = [np.asarray(group, np.float64) for group in (first, second)]
    _, seeds, videos = groups[0].shape
    of_seeds, of_videos = _weights(draw, seeds), _weights(draw, videos)
    means = []
    for values in groups:
        of_trainings = np.einsum("ru,rs->rus", _weights(draw, len(values)), of_seeds)
        means.append((of_trainings.reshape(RESAMPLES, -1) @ values.reshape(-1, videos) * of_videos).sum(1))
    drawn = means[0] - means[1]
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    tail = min((drawn <= 0).sum(), (drawn >= 0).sum())
    mean = float(groups[0].mean() - groups[1].mean())
    return Difference(mean, float(low), float(high), min(1.0, 2 * (tail + 1) / (RESAMPLES + 1)))


def _weights(draw: np.random.Generator, count: int) -> np.ndarray:
    """How much each of ``count`` things weighs in each resample, ``[resamples, count]``."""
    return draw.multinomial(count, np.full(count, 1 / count), RESAMPLES) / count


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
