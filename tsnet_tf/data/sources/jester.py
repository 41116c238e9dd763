"""Jester's lists, which Something-Something-V1 has too: ``<id>;<label>``; a video is a folder of pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tsnet_tf import console
from tsnet_tf.console import counted
from tsnet_tf.data.annotations import Annotation, split_of_file, unique
from tsnet_tf.data.labels import spelled
from tsnet_tf.data.sources.text_file import read_lines_of
from tsnet_tf.errors import UserError

LINE = re.compile(r"(\d+)(?:;(.*))?")


def read(paths: Sequence[str], flag: str) -> list[Annotation]:
    """Reads lines such as ``34870;Drumming Fingers``.

    The split is the word in the file's name: train, validation or test. Lines without a label, as in the published test
    file, are left out, and counted in one line.

    Returns:
      Annotations sorted by path; that of a video is its id, which the folder is named.

    Raises:
      UserError: a file is missing, has none of the words in its name or a line of another form, or no line has a label.
    """
    found, unlabelled = [], 0
    for path in paths:
        split = split_of_file(path, flag)
        for match, where in read_lines_of(path, flag, LINE, "a line such as '34870;Drumming Fingers'"):
            label = spelled(match[2] or "", flag, where)
            if label:
                found.append((Annotation(match[1], label, split), where))
            else:
                unlabelled += 1
    if not found:
        raise UserError(f"{flag}: expected lines with a label in {', '.join(paths)}, found none")
    if unlabelled:
        console.warn(f"{counted(unlabelled, 'line', 'have')} no label, as the test split has none; not prepared")
    return unique(found, flag)
