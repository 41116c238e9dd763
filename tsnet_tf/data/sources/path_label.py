"""Text lists of paths and labels, as MMAction2, PySlowFast and TSN have them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tsnet_tf.data.annotations import (
    Annotation,
    split_in_name,
    split_of_file,
    unique,
    with_names,
    without_unknown,
)
from tsnet_tf.data.held_out import hold_out
from tsnet_tf.data.labels import spelled
from tsnet_tf.data.sources.text_file import read_lines
from tsnet_tf.errors import UserError

_SEPARATORS = ("\t", ",", ";", " ")
_NUMBER = re.compile(r"-?\d+")


def read(
    paths: Sequence[str],
    flag: str,
    *,
    names: Sequence[str] | None = None,
    of_folders: bool = False,
    split_seed: int = 0,
    group_of: Callable[[str], str] = lambda path: path,
    known: Sequence[Annotation] = (),
) -> list[Annotation]:
    """Reads lines such as ``videos/a.mp4 3``, separated by a tab, a comma, a semicolon or a space.

    A path may have the separator in it where the label is a number. The split is the word in the file's name: train,
    val or test; of a single file without such a word, some videos are held out (`hold_out`).

    Args:
      paths: the files.
      flag: what the user named them with, for messages.
      names: of the classes, for labels that are their numbers.
      of_folders: the paths are those of folders of pictures; a number of pictures may stand before the label.
      split_seed, group_of, known: for `hold_out`.

    Returns:
      Annotations sorted by path.

    Raises:
      UserError: a file is missing, says no split where another one does, or has a line of another form.
    """
    drawn = len(paths) == 1 and not split_in_name(paths[0])
    found = []
    for path in paths:
        split = "train" if drawn else split_of_file(path, flag)
        lines = read_lines(path, flag)
        separator = _separator([line for line, _ in lines])
        for line, where in lines:
            video, label = _fields(line, separator, of_folders, flag, where)
            found.append((Annotation(video, spelled(label, flag, where), split), where))
    annotations = unique(found, flag)
    if not drawn:
        return sorted(with_names(without_unknown(annotations), names, flag))
    named = with_names(annotations, names, flag)
    return hold_out(((video.path, video.label) for video in named), split_seed, group_of, known)


def _separator(lines: Sequence[str]) -> str:
    """What separates most lines into a path and a number; else, into two fields."""

    def fitting(separator: str) -> tuple[int, int]:
        fields = [[field.strip() for field in line.rsplit(separator, 1)] for line in lines]
        pairs = [pair for pair in fields if len(pair) == 2]
        return sum(bool(_NUMBER.fullmatch(label)) for _, label in pairs), len(pairs)

    return max(_SEPARATORS, key=fitting)


def _fields(line: str, separator: str, of_folders: bool, flag: str, where: str) -> tuple[str, str]:
    fields = [field.strip() for field in line.split(separator)]
    fields = [field for field in fields if field] if separator == " " else fields
    is_number = bool(_NUMBER.fullmatch(fields[-1]))
    several = len(fields) > 2 and bool(_NUMBER.fullmatch(fields[-2]))
    if of_folders and is_number and several:
        return _path(line, separator, 2), fields[-1]
    if len(fields) < 2 or not fields[0] or not fields[-1] or (len(fields) > 2 and (not is_number or several)):
        raise UserError(
            f"{flag}: expected a path and a label, such as 'videos/a.mp4 3', in {where}, found '{line[:80]}'"
        )
    return _path(line, separator, 1), fields[-1]


def _path(line: str, separator: str, after: int) -> str:
    """What is in a line before the last ``after`` fields."""
    return line.rsplit(None if separator == " " else separator, after)[0].strip()
