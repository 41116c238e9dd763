#!/usr/bin/env python3
"""Turns annotated videos into sharded TFRecords, with a label map, a manifest and a list of rejected videos.

  python bin/prepare_data.py --annotations=annotations.csv --videos=videos --output=records
  python bin/prepare_data.py --class_folders=videos --output=records
  python bin/prepare_data.py --annotations=train.txt --annotations=val.txt --labels=names.txt --output=records
  python bin/prepare_data.py --kinetics=train.csv --kinetics=validate.csv --videos=clips --output=records
  python bin/prepare_data.py --something_something=train.json --something_something=validation.json \
      --labels=labels.json --videos=20bn-something-something-v2 --output=records

The annotation file has the columns path, label and split (train, validation or test). The class folders are
DIR/<split>/<class>/<video>, or DIR/<class>/<video>. Where neither says the split, a tenth of each class is held out for
validation and a tenth for test. Clips of one film belong into one split: --groups="(.*)_\\d+" keeps a_1.mp4 and a_2.mp4
together, as a column "group" in the CSV file does.
With --add_to=OLD the output gets the records of OLD and the videos that are new; splits and label numbers stay.
Annotations of public data sets are read as they are published: lists of paths and labels, Kinetics, UCF101, HMDB51,
Something-Something, ActivityNet's segments, Diving48, Jester, TFRecords of other programs (docs/datasets.md). --format
names what the files themselves do not show. With --frame_rate=12, videos are folders of numbered pictures.
A video that is missing, cannot be decoded or goes beyond the limits is left out and listed in rejects.csv.
Files may be on s3://. On a cluster: --beam_options="--runner=DataflowRunner --project=... --setup_file=./setup.py".
"""

import os

from absl import flags

from tsnet_tf import cli
from tsnet_tf.data.sources import FORMATS
from tsnet_tf.errors import UserError

ANNOTATIONS = cli.DEFINE_multi_path(
    "annotations",
    "Source: CSV file with the columns path, label[, split], or the files of another format; repeatable, and * stands "
    "for anything.",
)
FORMAT = flags.DEFINE_enum("format", None, FORMATS, "Of the annotations; default: found by what is in them.")
CLASS_FOLDERS = cli.DEFINE_path("class_folders", None, "Source: folder with one folder per class.")
KINETICS = cli.DEFINE_multi_path("kinetics", "Source: annotation CSV file of Kinetics; repeatable.")
SOMETHING = cli.DEFINE_multi_path(
    "something_something", "Source: annotation JSON file of Something-Something-V2; repeatable."
)
FRAME_RATE = flags.DEFINE_float(
    "frame_rate",
    None,
    "Videos are folders of numbered pictures, at so many per second; also of records without a rate.",
)
VIDEOS = cli.DEFINE_path("videos", None, "Folder of the videos; default: that of the annotation file.")
OUTPUT = cli.DEFINE_path("output", None, "Folder to write.")
LABELS = cli.DEFINE_path(
    "labels",
    None,
    "Label map: one label per line, a JSON list, or labels.json; also the names of numbered classes. Default: sorted "
    "labels.",
)
CLASSES = cli.DEFINE_path("classes", None, "File of the only classes to prepare, written as --labels is.")
RANDOM_CLASSES = flags.DEFINE_integer("random_classes", None, "Prepare this many classes, drawn.", lower_bound=1)
CLASS_SEED = flags.DEFINE_integer("class_seed", 0, "Draws the classes of --random_classes.")
ADD_TO = cli.DEFINE_path("add_to", None, "Prepared records, which the output gets as well.")
SHORT_SIDE = flags.DEFINE_integer("short_side", 256, "Shorter side of the stored frames, pixels.", lower_bound=8)
JPEG_QUALITY = flags.DEFINE_integer("jpeg_quality", 90, "Of the stored frames.", lower_bound=1, upper_bound=100)
SHARDS = flags.DEFINE_integer("shards", None, "Shards per split; default: one per 32 videos.", lower_bound=1)
SPLIT_SEED = flags.DEFINE_integer("split_seed", 0, "Draws the videos held out where a source has no splits.")
GROUPS = flags.DEFINE_string(
    "groups", None, "Regular expression: videos whose paths have the same in its parentheses are held out together."
)
MAX_SECONDS = flags.DEFINE_float("max_seconds", 600.0, "Longest video.", lower_bound=0.0)
MAX_FRAMES = flags.DEFINE_integer("max_frames", 20_000, "Most frames of a video.", lower_bound=1)
MAX_PIXELS = flags.DEFINE_integer("max_pixels", 8192 * 4320, "Most pixels of a frame.", lower_bound=1)
MAX_DECODE_SECONDS = flags.DEFINE_float("max_decode_seconds", 600.0, "For one video.", lower_bound=0.0)
BEAM_OPTIONS = flags.DEFINE_string("beam_options", "", "Beam's own flags in one string; default: run on this machine.")

SOURCES = {
    "--annotations": ANNOTATIONS,
    "--class_folders": CLASS_FOLDERS,
    "--kinetics": KINETICS,
    "--something_something": SOMETHING,
}


def check() -> None:
    cli.need(OUTPUT, "DIR")
    given = [name for name, flag in SOURCES.items() if flag.value]
    if len(given) != 1:
        raise UserError(f"expected one of {', '.join(SOURCES)}; found {' and '.join(given) or 'none'}")
    choices = [name for name, flag in (("--labels", LABELS), ("--classes", CLASSES)) if flag.value]
    choices += ["--random_classes"] if RANDOM_CLASSES.value else []
    if len(choices) > 1:
        raise UserError(f"expected one of --labels, --classes, --random_classes; found {' and '.join(choices)}")
    if ADD_TO.value and (CLASSES.value or RANDOM_CLASSES.value):
        raise UserError("expected --add_to without --classes and --random_classes, found both")
    if FORMAT.value and not ANNOTATIONS.value:
        raise UserError("expected --format with --annotations, found it without")
    if FRAME_RATE.value is not None and (CLASS_FOLDERS.value or not FRAME_RATE.value > 0):
        raise UserError(
            f"--frame_rate: expected pictures per second, with annotation files, found {FRAME_RATE.value:g}"
        )
    if not any("*" in path for path in ANNOTATIONS.value):
        cli.need_file(ANNOTATIONS, "a CSV file")
    cli.need_writable(OUTPUT, unless="manifest.json")


def main() -> None:
    from tsnet_tf.data import annotations, earlier, prepare
    from tsnet_tf.data.decode import Limits

    videos = _videos()
    before = earlier.read(ADD_TO.value) if ADD_TO.value else None
    labels = annotations.read_labels(LABELS.value) if LABELS.value else None
    prepare.prepare(
        _annotations(videos, list(before.annotations.values()) if before else [], labels),
        OUTPUT.value,
        prepare.Options(
            videos=videos,
            short_side=SHORT_SIDE.value,
            jpeg_quality=JPEG_QUALITY.value,
            shards=SHARDS.value,
            limits=Limits(MAX_SECONDS.value, MAX_FRAMES.value, MAX_PIXELS.value, MAX_DECODE_SECONDS.value),
            random_classes=RANDOM_CLASSES.value,
            class_seed=CLASS_SEED.value,
        ),
        labels=labels,
        classes=annotations.read_labels(CLASSES.value, "--classes") if CLASSES.value else None,
        earlier=before,
        beam_options=BEAM_OPTIONS.value,
    )


def _videos() -> str:
    """Returns the folder of the videos."""
    if CLASS_FOLDERS.value:
        if VIDEOS.value and os.path.abspath(VIDEOS.value) != os.path.abspath(CLASS_FOLDERS.value):
            raise UserError(f"expected --videos with annotation files only, found --videos={VIDEOS.value}")
        return CLASS_FOLDERS.value
    files = ANNOTATIONS.value + KINETICS.value + SOMETHING.value
    videos = VIDEOS.value or os.path.dirname(files[0]) or "."
    if "://" not in videos and not os.path.isdir(videos):
        raise UserError(f"--videos: expected a folder, found none at '{videos}'")
    return videos


def _annotations(videos: str, known: list, names: list | None) -> list:
    """Returns every video with its label and split; those of the ``known`` ones stand where splits are drawn."""
    from tsnet_tf.data.held_out import group_by
    from tsnet_tf.data.sources import class_folders, formats, kinetics, something_something

    drawn = {"split_seed": SPLIT_SEED.value, "group_of": group_by(GROUPS.value), "known": known}
    if CLASS_FOLDERS.value:
        return class_folders.read(CLASS_FOLDERS.value, **drawn)
    if ANNOTATIONS.value:
        found = formats.read(ANNOTATIONS.value, FORMAT.value, formats.Given(videos, names, FRAME_RATE.value, **drawn))
    elif KINETICS.value:
        found = kinetics.read(KINETICS.value, videos)
    else:
        found = something_something.read(SOMETHING.value)
    return formats.with_rate(found, FRAME_RATE.value) if FRAME_RATE.value else found


if __name__ == "__main__":
    cli.run(main, check=check)
