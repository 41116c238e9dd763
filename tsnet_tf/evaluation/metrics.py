"""Video-level metrics: views are averaged first, then each video counts once."""

import numpy as np
from scipy import stats

from tsnet_tf.errors import NotFinite

CALIBRATION_BINS = 15
CONFIDENCE = 0.95


def top_k_accuracy(scores: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Share of videos whose label is among the ``k`` highest scores; of equal scores the lower class goes first.

    Args:
      scores: ``[videos, classes]``.
      labels: int ``[videos]``.
      k: with ``k`` >= classes the result is 1.
    """
    ranked = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float((ranked == labels[:, None]).any(axis=1).mean())


def interval(share: float, videos: int) -> list[float]:
    """Wilson's score interval of a share, ``[low, high]`` from 0 to 1: what other videos of the same kind might give.

    It is about the videos alone: another training of the same model differs by more (Wilson, "Probable Inference, the
    Law of Succession, and Statistical Inference", 1927).

    Args:
      share: of the videos, such as the accuracy.
      videos: their number, above 0.
    """
    bounds = stats.binomtest(round(share * videos), videos).proportion_ci(CONFIDENCE, method="wilson")
    return [float(bounds.low), float(bounds.high)]


def confusion_matrix(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Number of videos, int ``[classes (true), classes (predicted)]``."""
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def mean_class_accuracy(confusion: np.ndarray) -> float:
    """Mean over classes of the share of their videos that are recognised; classes without videos do not count."""
    totals = confusion.sum(axis=1)
    present = totals > 0
    return float((np.diag(confusion)[present] / totals[present]).mean())


def calibration_error(scores: np.ndarray, labels: np.ndarray, bins: int = CALIBRATION_BINS) -> float:
    """Expected calibration error: how far, on average, a prediction's probability is from how often it is right.

    Videos are sorted into ``bins`` equal ranges of the best class's probability, (0, 1/bins], (1/bins, 2/bins], ...;
    the error is the mean of |accuracy - mean probability| over the ranges, by their number of videos (Guo et al., "On
    calibration of modern neural networks", equation 3).

    Args:
      scores: probabilities ``[videos, classes]``.
      labels: int ``[videos]``.
      bins: number of ranges.
    """
    confidence, right = scores.max(axis=1), scores.argmax(axis=1) == labels
    which = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(which, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def per_class(confusion: np.ndarray, classes: list[str]) -> list[dict]:
    """A row for every class with videos or predictions, in the order of the classes.

    Args:
      confusion: number of videos, int ``[classes (true), classes (predicted)]``.
      classes: their names.

    Returns:
      ``label``; ``videos`` (their number); ``accuracy``, the share of them that is recognised, with its
      ``accuracy_interval`` (`interval`), and ``precision``, the share of the videos called so that are (0 to 1, None if
      there are none); ``confused_with``, the class that most of those not recognised are taken for, None if there are
      none.
    """
    rows = []
    for index, label in enumerate(classes):
        right, videos, called = (
            int(n) for n in (confusion[index, index], confusion[index].sum(), confusion[:, index].sum())
        )
        wrong = confusion[index].copy()
        wrong[index] = 0
        if videos or called:
            rows.append(
                {
                    "label": label,
                    "videos": videos,
                    "accuracy": right / videos if videos else None,
                    "accuracy_interval": interval(right / videos, videos) if videos else None,
                    "precision": right / called if called else None,
                    "confused_with": classes[int(wrong.argmax())] if wrong.any() else None,
                }
            )
    return rows


class VideoScores:
    """Sums the class probabilities of each video's views, in whatever order and batches they come.

    Args:
      views: number of views every video must have had at the end.
    """

    def __init__(self, views: int):
        self._views = views
        self._sums: dict[int, np.ndarray] = {}
        self._counts: dict[int, int] = {}

    def add(self, probabilities: np.ndarray, videos: np.ndarray) -> None:
        """Adds a batch of views.

        Args:
          probabilities: ``[batch, classes]``.
          videos: int ``[batch]``, which video each view belongs to.

        Raises:
          NotFinite: probabilities are not finite.
        """
        broken = ~np.isfinite(probabilities).all(axis=1)
        if broken.any():
            raise NotFinite(
                f"evaluation: the probabilities of {broken.sum()} of {len(broken)} views are not finite, nothing is "
                "written; the training has gone too far for numbers: begin it anew with a smaller learning_rate, or "
                "weight_optimizer.clip_norm"
            )
        for row, video in zip(probabilities.astype(np.float64), videos.tolist(), strict=True):
            self._sums[video] = self._sums.get(video, 0.0) + row
            self._counts[video] = self._counts.get(video, 0) + 1

    def mean(self, videos: int) -> np.ndarray:
        """Returns the mean probabilities of videos 0 to ``videos`` - 1, float64 ``[videos, classes]``.

        Raises:
          ValueError: one had more or fewer views than it should, or there are others.
        """
        for video in range(videos):
            if self._counts.get(video, 0) != self._views:
                raise ValueError(f"expected {self._views} views of video {video}, found {self._counts.get(video, 0)}")
        if len(self._sums) != videos:
            raise ValueError(f"expected {videos} videos, found {len(self._sums)}")
        return np.stack([self._sums[video] / self._views for video in range(videos)])
