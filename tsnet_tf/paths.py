"""Paths that a person gives: homes are filled in, and what could not be written or read in the end is told at once.

Nothing here needs TensorFlow: paths are looked at before it is imported. Of those on object stores (``s3://``) nothing
is known then, and they pass.
"""

from __future__ import annotations

import os
import tempfile

from tsnet_tf.errors import UserError, no_space

PATTERN_CHARACTERS = "[]*?\\"


def is_local(path: str) -> bool:
    """Whether ``path`` is on a file system of the operating system."""
    return "://" not in path


def expanded(path: str) -> str:
    """``path`` with the home folder in place of a leading ``~`` or ``~USER``, as a shell does where it sees it.

    In ``--output=~/x`` a shell does not.

    Raises:
      UserError: there is no such user.
    """
    found = os.path.expanduser(path)
    if found.startswith("~"):
        raise UserError(f"expected ~USER with a user of this machine, found '{path}' (a file of that name: ./{path})")
    return found


def check_no_pattern(path: str) -> None:
    """Refuses names that TensorFlow reads as patterns where it looks for a model's files.

    It would not find what is there, keep every checkpoint for ever, or delete those of a neighbour.

    Raises:
      UserError: there is such a character.
    """
    if any(character in path for character in PATTERN_CHARACTERS):
        characters = " ".join(PATTERN_CHARACTERS)
        raise UserError(
            f"expected a path without {characters} (TensorFlow takes them for patterns, and neither finds nor deletes "
            f"the right checkpoints), found '{path}'; rename it"
        )


def check_can_be_written(path: str, what: str) -> None:
    """Tries whether a folder or file could be made at ``path``, and leaves nothing behind.

    Args:
      path: it need not be there, nor the folders it is in.
      what: such as "--output", for the message.

    Raises:
      UserError: it could not.
    """
    if not is_local(path):
        return
    there = os.path.abspath(path)
    if os.path.isfile(there):
        if not os.access(there, os.W_OK):
            raise UserError(f"{what}: expected a file that can be written, found '{path}' that cannot")
        there = os.path.dirname(there)
    while not os.path.lexists(there):
        there = os.path.dirname(there)
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        if no_space(error):
            raise
        raise UserError(
            f"{what}: expected a path that can be written, found '{path}': {error.strerror}: '{there}'"
        ) from error


def check_folder_can_be_written(path: str, what: str) -> None:
    """As `check_can_be_written`, of a folder: a file of that name is refused too."""
    if is_local(path) and os.path.lexists(path) and not os.path.isdir(path):
        raise UserError(f"{what}: expected a folder, found a file at '{path}'")
    check_can_be_written(path, what)
