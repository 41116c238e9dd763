"""A CSV file with the columns path and label, and perhaps split."""

from __future__ import annotations

import csv
import io

from tsnet_tf.data.annotations import SPLIT_NAMES, SPLITS, Annotation, hold_out, read_text
from tsnet_tf.errors import UserError

COLUMNS = ("path", "label")


def read(path: str, *, split_seed: int) -> list[Annotation]:
    """Reads a CSV file with the columns path, label and split; other columns are left alone.

    Without the column split, some videos are held out (`hold_out`).

    Returns:
      Annotations sorted by path.

    Raises:
      UserError: the file is missing, lacks a column, or has a row that is incomplete, repeated or of no known split.
    """
    rows: dict[str, dict[str, str]] = {}
    for row, where in rows_of(path, "--annotations", COLUMNS):
        for column in (*COLUMNS, "split"):
            if column in row and not row[column]:
                raise UserError(f"--annotations: expected a {column} in {where}, found none")
        if "split" in row:
            row["split"] = split_of(row["split"], "--annotations", where)
        if row["path"] in rows:
            raise UserError(f"--annotations: expected each video once, found '{row['path']}' again in {where}")
        rows[row["path"]] = row
    if not rows:
        raise UserError(f"--annotations: expected one row per video in '{path}', found none")
    if all("split" in row for row in rows.values()):
        return sorted(Annotation(row["path"], row["label"], row["split"]) for row in rows.values())
    return hold_out(((row["path"], row["label"]) for row in rows.values()), split_seed)


def rows_of(path: str, flag: str, needed: tuple[str, ...]) -> list[tuple[dict[str, str], str]]:
    """Reads the rows of a CSV file, each with its place, such as "line 3 of 'a.csv'"; values are stripped.

    Args:
      path: of the file.
      flag: what the user named the file with, for the message.
      needed: columns that must be there.

    Raises:
      UserError: the file is missing, is no CSV file, or lacks a column.
    """
    text = read_text(path, flag, "a CSV file")
    try:
        rows = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
        columns = list(rows.fieldnames or [])
        missing = [column for column in needed if column not in columns]
        if missing:
            raise UserError(
                f"{flag}: expected the columns {', '.join(needed)} in '{path}', "
                f"found {', '.join(columns) or 'an empty file'} (no {', '.join(missing)})"
            )
        return [
            ({column: (row[column] or "").strip() for column in columns}, f"line {rows.line_num} of '{path}'")
            for row in rows
        ]
    except csv.Error as error:
        raise UserError(f"{flag}: expected a CSV file, found in '{path}': {error}") from error


def split_of(name: str, flag: str, where: str) -> str:
    """Returns the split that a file calls ``name``.

    Raises:
      UserError: there is none.
    """
    if name not in SPLIT_NAMES:
        raise UserError(f"{flag}: expected the split {', '.join(SPLITS)} in {where}, found '{name}'")
    return SPLIT_NAMES[name]
