"""What in a folder is a video: the same for whoever looks, in preparation as in prediction."""

from __future__ import annotations

import os
from collections.abc import Callable

import tensorflow as tf

from tsnet_tf.errors import UserError

VIDEO_SUFFIXES = (
    ".mp4",
    ".webm",
    ".avi",
    ".mkv",
    ".mov",
    ".m4v",
    ".mpg",
    ".mpeg",
    ".wmv",
    ".flv",
    ".3gp",
    ".ogv",
    ".ts",
    ".mts",
)
# What systems leave in folders beside names with a dot: macOS in archives, Synology's disks, Windows, Linux.
_LITTER = {"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"}


def is_video(name: str) -> bool:
    """Whether a file's name is that of a video."""
    return name.lower().endswith(VIDEO_SUFFIXES)


def list_folder(folder: str, flag: str) -> list[str]:
    """Returns the names in a folder, sorted, but for hidden ones and those of a system's own.

    They come without the slash that object stores put after those of folders.

    Args:
      folder: where to look.
      flag: what the user named it with, for the message.

    Raises:
      UserError: a name is not in UTF-8, so that it can be written neither into records nor into a list of rejects.
    """
    try:
        names = [name.rstrip("/") for name in tf.io.gfile.listdir(folder)]
    except UnicodeDecodeError as error:
        raise UserError(f"{flag}: expected names in UTF-8 in '{folder}', found {error.object!r}") from error
    return sorted(name for name in names if not name.startswith(".") and name not in _LITTER)


def files_below(folder: str, flag: str, wanted: Callable[[str], bool]) -> list[str]:
    """Returns the files in and below a folder, sorted: their paths relative to it, with forward slashes.

    Links to folders are followed, but for those that lead back to a folder that they are in.

    Args:
      folder: where to begin.
      flag: as for `list_folder`.
      wanted: whether a file of this name is. On an object store what is so named is not asked whether it is a folder,
        because each question is a request.

    Raises:
      UserError: as for `list_folder`.
    """
    found, remote = [], "://" in folder
    waiting: list[tuple[str, tuple[str, ...]]] = [("", ())]
    while waiting:
        below, above = waiting.pop()
        here = os.path.join(folder, below).rstrip("/") or folder or "."
        real = here if remote else os.path.realpath(here)
        if real in above:
            continue
        for name in list_folder(here, flag):
            path = f"{below}{name}"
            if wanted(name) and (remote or not os.path.isdir(os.path.join(folder, path))):
                found.append(path)
            elif tf.io.gfile.isdir(os.path.join(folder, path)):
                waiting.append((f"{path}/", (*above, real)))
    return sorted(found)
