"""The annotation files of Kinetics-400, -600 and -700.

Downloaders name clips ``<youtube id>_<start>_<end>.<any>``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tsnet_tf import console
from tsnet_tf.console import counted
from tsnet_tf.data.annotations import Annotation, unique
from tsnet_tf.data.folders import files_below, is_video
from tsnet_tf.data.labels import spelled
from tsnet_tf.data.sources import csv_file
from tsnet_tf.errors import UserError

FLAG = "--kinetics"
COLUMNS = ("youtube_id", "time_start", "time_end", "split")
_CLIP = re.compile(r"(.+_\d{6}_\d{6})\.[^.]+$")


def read(paths: Sequence[str], videos: str, flag: str = FLAG) -> list[Annotation]:
    """Reads annotation files with the columns label, youtube_id, time_start, time_end (seconds) and split.

    Rows without a label, as in the published test files of some editions, are left out, and counted in one line.

    Args:
      paths: the files, of one split each or of several.
      videos: folder of the clips, which may be nested in it in any way: by class, by split.
      flag: what the user named the files with, for messages.

    Returns:
      Annotations sorted by path, relative to ``videos``. A clip that is not there has the path it would have directly
      in ``videos`` as .mp4.

    Raises:
      UserError: a file is missing, lacks a column, has a faulty row, or no row has a label.
    """
    found = _clips(videos)
    annotations, unlabelled = [], 0
    for path in paths:
        for row, where in csv_file.rows_of(path, flag, COLUMNS):
            if not row.get("label"):  # some editions call the split of these holdout_test
                unlabelled += 1
                continue
            split = csv_file.split_of(row["split"], flag, where)
            name, label = _clip_name(row, flag, where), spelled(row["label"], flag, where)
            annotations.append((Annotation(found.get(name, f"{name}.mp4"), label, split), where))
    if not annotations:
        raise UserError(f"{flag}: expected rows with a label in {', '.join(paths)}, found none")
    if unlabelled:
        console.warn(f"{counted(unlabelled, 'row', 'have')} no label, as test splits may; not prepared")
    return unique(annotations, flag)


def _clip_name(row: dict[str, str], flag: str, where: str) -> str:
    try:
        start, end = (round(float(row[column])) for column in ("time_start", "time_end"))
    except (ValueError, OverflowError):
        raise UserError(
            f"{flag}: expected time_start and time_end in seconds in {where}, found '{row['time_start']}' and "
            f"'{row['time_end']}'"
        ) from None
    return f"{row['youtube_id']}_{start:06d}_{end:06d}"


def _clips(videos: str) -> dict[str, str]:
    """Returns each clip's name to its path in ``videos``; of several, a usual suffix and the first path win."""
    found: dict[str, list[str]] = {}
    for path in files_below(videos, "--videos", lambda name: bool(_CLIP.match(name))):
        found.setdefault(_CLIP.match(path.rsplit("/", 1)[-1])[1], []).append(path)
    return {name: min(paths, key=lambda path: (not is_video(path), path)) for name, paths in found.items()}
