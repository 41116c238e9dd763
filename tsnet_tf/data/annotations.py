"""Which videos there are, with their labels and splits; the label map; a choice of classes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Sequence

import tensorflow as tf

from tsnet_tf import console
from tsnet_tf.console import counted
from tsnet_tf.data import media
from tsnet_tf.data.labels import in_order, no_classes, spelled
from tsnet_tf.errors import UserError

SPLITS = ("train", "validation", "test")
SPLIT_NAMES = {
    "train": "train",
    "validation": "validation",
    "validate": "validation",
    "val": "validation",
    "valid": "validation",
    "test": "test",
}
_SPLIT_WORD = re.compile(r"(?<![a-z])(train|val(?=id|[^a-z]|$)|test)")  # in the name of a file
_NUMBERED_FILE = "classind.txt"  # UCF101's


@dataclasses.dataclass(frozen=True, order=True)
class Annotation:
    """One video. ``path`` is relative to the folder of the videos, with forward slashes, or complete.

    It may say which part of a file is meant, or how fast pictures are shown (`tsnet_tf.data.media`).
    """

    path: str
    label: str
    split: str


def read_text(path: str, flag: str, kind: str) -> str:
    """Reads a text file in UTF-8, with or without a byte order mark.

    Args:
      path: of the file.
      flag: what the user named the file with, for the message.
      kind: what is expected there, such as "a CSV file".

    Raises:
      UserError: there is no such file, or it is of another encoding.
    """
    if not tf.io.gfile.exists(path) or tf.io.gfile.isdir(path):
        raise UserError(f"{flag}: expected {kind}, found nothing at '{path}'")
    with tf.io.gfile.GFile(path, "rb") as file:
        try:
            return file.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise UserError(f"{flag}: expected {kind} in UTF-8, found in '{path}': {error}") from error


def unique(annotations: Iterable[tuple[Annotation, str]], flag: str) -> list[Annotation]:
    """Sorts annotations by path; the same one twice counts once.

    Args:
      annotations: each with the place where it was found, such as "line 3 of 'a.csv'".
      flag: what the user named the file with, for the message.

    Raises:
      UserError: a video has two labels or two splits.
    """
    found: dict[str, Annotation] = {}
    for annotation, where in annotations:
        first = found.setdefault(annotation.path, annotation)
        if first != annotation:
            raise UserError(
                f"{flag}: expected one label and split per video, found '{annotation.path}' as '{first.label}' in "
                f"{first.split} and, in {where}, as '{annotation.label}' in {annotation.split}"
            )
    return sorted(found.values())


def check_files(annotations: Iterable[Annotation], location_of: Callable[[str], str]) -> None:
    """Refuses a file that has two labels or two splits under different names: spellings of its path, or links to it.

    Parts of a file may have different labels, but are in one split.

    Args:
      annotations: every video.
      location_of: where a path in them is.

    Raises:
      UserError: there is one.
    """
    files: dict[object, Annotation] = {}
    parts: dict[object, Annotation] = {}
    for annotation in annotations:
        file = _identity(location_of(annotation.path))
        of_file = files.setdefault(file, annotation)
        of_part = parts.setdefault((file, media.part_of(annotation.path)), annotation)
        first = of_part if of_file.split == annotation.split else of_file
        if first.split != annotation.split or (first is of_part and first.label != annotation.label):
            raise UserError(
                f"annotations: expected one label and split per video, found '{first.path}' as '{first.label}' in "
                f"{first.split} and the same file, named '{annotation.path}', as '{annotation.label}' in "
                f"{annotation.split}"
            )


def split_in_name(path: str) -> str | None:
    """The split that a file's name says, such as that of ``kinetics_val_list.txt``; None if it says none, or two."""
    splits = {SPLIT_NAMES[word] for word in _SPLIT_WORD.findall(os.path.basename(path).lower())}
    return splits.pop() if len(splits) == 1 else None


def split_of_file(path: str, flag: str) -> str:
    """Returns what `split_in_name` finds.

    Raises:
      UserError: it finds none.
    """
    split = split_in_name(path)
    if not split:
        name = os.path.basename(path)
        raise UserError(f"{flag}: expected one of {', '.join(SPLITS)} in the file's name, found '{name}'")
    return split


def without_unknown(annotations: Sequence[Annotation]) -> list[Annotation]:
    """Leaves out videos of a negative class number that no training video has, and says in one line how many.

    Test lists have such a number where the class is not known.
    """
    unknown = no_classes({annotation.label for annotation in annotations})
    unknown -= {annotation.label for annotation in annotations if annotation.split == "train"}
    left = [annotation for annotation in annotations if annotation.label not in unknown]
    if unknown:
        console.warn(
            f"{counted(len(annotations) - len(left), 'row', 'have')} the label {', '.join(sorted(unknown))}, which no "
            "training video has; they are not prepared"
        )
    return left


def with_names(annotations: Sequence[Annotation], names: Sequence[str] | None, flag: str) -> list[Annotation]:
    """Puts the names of classes in the place of their numbers, if there are names, and if all labels are numbers.

    Args:
      annotations: every video.
      names: the name of class 0, of class 1, and so on.
      flag: what the user named the annotations with, for the message.

    Raises:
      UserError: a number has no name.
    """
    numbers = {annotation.label for annotation in annotations}
    if not names or numbers <= set(names) or not all(number.isdecimal() for number in numbers):
        return list(annotations)
    for annotation in annotations:
        if int(annotation.label) >= len(names):
            raise UserError(
                f"{flag}: expected class numbers below {len(names)}, the number of names in --labels, found "
                f"{annotation.label} for '{annotation.path}'"
            )
    return [dataclasses.replace(annotation, label=names[int(annotation.label)]) for annotation in annotations]


def counts(annotations: Iterable[Annotation]) -> dict[str, dict[str, int]]:
    """Returns the number of videos of each label, by split."""
    found: dict[str, dict[str, int]] = {split: {} for split in SPLITS}
    for annotation in annotations:
        found[annotation.split][annotation.label] = found[annotation.split].get(annotation.label, 0) + 1
    return found


def read_labels(path: str, flag: str = "--labels") -> list[str]:
    """Reads a label map: one label per line, a JSON list, or a JSON object of label to index.

    In the first two the position is the label's index. An entry of the list may be a list of words, as in Diving48's
    ``Diving48_vocab.json``; the object is Something-Something's ``labels.json``. Lines of a file that is named as
    UCF101's, ``classInd.txt``, are numbered from 1.

    Raises:
      UserError: the file is missing or empty, is none of these, or names a label or an index twice.
    """
    text = read_text(path, flag, "a file with one label per line or a JSON list")
    if text.lstrip().startswith(("[", "{")):
        labels = [spelled(label, flag, f"'{path}'") for label in _labels_of_json(text, path, flag)]
        if not all(labels):
            raise UserError(f"{flag}: expected labels that are not empty in '{path}', found an empty one")
    else:
        labels = [spelled(line, flag, f"'{path}'") for line in re.split("\r\n?|\n", text)]
        labels = [label for label in labels if label]
        if os.path.basename(path).lower() == _NUMBERED_FILE:
            labels = _without_numbers(labels, path, flag)
    if not labels:
        raise UserError(f"{flag}: expected at least one label in '{path}', found none")
    repeated = sorted({label for label in labels if labels.count(label) > 1})
    if repeated:
        raise UserError(f"{flag}: expected each label once in '{path}', found '{repeated[0]}' more than once")
    return labels


def label_map(annotations: Iterable[Annotation], given: Sequence[str] | None = None) -> list[str]:
    """Returns the labels in the order of their indices: as ``given``, else all that occur, sorted (`in_order`).

    Raises:
      UserError: an annotation has a label that is not in ``given``.
    """
    used = in_order(annotation.label for annotation in annotations)
    if given is None:
        return used
    known = set(given)
    unknown = [label for label in used if label not in known]
    if unknown:
        raise UserError(
            f"--labels: expected every label of the annotations in the label map, found {len(unknown)} that are not: "
            f"{', '.join(repr(label) for label in unknown[:5])}"
        )
    return list(given)


def draw_classes(annotations: Iterable[Annotation], count: int, seed: int) -> list[str]:
    """Draws ``count`` of the classes that occur, sorted; the same seed draws the same, in whatever order they come.

    Raises:
      UserError: there are fewer classes.
    """
    labels = in_order(annotation.label for annotation in annotations)
    if count > len(labels):
        raise UserError(
            f"--random_classes: expected at most the {len(labels)} classes of the annotations, found {count}"
        )
    return in_order(sorted(labels, key=lambda label: stable_hash(seed, label))[:count])


def of_classes(annotations: Sequence[Annotation], classes: Sequence[str]) -> list[Annotation]:
    """Returns the annotations of the given classes.

    Raises:
      UserError: a class has no video.
    """
    missing = sorted(set(classes) - {annotation.label for annotation in annotations})
    if missing:
        raise UserError(
            f"--classes: expected classes of the annotations, found {len(missing)} that are none: "
            f"{', '.join(repr(label) for label in missing[:5])}"
        )
    kept = set(classes)
    return [annotation for annotation in annotations if annotation.label in kept]


def stable_hash(*parts: object) -> str:
    """Returns a hexadecimal digest that is the same on every machine and in every process."""
    return hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()


def _identity(location: str) -> object:
    """What two names of one file have in common; object stores have no links."""
    if "://" in location:
        return location
    try:
        status = os.stat(location)
    except (OSError, ValueError):  # it is missing, or cannot be
        return os.path.normpath(location)
    return status.st_dev, status.st_ino


def _without_numbers(lines: list[str], path: str, flag: str) -> list[str]:
    fields = [line.split(" ", 1) for line in lines]
    if any(len(field) < 2 or field[0] != str(number) for number, field in enumerate(fields, 1)):
        raise UserError(
            f"{flag}: expected lines that are numbered from 1, such as '1 Archery', in '{path}', found others"
        )
    return [name for _, name in fields]


def _labels_of_json(text: str, path: str, flag: str) -> list[str]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UserError(f"{flag}: expected a JSON list in '{path}', found {error}") from error
    if isinstance(value, list) and all(isinstance(label, str) for label in value):
        return value
    if isinstance(value, list) and all(
        isinstance(words, list) and all(isinstance(word, str) for word in words) for words in value
    ):
        return [" ".join(words) for words in value]
    if isinstance(value, dict) and all(str(index).isdecimal() for index in value.values()):
        labels = sorted(value, key=lambda label: int(value[label]))
        if [int(value[label]) for label in labels] != list(range(len(labels))):
            raise UserError(
                f"{flag}: expected a JSON list of strings, or an object with the indices 0 to {len(labels) - 1}, each "
                f"once, in '{path}', found others"
            )
        return labels
    raise UserError(f"{flag}: expected a JSON list of strings in '{path}', found something else")
