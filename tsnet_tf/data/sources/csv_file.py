"""A CSV file with the columns path and label, and perhaps split."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence

from tsnet_tf import console
from tsnet_tf.data.annotations import SPLIT_NAMES, SPLITS, Annotation, read_text, without_unknown
from tsnet_tf.data.held_out import hold_out
from tsnet_tf.data.labels import no_classes, spelled
from tsnet_tf.errors import UserError

FLAG = "--annotations"
COLUMNS = ("path", "label")


def read(
    path: str,
    *,
    split_seed: int,
    group_of: Callable[[str], str] = lambda path: path,
    known: Sequence[Annotation] = (),
) -> list[Annotation]:
    """Reads a CSV file with the columns path, label and split; other columns are left alone.

    Without the column split, some videos are held out (`hold_out`); those with the same entry in a column group stay
    together, and without that column those of the same ``group_of(path)``. Where classes are numbers, rows with a
    negative one that no training video has are left out, and counted in one line: test lists have them where the class
    is not known.

    Returns:
      Annotations sorted by path.

    Raises:
      UserError: the file is missing, lacks a column, or has a row that is incomplete, repeated or of no known split.
    """
    rows: dict[str, dict[str, str]] = {}
    for row, where in rows_of(path, FLAG, COLUMNS):
        row["label"] = spelled(row["label"], FLAG, where)
        for column in (*COLUMNS, "split"):
            if column in row and not row[column]:
                raise UserError(f"{FLAG}: expected a {column} in {where}, found none")
        if "split" in row:
            row["split"] = split_of(row["split"], FLAG, where)
        if row["path"] in rows:
            raise UserError(f"{FLAG}: expected each video once, found '{row['path']}' again in {where}")
        rows[row["path"]] = row
    if not rows:
        raise UserError(f"{FLAG}: expected one row per video in '{path}', found none")
    if not all("split" in row for row in rows.values()):
        unknown = no_classes({row["label"] for row in rows.values()})
        if unknown:
            console.warn(f"{', '.join(sorted(unknown))}: a negative number is taken for a class like the others")
        groups = {path: row.get("group") or group_of(path) for path, row in rows.items()}
        videos = ((row["path"], row["label"]) for row in rows.values())
        return hold_out(videos, split_seed, lambda path: groups.get(path) or group_of(path), known)
    return sorted(without_unknown([Annotation(row["path"], row["label"], row["split"]) for row in rows.values()]))


def rows_of(path: str, flag: str, needed: tuple[str, ...]) -> list[tuple[dict[str, str], str]]:
    """Reads the rows of a CSV file, each with its place, such as "line 3 of 'a.csv'"; values are stripped.

    Args:
      path: of the file.
      flag: what the user named the file with, for the message.
      needed: columns that must be there.

    Raises:
      UserError: the file is missing, is no CSV file, lacks a column or has one twice, or has a row of more fields.
    """
    text = read_text(path, flag, "a CSV file")
    rows = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    try:
        columns = [name.strip() for name in rows.fieldnames or []]
        missing = [column for column in needed if column not in columns]
        if missing:
            raise UserError(
                f"{flag}: expected the columns {', '.join(needed)} in '{path}', "
                f"found {', '.join(columns) or 'an empty file'} (no {', '.join(missing)})"
            )
        repeated = [column for column in columns if column and columns.count(column) > 1]
        if repeated:
            raise UserError(f"{flag}: expected each column once in '{path}', found '{repeated[0]}' more than once")
        while not columns[-1]:  # no column, and what stands there would be lost without a word
            columns.pop()
        rows.fieldnames = columns
        return [(_fields(row, columns, flag, where), where) for row, where in _placed(rows, path)]
    except csv.Error as error:
        place = f"line {rows.reader.line_num} of '{path}'"
        raise UserError(f"{flag}: expected a CSV file, found in {place}: {error}") from error


def _placed(rows: csv.DictReader, path: str) -> Iterator[tuple[dict, str]]:
    for row in rows:
        yield row, f"line {rows.line_num} of '{path}'"


def _fields(row: dict, columns: list[str], flag: str, where: str) -> dict[str, str]:
    surplus = row.pop(None, [])
    if any(field.strip() for field in surplus):
        raise UserError(
            f"{flag}: expected {len(columns)} fields in {where}, found {len(columns) + len(surplus)}; "
            'a field with a comma is written in quotation marks, such as "throwing, juggling"'
        )
    return {column: (row[column] or "").strip() for column in columns}


def split_of(name: str, flag: str, where: str) -> str:
    """Returns the split that a file calls ``name``.

    Raises:
      UserError: there is none.
    """
    if name not in SPLIT_NAMES:
        raise UserError(f"{flag}: expected the split {', '.join(SPLITS)} in {where}, found '{name}'")
    return SPLIT_NAMES[name]
