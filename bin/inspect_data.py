#!/usr/bin/env python3
"""Shows what is in prepared records, and checks them.

  python bin/inspect_data.py runs/demo/data --gin_file=gin/data/demo.gin
  python bin/inspect_data.py data/kinetics400 --verify

Draws the videos per class and split, histograms of lengths and frame rates, and random training clips in both streams
as the model sees them; the data set's gin file says how clips are taken. Warns where labels name directions and clips
are mirrored, classes or splits are small, or names say that clips of one film are in two splits. --verify reads
everything: checksums, schema, labels, every JPEG; it ends with exit code 2 if something is wrong.
"""

import os

from absl import flags

from tsnet_tf import cli, console, paths
from tsnet_tf.errors import UserError

VERIFY = flags.DEFINE_bool("verify", False, "Read and check every record instead of drawing.")
OUTPUT = cli.DEFINE_path("output", None, "Folder of the pictures; default: runs/inspection/NAME, named as the records.")
SPLIT = flags.DEFINE_string("split", "train", "Where the clips are taken from.")
CLIPS = flags.DEFINE_integer("clips", 8, "Clips on the sheet.", lower_bound=1)
RECORDS = flags.DEFINE_integer("records", 1000, "Videos to look at for the histograms.", lower_bound=1)
SEED = flags.DEFINE_integer("seed", 0, "Draws the clips.")


def check(folder: str) -> None:
    folder = paths.expanded(folder)
    if paths.is_local(folder) and not os.path.isdir(folder):
        raise UserError(f"expected the folder of prepared records, found none at '{folder}'")
    if not VERIFY.value:
        cli.need_writable(OUTPUT, default=default_output(folder))


def default_output(folder: str) -> str:
    """The data set's own folder is left alone: it may be others' too, and is what its checksums say."""
    return os.path.join("runs", "inspection", os.path.basename(os.path.abspath(folder)))


def main(folder: str) -> None:
    from tsnet_tf.data import advice, inspection
    from tsnet_tf.data.video_dataset import VideoDataset
    from tsnet_tf.report import data_pictures

    folder = paths.expanded(folder)
    dataset = VideoDataset(directory=folder)
    if VERIFY.value:
        faults = 0
        for line in inspection.verify(dataset):
            console.warn(line)
            faults += 1
        if faults:
            raise UserError(f"expected sound records in '{folder}', found {faults} faults (see above)")
        console.say(f"verify: everything in {folder} is sound")
        return
    dataset.check_splits({"--split": (SPLIT.value,)})
    output = OUTPUT.value or default_output(folder)
    found = inspection.summarize(dataset, RECORDS.value)
    drawn = data_pictures.draw_counts(found.labels, found.videos, found.rejected, os.path.join(output, "classes"))
    drawn += data_pictures.draw_lengths(found.frames, found.frame_rates, dataset.span, os.path.join(output, "lengths"))
    clips = inspection.random_clips(dataset, SPLIT.value, CLIPS.value, SEED.value)
    drawn += data_pictures.draw_clips(clips, dataset.sparse_frames, os.path.join(output, "clips"))
    rows = [
        [split, sum(counts), sum(map(bool, counts)), min(counts), max(counts)] for split, counts in found.videos.items()
    ]
    console.table(folder, ["split", "videos", "classes", "fewest of a class", "most"], rows)
    for line in (*advice.warnings(dataset, found.labels, found.videos), *advice.of_one_film(found.names)):
        console.warn(line)
    console.say(f"Pictures: {', '.join(path for path in drawn if path.endswith('.png'))}")


if __name__ == "__main__":
    cli.run(main, argument="folder", check=check)
