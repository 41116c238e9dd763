"""Records that more videos are added to: their shards are taken over as they are, under the names of a larger set."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence

import tensorflow as tf

from tsnet_tf.data import manifest, schema
from tsnet_tf.data.annotations import Annotation
from tsnet_tf.data.shards import Shard, checksum
from tsnet_tf.data.video_dataset import MANIFEST
from tsnet_tf.errors import UserError

FLAG = "--add_to"


@dataclasses.dataclass(frozen=True)
class Earlier:
    """Prepared records.

    Attributes:
      folder: of the records.
      manifest: their ``manifest.json``.
      annotations: of the videos that they hold, by path.
    """

    folder: str
    manifest: dict
    annotations: Mapping[str, Annotation]

    def check(self, options: Mapping[str, object]) -> None:
        """Refuses options (those of `tsnet_tf.data.prepare.Options`) that would give other frames than there are.

        Raises:
          UserError: they would.
        """
        there = self.manifest["options"]
        for name in ("short_side", "jpeg_quality"):
            if there[name] != options[name]:
                raise UserError(
                    f"{FLAG}: expected --{name}={there[name]}, as in '{self.folder}', found {options[name]}"
                )

    def additions(self, annotations: Sequence[Annotation], videos: str) -> list[Annotation]:
        """The annotations of videos that are not among the records yet.

        Args:
          annotations: some videos may be there already.
          videos: folder that the paths in them are relative to.

        Raises:
          UserError: none is new, or one that is there has another label, split or folder now.
        """
        known = [annotation for annotation in annotations if annotation.path in self.annotations]
        was = self.manifest["options"]["videos"]
        if known and os.path.realpath(was) != os.path.realpath(videos):
            raise UserError(
                f"{FLAG}: expected new names for videos of another folder, found '{known[0].path}' in '{videos}' and "
                f"in '{was}', where '{self.folder}' is from"
            )
        for annotation in known:
            before = self.annotations[annotation.path]
            if before != annotation:
                raise UserError(
                    f"{FLAG}: expected videos with the label and split that they have in '{self.folder}', found "
                    f"'{annotation.path}' as '{annotation.label}' in {annotation.split}, there as '{before.label}' in "
                    f"{before.split}; prepare all of them anew"
                )
        if len(known) == len(annotations):
            raise UserError(f"{FLAG}: expected videos that are not in '{self.folder}' yet, found none")
        return [annotation for annotation in annotations if annotation.path not in self.annotations]

    def labels(self, used: Sequence[str], given: Sequence[str] | None) -> list[str]:
        """The label map: that of the records, so that a model of theirs stays right, and what is new after it.

        Args:
          used: labels of the new videos.
          given: the label map that the user wants instead, if any.

        Raises:
          UserError: that one begins otherwise.
        """
        there = self.manifest["labels"]
        if given and list(given[: len(there)]) != there:
            raise UserError(
                f"{FLAG}: expected --labels to begin with the {len(there)} labels of '{self.folder}' in their order, "
                "found others"
            )
        return list(given) if given else there + [label for label in used if label not in there]

    def renumbered(self, plan: Sequence[Shard]) -> list[Shard]:
        """The new shards, counted on from those that are there."""
        return [
            dataclasses.replace(shard, index=shard.index + before, count=shard.count + before)
            for shard in plan
            for before in [len(self._of(shard.split))]
        ]

    def copy_to(self, folder: str, plan: Sequence[Shard]) -> None:
        """Puts copies of the shards into ``folder``; those that are there stay.

        Args:
          folder: of the larger set.
          plan: its new shards (`renumbered`).

        Raises:
          UserError: a shard is not what the manifest says.
        """
        for split in self.manifest["splits"]:
            checksums, new = self._of(split), sum(shard.split == split for shard in plan)
            for index, expected in enumerate(checksums):
                before, shard = (Shard(split, index, count, ()) for count in (len(checksums), len(checksums) + new))
                target = os.path.join(folder, shard.name)
                if tf.io.gfile.exists(target):
                    continue
                temporary = f"{target}.tmp"
                tf.io.gfile.copy(os.path.join(self.folder, before.name), temporary, overwrite=True)
                if checksum(temporary)[1] != expected:
                    raise UserError(
                        f"{FLAG}: expected the records that {MANIFEST} describes, found others in "
                        f"'{os.path.join(self.folder, before.name)}'"
                    )
                tf.io.gfile.rename(temporary, target, overwrite=True)

    def _of(self, split: str) -> list[str]:
        return self.manifest["splits"].get(split, {"sha256_per_shard": []})["sha256_per_shard"]


def read(folder: str) -> Earlier:
    """Reads what is in a folder of prepared records; no frame is decoded.

    Raises:
      UserError: it holds none, or some of another version.
    """
    folder = folder.rstrip("/")
    path = os.path.join(folder, MANIFEST)
    if not tf.io.gfile.exists(path):
        raise UserError(f"{FLAG}: expected prepared records, found no {MANIFEST} in '{folder}'")
    with tf.io.gfile.GFile(path) as file:
        described = json.load(file)
    if described["format"] != manifest.FORMAT:
        raise UserError(
            f"{FLAG}: expected records of the format '{manifest.FORMAT}', found '{described['format']}' in '{folder}'; "
            "prepare all videos anew"
        )
    annotations = {}
    for split, of_split in described["splits"].items():
        count = len(of_split["videos_per_shard"])
        for index in range(count):
            shard = os.path.join(folder, Shard(split, index, count, ()).name)
            try:
                records = tf.data.TFRecordDataset(shard).map(schema.name_and_label, tf.data.AUTOTUNE)
                for name, label in records.as_numpy_iterator():
                    path = name.decode()
                    annotations[path] = Annotation(path, described["labels"][label], split)
            except tf.errors.OpError as error:
                raise UserError(f"{FLAG}: expected whole records in '{shard}', found: {error.message}") from error
    return Earlier(folder, described, annotations)
