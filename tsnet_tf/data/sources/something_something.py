"""Something-Something-V2's annotation files; a video is ``<id>.webm``."""

from __future__ import annotations

from collections.abc import Sequence

from tsnet_tf import console
from tsnet_tf.data.annotations import Annotation, split_of_file, unique
from tsnet_tf.data.labels import spelled
from tsnet_tf.data.sources.text_file import read_json, shown
from tsnet_tf.errors import UserError

FLAG = "--something_something"


def read(paths: Sequence[str], flag: str = FLAG) -> list[Annotation]:
    """Reads JSON lists of objects with an ``id`` and a ``template``, such as "Putting [something] onto [something]".

    The label is the template without its brackets, as it stands in ``labels.json``. The split is the word in the file's
    name: train, validation or test. Entries without a template, as in the published test file, are left out, and
    counted in one line.

    Args:
      paths: the files.
      flag: what the user named them with, for messages.

    Returns:
      Annotations sorted by path.

    Raises:
      UserError: a file is missing or of another form, has none of the words in its name, or no entry has a label.
    """
    annotations, unlabelled = [], 0
    for path in paths:
        split = split_of_file(path, flag)
        for number, entry in enumerate(read_json(path, flag, list), 1):
            where = f"entry {number} of '{path}'"
            if not isinstance(entry, dict) or not str(entry.get("id", "")).strip():
                raise UserError(f"{flag}: expected an object with an id in {where}, found {shown(entry)}")
            template = entry.get("template")
            if not template:
                unlabelled += 1
                continue
            if not isinstance(template, str):
                raise UserError(f"{flag}: expected a template in words in {where}, found {shown(template)}")
            label = spelled(template.replace("[", "").replace("]", ""), flag, where)
            annotations.append((Annotation(f"{entry['id']}.webm", label, split), where))
    if not annotations:
        raise UserError(f"{flag}: expected entries with a template in {', '.join(paths)}, found none")
    if unlabelled:
        console.warn(f"{unlabelled} entries have no label, as the test split has none; they are not prepared")
    return unique(annotations, flag)
