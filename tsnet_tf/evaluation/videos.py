"""Which videos a split has, which it should have and does not, and which it has twice."""

from __future__ import annotations

import collections
import dataclasses
import os

import numpy as np
import tensorflow as tf

from tsnet_tf.console import counted
from tsnet_tf.data import manifest, schema
from tsnet_tf.data.video_dataset import MANIFEST, VideoDataset
from tsnet_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class Videos:
    """The videos of a split in the order of their records.

    Attributes:
      names: their paths in the annotations, one per record.
      labels: index of the class of each, int ``[records]``.
      missing: names of annotated videos without a record, and places in files that should hold a record.
      repeated: names that more than one record has.
    """

    names: list[str]
    labels: np.ndarray
    missing: list[str]
    repeated: list[str]

    def first_records(self) -> np.ndarray:
        """Number of the first record of every name, int ``[videos]``: with it, each video counts once."""
        return np.array(sorted({name: i for i, name in reversed(list(enumerate(self.names)))}.values()), np.int64)


def of_split(dataset: VideoDataset, split: str) -> Videos:
    """Reads names and labels of a split's records; no frame is decoded.

    Raises:
      UserError: there is no such split, or a file is damaged.
    """
    names, labels, missing = [], [], []
    for path, expected in dataset.shards([split]):
        found = 0
        try:
            for name, label in tf.data.TFRecordDataset(path).map(schema.name_and_label, tf.data.AUTOTUNE):
                names.append(name.numpy().decode())
                labels.append(int(label))
                found += 1
        except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
            said = " ".join(str(error.message).split())
            raise UserError(f"expected {expected} whole records in '{path}', found after {found}: {said}") from error
        if found > expected:
            raise UserError(f"expected {counted(expected, 'record')} in '{path}' as {MANIFEST} says, found {found}")
        missing += [f"{os.path.basename(path)}, record {number}" for number in range(found, expected)]
    missing += _rejected(dataset, split)
    repeated = sorted(name for name, count in collections.Counter(names).items() if count > 1)
    return Videos(names, np.array(labels, np.int64), missing, repeated)


def _rejected(dataset: VideoDataset, split: str) -> list[str]:
    if not tf.io.gfile.exists(os.path.join(dataset.directory, manifest.REJECTS)):
        return []
    return [path for path, _, of_split, _ in manifest.read_rejects(dataset.directory) if of_split == split]
