"""HMDB51's split files: one for each class and split, ``<class>_test_split<1, 2 or 3>.txt``."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from tsnet_tf import console
from tsnet_tf.console import counted
from tsnet_tf.data.annotations import Annotation, unique
from tsnet_tf.data.labels import spelled
from tsnet_tf.data.sources.text_file import read_lines_of
from tsnet_tf.errors import UserError

NAME = re.compile(r"(.+)_test_split(\d)\.txt")
_LINE = re.compile(r"(\S.*?)\s+([012])")
_SPLITS = {"1": "train", "2": "test"}


def read(paths: Sequence[str], flag: str) -> list[Annotation]:
    """Reads lines of a file's name and a number: 1 for training, 2 for test, 0 for neither, which one line counts.

    A video is ``<class>/<name>``.

    Returns:
      Annotations sorted by path.

    Raises:
      UserError: a file is missing, is named otherwise, is of another of the three splits, or has a line of another
        form; or no video is in a split.
    """
    found, unused, of_split = [], 0, {}
    for path in paths:
        name = NAME.fullmatch(os.path.basename(path))
        if not name:
            raise UserError(
                f"{flag}: expected files named as 'brush_hair_test_split1.txt', found '{os.path.basename(path)}'"
            )
        of_split.setdefault(name[2], path)
        if len(of_split) > 1:
            first, second = of_split.values()
            raise UserError(f"{flag}: expected files of one of the three splits, found '{first}' and '{second}'")
        label = spelled(name[1], flag, f"the name '{path}'")
        for match, where in read_lines_of(path, flag, _LINE, "a name and 0, 1 or 2"):
            if match[2] in _SPLITS:
                found.append((Annotation(f"{name[1]}/{match[1]}", label, _SPLITS[match[2]]), where))
            else:
                unused += 1
    if not found:
        raise UserError(f"{flag}: expected videos with 1 or 2 in {', '.join(paths)}, found none")
    if unused:
        console.warn(f"{counted(unused, 'video', 'are')} in neither training nor test; not prepared")
    return unique(found, flag)
