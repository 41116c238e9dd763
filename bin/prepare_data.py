"""Turns annotated videos into sharded TFRecords, with a label map, a manifest and a list of rejected videos.

  python bin/prepare_data.py --annotations=annotations.csv --videos=videos --output=records
  python bin/prepare_data.py --class_folders=videos --output=records

The annotation file has the columns path, label and split (train, validation or test). The class folders are
DIR/<split>/<class>/<video>, or DIR/<class>/<video>, a tenth of which is held out for validation and a tenth for test.
A video that is missing or cannot be decoded is left out and listed in rejects.csv.
On a cluster: --beam_options="--runner=DataflowRunner --project=... --setup_file=./setup.py".
"""

import os

from absl import flags

from tsnet_tf import cli
from tsnet_tf.errors import UserError

ANNOTATIONS = flags.DEFINE_string("annotations", None, "CSV file with the columns path, label, split.")
CLASS_FOLDERS = flags.DEFINE_string("class_folders", None, "Folder with one folder per class (instead of a CSV file).")
VIDEOS = flags.DEFINE_string("videos", None, "Folder the CSV file's paths are relative to; default: the file's own.")
OUTPUT = flags.DEFINE_string("output", None, "Folder to write.")
LABELS = flags.DEFINE_string("labels", None, "Label map: one label per line or a JSON list. Default: sorted labels.")
SHORT_SIDE = flags.DEFINE_integer("short_side", 256, "Shorter side of the stored frames, pixels.", lower_bound=8)
JPEG_QUALITY = flags.DEFINE_integer("jpeg_quality", 90, "Of the stored frames.", lower_bound=1, upper_bound=100)
SHARDS = flags.DEFINE_integer("shards", None, "Shards per split; default: one per 32 videos.", lower_bound=1)
SPLIT_SEED = flags.DEFINE_integer("split_seed", 0, "Draws the held-out videos where --class_folders has no splits.")
BEAM_OPTIONS = flags.DEFINE_string("beam_options", "", "Beam's own flags in one string; default: run on this machine.")


def main() -> None:
    if not OUTPUT.value:
        raise UserError("expected --output=DIR, found none")
    if bool(ANNOTATIONS.value) == bool(CLASS_FOLDERS.value):
        found = "both" if ANNOTATIONS.value else "neither"
        raise UserError(f"expected either --annotations=CSV or --class_folders=DIR, found {found}")

    cli.silence_libraries()  # absl, by now started, has let warnings through again
    from tsnet_tf.data import prepare, sources

    if ANNOTATIONS.value:
        annotations = sources.read_annotations(ANNOTATIONS.value)
        videos = VIDEOS.value or os.path.dirname(ANNOTATIONS.value) or "."
    else:
        if VIDEOS.value and os.path.abspath(VIDEOS.value) != os.path.abspath(CLASS_FOLDERS.value):
            raise UserError(f"expected --videos with --annotations only, found --videos={VIDEOS.value}")
        annotations = sources.find_class_folders(CLASS_FOLDERS.value, split_seed=SPLIT_SEED.value)
        videos = CLASS_FOLDERS.value
    if "://" not in videos and not os.path.isdir(videos):
        raise UserError(f"--videos: expected a folder, found none at '{videos}'")
    prepare.prepare(
        annotations,
        OUTPUT.value,
        prepare.Options(videos, SHORT_SIDE.value, JPEG_QUALITY.value, SHARDS.value),
        labels=sources.read_labels(LABELS.value) if LABELS.value else None,
        beam_options=BEAM_OPTIONS.value,
    )


if __name__ == "__main__":
    cli.run(main)
