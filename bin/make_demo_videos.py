#!/usr/bin/env python3
"""Writes the demo data set: real .mp4 files of 18 classes and an annotation file.

  python bin/make_demo_videos.py --output=runs/demo/videos

The 18 classes are 2 textures x 9 things that the one object with a texture does: one of three motions, or two of them
in an order. Another object beside it does otherwise. Every level of difficulty has the same scenes and more noise.
docs/datasets.md says what is in them. About a minute and 100 MB with the default numbers on two idle cores.
"""

from absl import flags

from tsnet_tf import cli
from tsnet_tf.errors import UserError

OUTPUT = cli.DEFINE_path("output", None, "Folder to write: <split>/<class>/*.mp4 and annotations.csv.")
SEED = flags.DEFINE_integer("seed", 0, "The same seed gives the same pixels.", lower_bound=0)
DIFFICULTY = flags.DEFINE_integer("difficulty", 1, "Level of noise, 1 to 5.")
VIDEOS_PER_CLASS = flags.DEFINE_list(
    "videos_per_class", ["64", "20", "28"], "Videos of each class in train, validation and test."
)


def check() -> None:
    cli.need(OUTPUT, "DIR")
    if not 1 <= DIFFICULTY.value <= 5:
        raise UserError(f"--difficulty: expected a level from 1 to 5, found {DIFFICULTY.value}")
    counts = VIDEOS_PER_CLASS.value
    if len(counts) != 3 or not all(count.isdecimal() for count in counts) or not any(int(count) for count in counts):
        raise UserError(f"--videos_per_class: expected three numbers such as 64,20,28, found '{','.join(counts)}'")
    cli.need_writable(OUTPUT, unless="annotations.csv")


def main() -> None:
    from tsnet_tf.data import demo_videos

    demo_videos.make_demo_videos(
        OUTPUT.value,
        seed=SEED.value,
        difficulty=DIFFICULTY.value,
        videos_per_class=tuple(map(int, VIDEOS_PER_CLASS.value)),
    )


if __name__ == "__main__":
    cli.run(main, check=check)
