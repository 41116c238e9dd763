"""Which videos are held out for validation and test, where nobody says so."""

import collections
import re
from collections.abc import Callable, Iterable, Sequence

from tsnet_tf.data.annotations import SPLITS, Annotation, stable_hash
from tsnet_tf.errors import UserError

_SHARE_HELD_OUT = 0.1  # of each class, once for validation and once for test


def hold_out(
    videos: Iterable[tuple[str, str]],
    seed: int,
    group_of: Callable[[str], str] = lambda path: path,
    known: Sequence[Annotation] = (),
) -> list[Annotation]:
    """Draws which videos of each class are for validation and for test: a tenth each, at least one of three videos.

    Args:
      videos: path and label of each.
      seed: draws them; a video's split does not depend on the order.
      group_of: path to what belongs together, such as the film that clips were cut from. A group is in one split; of
        groups that are larger than a tenth of a class, one that is no more than a third is held out.
      known: videos whose splits stand, and so those of their groups.

    Returns:
      Annotations of ``videos``, sorted by path.
    """
    splits = {annotation.path: annotation.split for annotation in known}
    of_groups = {group_of(path): split for path, split in splits.items()}
    videos = dict(videos)
    groups: dict[str, list[tuple[str, str]]] = {}
    for path, label in videos.items():
        if path not in splits:
            groups.setdefault(group_of(path), []).append((path, label))
    new = (label for group in groups.values() for _, label in group)
    totals = collections.Counter([*new, *(annotation.label for annotation in known)])
    wanted = {label: max(round(_SHARE_HELD_OUT * n), 1 if n >= 3 else 0) for label, n in totals.items()}
    held = {
        split: collections.Counter(annotation.label for annotation in known if annotation.split == split)
        for split in SPLITS
        if split != "train"
    }
    found = [Annotation(path, label, splits[path]) for path, label in videos.items() if path in splits]
    for group in sorted(groups, key=lambda group: stable_hash(seed, group)):
        own = collections.Counter(label for _, label in groups[group])

        def has_room(split: str, own=own) -> bool:
            return all(
                held[split][label] + n <= wanted[label] or (not held[split][label] and n <= totals[label] // 3)
                for label, n in own.items()
            )

        split = of_groups.get(group) or next(filter(has_room, held), "train")
        held.get(split, collections.Counter()).update(own)
        found += [Annotation(path, label, split) for path, label in groups[group]]
    return sorted(found)


def group_by(pattern: str | None, flag: str = "--groups") -> Callable[[str], str]:
    """A function from a path to its group: what a regular expression's first parentheses match in it, else the path.

    Raises:
      UserError: it is no regular expression with parentheses.
    """
    if pattern is None:
        return lambda path: path
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UserError(f"{flag}: expected a regular expression, found '{pattern}': {error}") from None
    if not expression.groups:
        raise UserError(rf"{flag}: expected parentheses around the group's name, as in '(.*)_\d+', found '{pattern}'")

    def group_of(path: str) -> str:
        match = expression.search(path)
        return match[1] if match and match[1] else path

    return group_of
