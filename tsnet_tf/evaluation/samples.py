"""A few test clips with what the model said about their videos, for people to look at."""

from __future__ import annotations

import dataclasses
import io
import zipfile

import numpy as np

from tsnet_tf import atomic
from tsnet_tf.data import pipeline
from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.errors import UserError
from tsnet_tf.evaluation.predictions import Predictions

LOOKED_AT = 64  # records: a look at some videos must not read all of them
TAKEN = 12
FRAMES = 8  # of each clip
SUFFIX = "_samples.npz"


@dataclasses.dataclass(frozen=True)
class Samples:
    """Videos that were classified.

    Attributes:
      videos: their names.
      labels: the true class of each.
      predicted: the most probable class of each.
      probabilities: of that class, ``[samples]``.
      clips: the middle of each, uint8 ``[samples, frames, side, side, 3]``.
    """

    videos: list[str]
    labels: list[str]
    predicted: list[str]
    probabilities: np.ndarray
    clips: np.ndarray


def take(predicted: Predictions, records: np.ndarray, frames: int, dataset: VideoDataset, split: str) -> Samples:
    """Takes up to `TAKEN` of the first videos, of as many classes as possible and wrong ones among them.

    Args:
      predicted: what the model said.
      records: number of the record of each video in ``predicted``, int ``[videos]``.
      frames: of the model's clips, out of which `FRAMES` are taken.
      dataset, split: where the videos are.
    """
    every = max(1, frames // FRAMES)
    clips = pipeline.test_clips(
        dataset, split, batch_size=1, frames=frames, frame_stride=dataset.span // frames, views=1
    )
    found = {int(one["video"][0]): one["clip"][0, ::every].numpy() for one in clips.take(LOOKED_AT)}
    rows = choose(predicted, [row for row, record in enumerate(records) if record in found])
    best = predicted.probabilities[rows].argmax(axis=1)
    return Samples(
        videos=[predicted.videos[row] for row in rows],
        labels=[predicted.classes[predicted.labels[row]] for row in rows],
        predicted=[predicted.classes[index] for index in best],
        probabilities=predicted.probabilities[rows, best],
        clips=np.stack([found[records[row]] for row in rows]),
    )


def choose(predicted: Predictions, rows: list[int]) -> list[int]:
    """`TAKEN` of ``rows``, as far as there are so many: half of them wrong, and every class before any comes again.

    Where fewer than half are wrong, or right, there are more of the others.
    """
    wrong = _by_turns([row for row in rows if not predicted.right[row]], predicted.labels)
    right = _by_turns([row for row in rows if predicted.right[row]], predicted.labels)
    of_wrong = max(TAKEN // 2, TAKEN - len(right))
    return sorted(wrong[:of_wrong] + right[: TAKEN - len(wrong[:of_wrong])])


def _by_turns(rows: list[int], labels: np.ndarray) -> list[int]:
    """The first row of every class, then the second of every class, and so on."""
    seen: dict[int, int] = {}
    turns = []
    for row in rows:
        turns.append((seen.get(labels[row], 0), row))
        seen[labels[row]] = seen.get(labels[row], 0) + 1
    return [row for _, row in sorted(turns)]


def write(samples: Samples, path: str) -> None:
    """Writes ``<path>_samples.npz``."""
    content = io.BytesIO()
    np.savez_compressed(
        content,
        videos=np.array(samples.videos, np.str_),
        labels=np.array(samples.labels, np.str_),
        predicted=np.array(samples.predicted, np.str_),
        probabilities=samples.probabilities.astype(np.float32),
        clips=samples.clips,
    )
    atomic.write_bytes(f"{path}{SUFFIX}", content.getvalue())


def parse(content: bytes) -> Samples:
    """Reads the contents of a file that `write` has written.

    Raises:
      UserError: it holds something else.
    """
    try:
        with np.load(io.BytesIO(content)) as arrays:
            return Samples(
                videos=arrays["videos"].tolist(),
                labels=arrays["labels"].tolist(),
                predicted=arrays["predicted"].tolist(),
                probabilities=arrays["probabilities"],
                clips=arrays["clips"],
            )
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"expected the samples of bin/evaluate.py, found: {error}") from error
