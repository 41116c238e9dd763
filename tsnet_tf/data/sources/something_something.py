"""Something-Something-V2's annotation files; a video is ``<id>.webm``."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

from tsnet_tf import console
from tsnet_tf.data.annotations import Annotation, read_text, unique
from tsnet_tf.data.labels import spelled
from tsnet_tf.errors import UserError

FLAG = "--something_something"
_SPLIT_WORDS = {"train": "train", "validation": "validation", "test": "test"}


def read(paths: Sequence[str]) -> list[Annotation]:
    """Reads JSON lists of objects with an ``id`` and a ``template``, such as "Putting [something] onto [something]".

    The label is the template without its brackets, as it stands in ``labels.json``. The split is the word in the file's
    name: train, validation or test. Entries without a template, as in the published test file, are left out, and
    counted in one line.

    Returns:
      Annotations sorted by path.

    Raises:
      UserError: a file is missing or of another form, has none of the words in its name, or no entry has a label.
    """
    annotations, unlabelled = [], 0
    for path in paths:
        split = _split_of(path)
        for number, entry in enumerate(_entries(path), 1):
            where = f"entry {number} of '{path}'"
            if not isinstance(entry, dict) or not str(entry.get("id", "")).strip():
                raise UserError(f"{FLAG}: expected an object with an id in {where}, found {json.dumps(entry)[:60]}")
            template = entry.get("template")
            if not template:
                unlabelled += 1
                continue
            if not isinstance(template, str):
                raise UserError(f"{FLAG}: expected a template in words in {where}, found {json.dumps(template)[:60]}")
            label = spelled(template.replace("[", "").replace("]", ""), FLAG, where)
            annotations.append((Annotation(f"{entry['id']}.webm", label, split), where))
    if not annotations:
        raise UserError(f"{FLAG}: expected entries with a template in {', '.join(paths)}, found none")
    if unlabelled:
        console.warn(f"{unlabelled} entries have no label, as the test split has none; they are not prepared")
    return unique(annotations, FLAG)


def _split_of(path: str) -> str:
    name = os.path.basename(path)
    splits = [split for word, split in _SPLIT_WORDS.items() if word in name]
    if len(splits) != 1:
        raise UserError(f"{FLAG}: expected one of {', '.join(_SPLIT_WORDS)} in the file's name, found '{name}'")
    return splits[0]


def _entries(path: str) -> list:
    try:
        entries = json.loads(read_text(path, FLAG, "a JSON file"))
    except ValueError as error:
        raise UserError(f"{FLAG}: expected a JSON list in '{path}', found {error}") from error
    if not isinstance(entries, list):
        raise UserError(f"{FLAG}: expected a JSON list in '{path}', found {type(entries).__name__}")
    return entries
