"""Video-level metrics: views are averaged first, then each video counts once."""

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis, in float64: ``[..., classes]`` to ``[..., classes]``."""
    shifted = np.asarray(logits, np.float64)
    shifted = np.exp(shifted - shifted.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def top_k_accuracy(scores: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Share of videos whose label is among the ``k`` highest scores; of equal scores the lower class goes first.

    Args:
      scores: ``[videos, classes]``.
      labels: int ``[videos]``.
      k: with ``k`` >= classes the result is 1.
    """
    ranked = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float((ranked == labels[:, None]).any(axis=1).mean())


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


class VideoScores:
    """Sums the class probabilities of each video's views, in whatever order and batches they come.

    Args:
      views: number of views every video must have had at the end.
    """

    def __init__(self, views: int):
        self._views = views
        self._sums: dict[int, np.ndarray] = {}
        self._labels: dict[int, int] = {}
        self._counts: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._sums)

    @property
    def seen(self) -> int:
        """Number of views added so far."""
        return sum(self._counts.values())

    def add(self, logits: np.ndarray, labels: np.ndarray, videos: np.ndarray) -> None:
        """Adds a batch of views.

        Args:
          logits: ``[batch, classes]``.
          labels: int ``[batch]``.
          videos: int ``[batch]``, which video each view belongs to.

        Raises:
          ValueError: logits are not finite, or a video comes with two different labels.
        """
        if not np.isfinite(logits).all():
            raise ValueError("expected finite logits, found NaN or infinity: the model's weights are broken")
        for probabilities, label, video in zip(softmax(logits), labels.tolist(), videos.tolist(), strict=False):
            if self._labels.setdefault(video, label) != label:
                raise ValueError(f"expected one label for video {video}, found {self._labels[video]} and {label}")
            self._sums[video] = self._sums.get(video, 0.0) + probabilities
            self._counts[video] = self._counts.get(video, 0) + 1

    def mean(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns mean probabilities, float64 ``[videos, classes]``, and labels, int64 ``[videos]``.

        Raises:
          ValueError: no videos, or one had more or fewer views than it should.
        """
        if not self._sums:
            raise ValueError("expected at least one video, found none")
        for video, count in self._counts.items():
            if count != self._views:
                raise ValueError(f"expected {self._views} views of video {video}, found {count}")
        videos = sorted(self._sums)
        scores = np.stack([self._sums[video] / self._views for video in videos])
        return scores, np.array([self._labels[video] for video in videos], np.int64)
