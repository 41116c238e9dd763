"""What is in prepared records: counts, lengths and frame rates, random clips; and whether all of it is sound."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from tsnet_tf import console
from tsnet_tf.console import counted
from tsnet_tf.data import pipeline, schema
from tsnet_tf.data.shards import checksum
from tsnet_tf.data.video_dataset import VideoDataset


@dataclasses.dataclass(frozen=True)
class Summary:
    """Counts from the manifest, and what some records say.

    Attributes:
      labels: in the order of their indices.
      videos: split to number of videos of each label.
      rejected: number of videos left out, of each label.
      frames: lengths of the videos looked at, in frames.
      frame_rates: of the videos looked at, per second.
      names: split to (path, label) of the videos looked at.
    """

    labels: list[str]
    videos: dict[str, list[int]]
    rejected: list[int]
    frames: np.ndarray
    frame_rates: np.ndarray
    names: dict[str, list[tuple[str, str]]]


def summarize(dataset: VideoDataset, records: int) -> Summary:
    """Counts everything, and looks at ``records`` records at most, of all files in turn.

    Raises:
      UserError: there are no prepared records.
    """
    labels, manifest = dataset.labels(), dataset.manifest()
    videos = {
        split: [content.get("classes", {}).get(label, 0) for label in labels]
        for split, content in manifest["splits"].items()
        if content["videos"]
    }
    rejected = manifest.get("rejected", {})
    left_out = [
        sum(by_label.get(label, 0) for split, by_label in rejected.items() if split != "total") for label in labels
    ]
    names: dict[str, list[tuple[str, str]]] = {split: [] for split in videos}
    seen = []
    for split, record in itertools.islice(_in_turn(dataset, list(videos)), records):
        found, label, rate = schema.parse_video(tf.constant(record))
        seen.append((len(found), float(rate)))
        names[split].append((schema.name_of(record), labels[int(label)]))
    frames, rates = np.array(seen, np.float64).reshape(-1, 2).T
    return Summary(labels, videos, left_out, frames.astype(int), rates, names)


def random_clips(dataset: VideoDataset, split: str, count: int, seed: int) -> list[tuple[str, np.ndarray]]:
    """Takes training clips as the model sees them: label and dense stream, uint8 [frames, crop, crop, 3], of each."""
    plain = dataclasses.replace(dataset, mixup_alpha=0.0, cutmix_alpha=0.0)  # a mixed clip has no one label
    count, labels = min(count, dataset.num_videos([split])), dataset.labels()
    clips = pipeline.train_clips(
        plain, [split], batch_size=1, frames=dataset.dense_frames, frame_stride=dataset.dense_stride, seed=seed
    )
    return [(labels[int(label[0])], clip[0].numpy()) for clip, label in clips.take(count)]


def verify(dataset: VideoDataset) -> Iterator[str]:
    """Reads every record and yields what is wrong, one line each: checksums, numbers, schema, labels, every JPEG.

    Raises:
      UserError: there are no prepared records, or a file is missing.
    """
    labels, manifest = dataset.labels(), dataset.manifest()
    splits = [split for split, content in manifest["splits"].items() if content["videos"]]
    if "labels" in manifest and manifest["labels"] != labels:
        yield "labels.json: expected the labels of manifest.json, found others"
    with console.progress("verify", dataset.num_videos(splits)) as bar:
        for split in splits:
            shards = dataset.shards([split])
            checksums = manifest["splits"][split].get("sha256_per_shard", [None] * len(shards))
            for (path, count), expected in zip(shards, checksums, strict=True):
                found = expected and checksum(path)[1]
                if found != expected:
                    yield f"'{path}': expected the SHA-256 {expected[:12]}..., found {found[:12]}..."
                yield from _faults_of(path, count, len(labels))
                bar.advance(count)


def _faults_of(path: str, count: int, classes: int) -> Iterator[str]:
    number = -1
    try:
        for number, record in enumerate(tf.data.TFRecordDataset(path)):
            fault = schema.fault(record.numpy(), classes)
            if fault:
                yield f"record {number} of '{path}': found {fault}"
    except tf.errors.DataLossError:
        yield f"record {number + 1} of '{path}': found the file torn there"
    if number + 1 != count:
        yield f"'{path}': expected {counted(count, 'record')}, found {number + 1}"


def _in_turn(dataset: VideoDataset, splits: list[str]) -> Iterator[tuple[str, bytes]]:
    """The first record of every file with its split, then the second of every file, and so on."""
    files = [(split, iter(tf.data.TFRecordDataset(path))) for split in splits for path, _ in dataset.shards([split])]
    while files:
        left = []
        for split, file in files:
            record = next(file, None)
            if record is not None:
                yield split, record.numpy()
                left.append((split, file))
        files = left
