"""Shows what is in prepared records, and checks them.

  python bin/inspect_data.py runs/demo/data --gin_file=gin/data/demo.gin
  python bin/inspect_data.py data/kinetics400 --verify

Draws the videos per class and split, histograms of lengths and frame rates, and random training clips in both streams
as the model sees them; the data set's gin file says how clips are taken. --verify reads everything: checksums, schema,
labels, every JPEG; it ends with exit code 2 if something is wrong.
"""

import os

from absl import flags

from tsnet_tf import cli

cli.silence_libraries()

# What gin files can name must be known before the flags are read.
from tsnet_tf import console  # noqa: E402
from tsnet_tf.data.video_dataset import VideoDataset  # noqa: E402
from tsnet_tf.errors import UserError  # noqa: E402

VERIFY = flags.DEFINE_bool("verify", False, "Read and check every record instead of drawing.")
OUTPUT = flags.DEFINE_string("output", None, "Folder of the pictures; default: inspection/ in the records' folder.")
SPLIT = flags.DEFINE_string("split", "train", "Where the clips are taken from.")
CLIPS = flags.DEFINE_integer("clips", 8, "Clips on the sheet.", lower_bound=1)
RECORDS = flags.DEFINE_integer("records", 1000, "Videos to look at for the histograms.", lower_bound=1)
SEED = flags.DEFINE_integer("seed", 0, "Draws the clips.")


def main(folder: str) -> None:
    from tsnet_tf.data import inspection
    from tsnet_tf.report import data_pictures

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
    output = OUTPUT.value or os.path.join(folder, "inspection")
    found = inspection.summarize(dataset, RECORDS.value)
    drawn = data_pictures.draw_counts(found.labels, found.videos, found.rejected, os.path.join(output, "classes"))
    drawn += data_pictures.draw_lengths(found.frames, found.frame_rates, dataset.span, os.path.join(output, "lengths"))
    clips = inspection.random_clips(dataset, SPLIT.value, CLIPS.value, SEED.value)
    drawn += data_pictures.draw_clips(clips, dataset.sparse_frames, os.path.join(output, "clips"))
    rows = [
        [split, sum(counts), sum(map(bool, counts)), min(counts), max(counts)] for split, counts in found.videos.items()
    ]
    console.table(folder, ["split", "videos", "classes", "fewest of a class", "most"], rows)
    console.say(f"Pictures: {', '.join(path for path in drawn if path.endswith('.png'))}")


if __name__ == "__main__":
    cli.run(main, argument="folder")
