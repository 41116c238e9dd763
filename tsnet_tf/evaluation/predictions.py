"""What a model said about every video of a split: a CSV for people, and an ``.npz`` with all probabilities."""

from __future__ import annotations

import csv
import dataclasses
import io
import zipfile

import numpy as np
import tensorflow as tf

from tsnet_tf import atomic
from tsnet_tf.errors import UserError

FOLDER = "predictions"  # in a run folder


@dataclasses.dataclass(frozen=True)
class Predictions:
    """Mean probabilities over the views of each video.

    Attributes:
      videos: names of the videos (their paths in the annotations), each once.
      labels: the true class of each, int ``[videos]``.
      classes: names of the classes.
      probabilities: float64 ``[videos, classes]``.
    """

    videos: list[str]
    labels: np.ndarray
    classes: list[str]
    probabilities: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """Whether the most probable class is the true one, bool ``[videos]``."""
        return self.probabilities.argmax(axis=1) == self.labels


def write(predictions: Predictions, path: str) -> None:
    """Writes ``<path>.npz``, and ``<path>.csv`` with the columns video, label, predicted, probability, right."""
    content = io.BytesIO()
    np.savez_compressed(
        content,
        videos=np.array(predictions.videos, np.str_),
        labels=predictions.labels.astype(np.int32),
        classes=np.array(predictions.classes, np.str_),
        probabilities=predictions.probabilities.astype(np.float32),
    )
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["video", "label", "predicted", "probability", "right"])
    best = predictions.probabilities.argmax(axis=1)
    for video, label, predicted, probabilities in zip(
        predictions.videos, predictions.labels, best, predictions.probabilities, strict=True
    ):
        names = (predictions.classes[label], predictions.classes[predicted])
        rows.writerow([video, *names, f"{probabilities[predicted]:.4f}", int(label == predicted)])
    atomic.write_bytes(f"{path}.npz", content.getvalue())
    atomic.write_text(f"{path}.csv", text.getvalue())


def read(path: str) -> Predictions:
    """Reads an ``.npz`` file that `write` has written.

    Raises:
      UserError: there is none, or it holds something else.
    """
    if not tf.io.gfile.exists(path) or tf.io.gfile.isdir(path):
        raise UserError(f"expected the .npz file of bin/evaluate.py, found nothing at '{path}'")
    try:
        with tf.io.gfile.GFile(path, "rb") as file, np.load(io.BytesIO(file.read())) as arrays:
            return Predictions(
                videos=arrays["videos"].tolist(),
                labels=arrays["labels"],
                classes=arrays["classes"].tolist(),
                probabilities=arrays["probabilities"].astype(np.float64),
            )
    except (KeyError, ValueError, TypeError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"expected the .npz file of bin/evaluate.py, found in '{path}': {error}") from error
