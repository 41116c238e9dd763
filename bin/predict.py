#!/usr/bin/env python3
"""Shows what a video file is about: the five most probable labels, and which label holds from when to when.

  python bin/predict.py --saved_model=runs/demo/saved_model --video=clip.mp4
  python bin/predict.py --saved_model=runs/demo/saved_model --video=film.mp4 --video=more/ --plot=pictures
  python bin/predict.py --saved_model=runs/demo/saved_model --video=videos/ --json > predictions.jsonl

Needs the SavedModel only, written by bin/export.py. A video may have any length: clips slide over it, and memory stays
the same. A file that cannot be decoded is named, the others go on, and the exit code is 2.
"""

import json
import os

from absl import flags

from tsnet_tf import cli, paths
from tsnet_tf.errors import UserError
from tsnet_tf.export import formats

SAVED_MODEL = cli.DEFINE_path("saved_model", None, "Folder written by bin/export.py.", of_a_model=True)
VIDEO = cli.DEFINE_multi_path("video", "Video file, or a folder with videos in or below it; repeatable.")
OVERLAP = flags.DEFINE_float(
    "overlap", 0.75, "Part of a clip that the next one shows again.", lower_bound=0.0, upper_bound=0.99
)
JSON = flags.DEFINE_bool("json", False, "Print one line of JSON for each video instead of tables.")
PLOT = cli.DEFINE_path("plot", None, "Folder for a picture of each video's timeline (PNG and SVG).")


def check() -> None:
    cli.need(SAVED_MODEL, "DIR")
    cli.need(VIDEO, "FILE")
    missing = [video for video in VIDEO.value if paths.is_local(video) and not os.path.exists(video)]
    if missing:
        raise UserError(f"--video: expected a video file or a folder, found nothing at '{missing[0]}'")
    if PLOT.value:
        cli.need_writable(PLOT)
    formats.check_saved_model(SAVED_MODEL.value)


def main() -> None:
    from tsnet_tf.export import predict
    from tsnet_tf.report import timeline

    videos = predict.find_videos(VIDEO.value)
    predictor = predict.Predictor(SAVED_MODEL.value)
    names = timeline.names(videos)

    def show(result: dict) -> None:
        if JSON.value:
            print(json.dumps(result), flush=True)
        else:
            predict.show_text(result)
        if PLOT.value:
            timeline.draw(result, f"{PLOT.value}/{names[result['video']]}")

    predict.predict_files(predictor, videos, OVERLAP.value, show, quiet=JSON.value)


if __name__ == "__main__":
    cli.run(main, check=check)
