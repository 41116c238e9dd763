"""Writes the demo data set: real .mp4 files of 16 classes and an annotation file.

  python bin/make_demo_videos.py --output=runs/demo/videos

The 16 classes are 4 shapes x 4 motions. A shape can be told from a single frame, a motion only from many: the data set
is built to need both streams. About 20 seconds and 120 MB with the default numbers on two cores.
"""

from absl import flags

from tsnet_tf import cli
from tsnet_tf.errors import UserError

OUTPUT = cli.DEFINE_path("output", None, "Folder to write: <split>/<class>/*.mp4 and annotations.csv.")
SEED = flags.DEFINE_integer("seed", 0, "The same seed gives the same pixels.", lower_bound=0)
VIDEOS_PER_CLASS = flags.DEFINE_list(
    "videos_per_class", ["24", "8", "10"], "Videos of each class in train, validation and test."
)


def check() -> None:
    cli.need(OUTPUT, "DIR")
    counts = VIDEOS_PER_CLASS.value
    if len(counts) != 3 or not all(count.isdecimal() for count in counts) or not any(int(count) for count in counts):
        raise UserError(f"--videos_per_class: expected three numbers such as 24,8,10, found '{','.join(counts)}'")
    cli.need_writable(OUTPUT, unless="annotations.csv")


def main() -> None:
    from tsnet_tf.data import demo_videos

    counts = VIDEOS_PER_CLASS.value
    demo_videos.make_demo_videos(OUTPUT.value, seed=SEED.value, videos_per_class=tuple(map(int, counts)))


if __name__ == "__main__":
    cli.run(main, check=check)
