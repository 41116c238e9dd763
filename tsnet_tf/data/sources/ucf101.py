"""UCF101's split files: ``trainlist01.txt`` and ``testlist01.txt``; the class is the folder."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tsnet_tf.data.annotations import Annotation, split_of_file, unique
from tsnet_tf.data.labels import spelled
from tsnet_tf.data.sources.text_file import read_lines_of
from tsnet_tf.errors import UserError

_LINE = re.compile(r"([^/\\]+)/([^/\\]+?\.avi)(?:\s+(\d+))?")


def read(paths: Sequence[str], flag: str) -> list[Annotation]:
    """Reads lines such as ``Archery/v_Archery_g08_c01.avi 3``, in test lists without the number.

    Numbers are looked at only to see that each class has one; ``--labels=classInd.txt`` gives them to the classes.

    Returns:
      Annotations sorted by path.

    Raises:
      UserError: a file is missing, has neither "train" nor "test" in its name or a line of another form, or a class
        has two numbers.
    """
    found, numbers = [], {}
    for path in paths:
        split = split_of_file(path, flag)
        for match, where in read_lines_of(path, flag, _LINE, "a line such as 'Archery/v_Archery_g08_c01.avi 3'"):
            folder, video, number = match.groups()
            if number and numbers.setdefault(folder, number) != number:
                raise UserError(
                    f"{flag}: expected one number per class, found '{folder}' with {numbers[folder]} and, in {where}, "
                    f"with {number}"
                )
            found.append((Annotation(f"{folder}/{video}", spelled(folder, flag, where), split), where))
    return unique(found, flag)
