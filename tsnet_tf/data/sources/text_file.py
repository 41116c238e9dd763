"""Text files as annotations have them: lines with their places, JSON."""

from __future__ import annotations

import json
import re

from tsnet_tf.data.annotations import read_text
from tsnet_tf.errors import UserError


def read_lines(path: str, flag: str) -> list[tuple[str, str]]:
    """Returns the lines that are not empty, stripped, each with its place, such as "line 3 of 'a.txt'".

    Args:
      path: of the file.
      flag: what the user named it with, for the message.

    Raises:
      UserError: there is no such file, it is not in UTF-8, or it is empty.
    """
    lines = re.split("\r\n?|\n", read_text(path, flag, "a text file"))
    found = [(line.strip(), f"line {number} of '{path}'") for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise UserError(f"{flag}: expected one line per video in '{path}', found an empty file")
    return found


def read_lines_of(path: str, flag: str, form: re.Pattern[str], expected: str) -> list[tuple[re.Match[str], str]]:
    """Returns what `read_lines` does, of lines that have one form, as matches of it.

    Args:
      path, flag: as for `read_lines`.
      form: regular expression of a whole line.
      expected: what a line should be, for the message.

    Raises:
      UserError: as for `read_lines`, or a line has another form.
    """
    found = []
    for line, where in read_lines(path, flag):
        match = form.fullmatch(line)
        if not match:
            raise UserError(f"{flag}: expected {expected} in {where}, found '{line[:80]}'")
        found.append((match, where))
    return found


def read_json(path: str, flag: str, kind: type[list] | type[dict]) -> list | dict:
    """Reads a JSON file that holds a list or an object.

    Args:
      path: of the file.
      flag: what the user named it with, for the message.
      kind: `list` or `dict`.

    Raises:
      UserError: it holds something else.
    """
    what = "list" if kind is list else "object"
    try:
        value = json.loads(read_text(path, flag, "a JSON file"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{flag}: expected a JSON {what} in '{path}', found {error}") from error
    if not isinstance(value, kind):
        raise UserError(f"{flag}: expected a JSON {what} in '{path}', found {type(value).__name__}")
    return value


def shown(value: object) -> str:
    """The beginning of a JSON value, for a message."""
    return json.dumps(value)[:60]
