#!/usr/bin/env python3
"""Films a simulated robot that does the tasks of Meta-World (the extra [motion]), and writes an annotation file.

  python bin/make_motion_videos.py --output=runs/motion/videos

Opposite tasks on the same objects, such as door-open and door-close, each film also backwards where that shows
something else: 26 classes that single frames cannot tell. A film that is there is not made again: run the same command
again to go on after an interruption, or with larger numbers for more. About half a second of processor time per film.
"""

from absl import flags

from tsnet_tf import cli
from tsnet_tf.errors import UserError

OUTPUT = cli.DEFINE_path("output", None, "Folder to write: <split>/<class>/*.mp4 and annotations.csv.")
TASKS = flags.DEFINE_list(
    "tasks", ["opposites"], "opposites (15 tasks, 26 classes), pairs (26, 48 classes), all (50, 87), or names of tasks."
)
VIDEOS_PER_CLASS = flags.DEFINE_list(
    "videos_per_class", ["48", "12", "36"], "Videos of each class in train, validation and test."
)
SEED = flags.DEFINE_integer("seed", 0, "With another one everything is other.", lower_bound=0)
SIZE = flags.DEFINE_integer("size", 64, "Side of the frames, pixels.", lower_bound=16, upper_bound=1024)
FRAMES = flags.DEFINE_integer("frames", 28, "Frames of each film.", lower_bound=2, upper_bound=1000)
PROCESSES = flags.DEFINE_integer("processes", None, "Films made side by side; default: one per core.", lower_bound=1)


def check() -> None:
    cli.need(OUTPUT, "DIR")
    cli.need_writable(OUTPUT)


def main() -> None:
    from tsnet_tf.data import motion_tasks, motion_videos

    tasks = motion_tasks.chosen(TASKS.value)
    counts = VIDEOS_PER_CLASS.value
    most = motion_videos.MOST_SEEDS
    if len(counts) != 3 or not all(n.isdecimal() and int(n) <= most for n in counts) or not any(map(int, counts)):
        raise UserError(
            f"--videos_per_class: expected three numbers up to {most} such as 48,12,36, found '{','.join(counts)}'"
        )
    if SIZE.value % 2:
        raise UserError(f"--size: expected an even number of pixels, found {SIZE.value}")
    motion_videos.make_motion_videos(
        OUTPUT.value,
        tasks=tasks,
        counts=tuple(map(int, counts)),
        settings=motion_videos.Settings(SEED.value, SIZE.value, FRAMES.value),
        processes=PROCESSES.value,
    )


if __name__ == "__main__":
    cli.run(main, check=check)
