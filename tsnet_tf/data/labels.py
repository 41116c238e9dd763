"""How a label is written, in which order labels are counted, and which ones a person would take for each other."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping

from tsnet_tf import console
from tsnet_tf.errors import UserError

# Characters that show nothing: soft hyphens, marks of writing direction, spaces of no width, byte order marks.
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]")
# These two show something in scripts whose letters join, and in emoji; elsewhere they show nothing either.
_JOINERS = "[\u200c\u200d]+"
_IDLE_JOINERS = re.compile(f"(?<![\u0600-\U0010ffff]){_JOINERS}|{_JOINERS}(?![\u0600-\U0010ffff])")
_NUMBER, _NEGATIVE = re.compile(r"\d+"), re.compile(r"-\d+")
_MOST_NAMED = 5


def spelled(text: str, flag: str, where: str) -> str:
    """Returns a label as it is written everywhere: accents composed, without what cannot be seen, spaces single.

    Args:
      text: the label as it was found.
      flag: what the user named its source with, for the message.
      where: its place there, such as "line 3 of 'a.csv'".

    Raises:
      UserError: it has more than one line, or another control character.
    """
    if any(character in text.strip() for character in "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"):
        raise UserError(f"{flag}: expected a label on one line in {where}, found {text!a}")
    label = " ".join(unicodedata.normalize("NFC", _IDLE_JOINERS.sub("", _INVISIBLE.sub("", text))).split())
    if any(unicodedata.category(character) == "Cc" for character in label):
        raise UserError(f"{flag}: expected a label without control characters in {where}, found {text!a}")
    return label


def in_order(labels: Iterable[str]) -> list[str]:
    """Returns each label once, sorted; where all are whole numbers, by their value."""
    labels = set(labels)
    if all(_NUMBER.fullmatch(label) for label in labels):
        return sorted(labels, key=lambda label: (int(label), label))
    return sorted(labels)


def check_distinct(labels: Collection[str]) -> None:
    """Warns of labels that differ in upper and lower case, or in the form of letters, only.

    Raises:
      UserError: two cannot be told apart by eye.
    """
    seen: dict[str, str] = {}
    for label in labels:
        other = seen.setdefault(re.sub(_JOINERS, "", label), label)
        if other != label:
            raise UserError(f"labels: expected one spelling for each class, found {other!a} and {label!a}")
    similar: dict[str, str] = {}
    for label in labels:
        other = similar.setdefault(unicodedata.normalize("NFKC", label).casefold(), label)
        if other != label:
            console.warn(f"'{other}' and '{label}' differ in the form of letters only; they are two classes")


def check_trained(labels: Collection[str], videos: Mapping[str, Mapping[str, int]], why: str = "") -> None:
    """Warns of classes that have no training videos, if others have.

    Args:
      labels: of the classes.
      videos: split to number of videos of each label.
      why: words that follow "training videos".
    """
    train = videos.get("train", {})
    missing = [label for label in labels if not train.get(label)]
    if not missing or not any(train.values()):
        return
    named = []
    for label in missing[:_MOST_NAMED]:
        elsewhere = [f"{by_label[label]} in {split}" for split, by_label in videos.items() if by_label.get(label)]
        named.append(f"'{label}' ({' and '.join(elsewhere) or 'none at all'})")
    more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
    console.warn(f"classes without training videos{why}: {', '.join(named)}{more}")


def no_classes(labels: Collection[str]) -> set[str]:
    """Negative numbers among class numbers: lists have them for a class that is not known."""
    negative = {label for label in labels if _NEGATIVE.fullmatch(label)}
    others = set(labels) - negative
    return negative if others and all(_NUMBER.fullmatch(label) for label in others) else set()
