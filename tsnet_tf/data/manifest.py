"""What stands beside prepared records: ``manifest.json`` (what they are) and ``rejects.csv`` (what they lack)."""

from __future__ import annotations

import collections
import csv
import importlib.metadata
import io
import os
from collections.abc import Iterable, Mapping, Sequence

import av
import tensorflow as tf

from tsnet_tf import atomic
from tsnet_tf.data.annotations import SPLITS
from tsnet_tf.data.shards import Report, Shard

REJECTS = "rejects.csv"
FORMAT = "tsnet_tf records 3"  # count up whenever the same input gives other records
_COLUMNS = ("path", "label", "split", "reason")


def splits(plan: Sequence[Shard], reports: Sequence[Report], earlier: Mapping[str, dict]) -> dict[str, dict]:
    """What each split holds.

    Args:
      plan: the shards that were written.
      reports: on each of them.
      earlier: splits of another manifest, whose shards come before them; empty if there is none.
    """
    found = {}
    for split in SPLITS:
        of_split = [report for shard, report in zip(plan, reports, strict=True) if shard.split == split]
        before = earlier.get(split)
        if not of_split and not before:
            continue
        before = before or {"frames": 0, "bytes": 0, "videos_per_shard": [], "sha256_per_shard": [], "classes": {}}
        classes = collections.Counter(before["classes"])
        for report in of_split:
            classes.update(report.classes)
        found[split] = {
            "videos": sum(classes.values()),
            "frames": before["frames"] + sum(report.frames for report in of_split),
            "bytes": before["bytes"] + sum(report.bytes for report in of_split),
            "videos_per_shard": [*before["videos_per_shard"], *(report.videos for report in of_split)],
            "sha256_per_shard": [*before["sha256_per_shard"], *(report.sha256 for report in of_split)],
            "classes": dict(sorted(classes.items())),
        }
    return found


def make(
    splits: Mapping[str, dict],
    rejects: Sequence[Sequence[str]],
    labels: Sequence[str],
    options: Mapping[str, object],
    fingerprint: str,
) -> dict:
    """The content of ``manifest.json``."""
    rejected = {split: collections.Counter(r[1] for r in rejects if r[2] == split) for split in SPLITS}
    versions = {name: importlib.metadata.version(name) for name in ("tensorflow", "av", "apache-beam")}
    versions["libavcodec"] = ".".join(map(str, av.library_versions["libavcodec"]))
    return {
        "format": FORMAT,
        "fingerprint": fingerprint,
        "labels": list(labels),
        "splits": splits,
        "rejected": {"total": len(rejects), **{split: dict(sorted(rejected[split].items())) for split in SPLITS}},
        "options": options,
        "versions": versions,
    }


def read_rejects(folder: str) -> list[list[str]]:
    """Path, label, split and reason of every video that was left out."""
    with tf.io.gfile.GFile(os.path.join(folder, REJECTS)) as file:
        return [[row[column] for column in _COLUMNS] for row in csv.DictReader(io.StringIO(file.read(), newline=""))]


def write_rejects(folder: str, rejects: Iterable[Sequence[str]]) -> None:
    """Writes what `read_rejects` reads."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_COLUMNS)
    rows.writerows(rejects)
    atomic.write_text(os.path.join(folder, REJECTS), text.getvalue())
