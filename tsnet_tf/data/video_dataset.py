"""The description of a prepared data set: where it is, how clips are taken from it, what is in it."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence

import gin
import tensorflow as tf

from tsnet_tf import filesystems, paths
from tsnet_tf.data.sampling import HOLD, LOOP, SEGMENTS, SPAN, Sampling
from tsnet_tf.errors import UserError

LABELS = "labels.json"
MANIFEST = "manifest.json"


@gin.configurable
@dataclasses.dataclass(frozen=True)
class VideoDataset:
    """Records made by ``bin/prepare_data.py``, and the policy for taking clips from them.

    Attributes:
      directory: folder of the records; ``~`` is the home folder.
      dense_frames: frames of the dense stream.
      dense_stride: source frames between two dense frames; a clip spans ``dense_frames * dense_stride`` source frames.
      sparse_frames: frames of the sparse stream: every ``dense_frames / sparse_frames``-th dense frame.
      sampling: "span", neighbouring frames at a random place, or "segments", frames from all over the video: one out of
        each of ``dense_frames`` equal segments (`tsnet_tf.data.sampling.Sampling`).
      short_videos: "hold" or "loop": where a span is longer than the video, the last frame is held, or it starts again.
      frame_rate: frames are counted at this rate per second, whatever a video's own is; None for the video's own.
      crop: side of the training crop, and of the test crop unless told otherwise, pixels.
      train_jitter: smallest and largest short side a training clip is resized to before the crop, pixels.
      test_short_side: short side of test clips, pixels.
      flip: whether training clips are mirrored half of the time. Wrong where left and right are labels.
      randaugment_layers: operations of RandAugment per training clip; 0 for none.
      randaugment_magnitude: their strength, 0 to 10.
      mixup_alpha: training clips of a batch are blended in pairs, with shares from Beta(alpha, alpha); 0 for none.
      cutmix_alpha: a square of each is replaced by that of another; 0 for none. With both, either has an even chance.
      cache_megabytes: splits whose records are no larger than this are kept in memory and shuffled as a whole.
      shuffle_buffer: records to shuffle among in splits that are larger.
      max_corrupt_records: so many records that cannot be used are left out, each with a warning; one more is an error.

    Raises:
      UserError: the numbers do not fit together.
    """

    directory: str
    dense_frames: int = 32
    dense_stride: int = 2
    sparse_frames: int = 4
    sampling: str = SPAN
    short_videos: str = HOLD
    frame_rate: float | None = None
    crop: int = 160
    train_jitter: tuple[int, int] = (182, 228)
    test_short_side: int = 182
    flip: bool = True
    randaugment_layers: int = 0
    randaugment_magnitude: float = 9.0
    mixup_alpha: float = 0.0
    cutmix_alpha: float = 0.0
    cache_megabytes: int = 512
    shuffle_buffer: int = 512
    max_corrupt_records: int = 0

    def __post_init__(self):
        object.__setattr__(self, "directory", paths.expanded(self.directory))
        filesystems.load_for(self.directory)
        if self.sparse_frames < 1 or self.dense_frames % self.sparse_frames:
            raise UserError(
                "VideoDataset: expected dense_frames to be a multiple of sparse_frames, "
                f"found {self.dense_frames} and {self.sparse_frames}"
            )
        if len(self.train_jitter) != 2 or not self.crop <= self.train_jitter[0] <= self.train_jitter[1]:
            raise UserError(
                f"VideoDataset: expected train_jitter = (smallest, largest), no less than the crop of {self.crop}, "
                f"found {tuple(self.train_jitter)}"
            )
        if self.test_short_side < self.crop:
            raise UserError(
                f"VideoDataset: expected test_short_side to be no less than the crop of {self.crop}, "
                f"found {self.test_short_side}"
            )
        for name, known in (("sampling", (SPAN, SEGMENTS)), ("short_videos", (HOLD, LOOP))):
            if getattr(self, name) not in known:
                raise UserError(
                    f"VideoDataset: expected {name} to be {' or '.join(known)}, found '{getattr(self, name)}'"
                )
        if self.frame_rate is not None and self.frame_rate <= 0:
            raise UserError(f"VideoDataset: expected a positive frame_rate or None, found {self.frame_rate}")
        if self.randaugment_layers < 0 or not 0 <= self.randaugment_magnitude <= 10:
            raise UserError(
                "VideoDataset: expected randaugment_layers of 0 or more and a randaugment_magnitude of 0 to 10, found "
                f"{self.randaugment_layers} and {self.randaugment_magnitude}"
            )
        if min(self.mixup_alpha, self.cutmix_alpha, self.max_corrupt_records) < 0:
            raise UserError(
                "VideoDataset: expected mixup_alpha, cutmix_alpha and max_corrupt_records of 0 or more, found "
                f"{self.mixup_alpha}, {self.cutmix_alpha} and {self.max_corrupt_records}"
            )

    @property
    def span(self) -> int:
        """Source frames that a clip covers, in either stream."""
        return self.dense_frames * self.dense_stride

    @property
    def sparse_stride(self) -> int:
        """Source frames between two sparse frames."""
        return self.span // self.sparse_frames

    @property
    def frame_sampling(self) -> Sampling:
        """Which frames of a video make a clip."""
        segments = self.dense_frames if self.sampling == SEGMENTS else None
        return Sampling(segments, self.short_videos, self.frame_rate)

    @property
    def mixes(self) -> bool:
        """Whether training clips are mixed, so that their labels are shares of several classes."""
        return self.mixup_alpha > 0 or self.cutmix_alpha > 0

    def plain(self) -> VideoDataset:
        """The same videos without augmentation: resized and cut as in a test with the centre crop's scale."""
        side = self.test_short_side
        return dataclasses.replace(
            self, train_jitter=(side, side), flip=False, randaugment_layers=0, mixup_alpha=0.0, cutmix_alpha=0.0
        )

    def labels(self) -> list[str]:
        """Returns the labels in the order of their indices.

        Raises:
          UserError: the folder or the label map is missing or damaged.
        """
        return self._read(LABELS)

    def manifest(self) -> dict:
        """Returns what the preparation wrote down: counts, checksums, rejected videos, options.

        Raises:
          UserError: the folder or the manifest is missing or damaged.
        """
        return self._read(MANIFEST)

    def check_splits(self, wanted: Mapping[str, Sequence[str]]) -> None:
        """Refuses splits that have no videos, and files that are missing, before anything is done.

        Args:
          wanted: splits that are going to be read, by the setting or flag that names them.

        Raises:
          UserError: the message has every such setting, and what there is.
        """
        contents = self.manifest()["splits"]
        there = [split for split, content in contents.items() if content["videos"]]
        for setting, splits in wanted.items():
            if isinstance(splits, str) or not splits:
                raise UserError(f"{setting}: expected a list of splits such as ('train',), found {splits!r}")
        missing = {setting: [s for s in splits if s not in there] for setting, splits in wanted.items()}
        missing = {setting: splits for setting, splits in missing.items() if splits}
        if missing:
            found = ", ".join(f"'{split}'" for split in dict.fromkeys(s for splits in missing.values() for s in splits))
            raise UserError(
                f"{', '.join(missing)}: expected splits that '{self.directory}' has videos of ({', '.join(there)}), "
                f"found {found}; name one of these, or prepare the data with such a split"
            )
        self.shards([split for splits in wanted.values() for split in splits])

    def num_videos(self, splits: Sequence[str]) -> int:
        """Returns the number of videos in the splits together."""
        return sum(count for _, count in self.shards(splits))

    def shards(self, splits: Sequence[str]) -> list[tuple[str, int]]:
        """Returns path and number of videos of each file of the splits.

        Raises:
          UserError: the folder, a split or one of its files is missing, or a split is empty.
        """
        contents = self.manifest()["splits"]
        shards = []
        for split in splits:
            if not contents.get(split, {}).get("videos"):
                known = ", ".join(name for name, content in contents.items() if content["videos"])
                raise UserError(f"expected a split of '{self.directory}' ({known}), found '{split}'")
            counts = contents[split]["videos_per_shard"]
            for index, count in enumerate(counts):
                path = os.path.join(self.directory, f"{split}-{index:05d}-of-{len(counts):05d}.tfrecord")
                if not tf.io.gfile.exists(path):
                    raise UserError(f"expected the file '{path}' that {MANIFEST} names, found none")
                shards.append((path, count))
        return shards

    def _read(self, name: str) -> list | dict:
        path = os.path.join(self.directory, name)
        if not tf.io.gfile.exists(path):
            found = f"no {name}" if tf.io.gfile.isdir(self.directory) else "no such folder"
            raise UserError(
                f"VideoDataset.directory: expected records made by bin/prepare_data.py in '{self.directory}', "
                f"found {found}"
            )
        with tf.io.gfile.GFile(path) as file:
            try:
                return json.load(file)
            except ValueError as error:
                raise UserError(f"expected what bin/prepare_data.py wrote, found in '{path}': {error}") from error
