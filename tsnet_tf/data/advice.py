"""What in a data set would mislead a training or an evaluation without an error: directions, few clips, films."""

from __future__ import annotations

import collections
import os
import re
from collections.abc import Iterator, Mapping, Sequence

from tsnet_tf.console import counted
from tsnet_tf.data import media
from tsnet_tf.data.video_dataset import VideoDataset

FEW_IN_TRAINING = 10  # videos of a class
FEW_TO_MEASURE = 30  # videos of a split: one of them is more than 3 % of the accuracy
DIRECTIONS = {"left", "right", "leftward", "rightward", "leftwards", "rightwards", "clockwise", "counterclockwise"}
DIRECTIONS |= {"anticlockwise"}
# What cutting a film into clips leaves at the end of a name: a number, or the times of beginning and end.
_PLACE_IN_FILM = re.compile(r"(?:[._\- ]+(?:clip|part|scene|seg|segment|cut|t|s)?[._\- ]?\d+)+$", re.IGNORECASE)
_SHARE_OF_A_CLASS = 0.5  # a name that more of a class's videos have is the class's or the collection's, not a film's


def warnings(dataset: VideoDataset, labels: Sequence[str], videos: Mapping[str, Sequence[int]]) -> Iterator[str]:
    """What is known from settings and counts.

    Args:
      dataset: how clips are taken.
      labels: of the classes.
      videos: split to number of videos of each class.
    """
    directed = [label for label in labels if DIRECTIONS & set(re.split(r"[^a-z]+", label.lower()))]
    if dataset.flip and directed:
        yield (
            f"{counted(len(directed), 'label', 'name')} a direction, such as '{directed[0]}', and half "
            "of the training clips are mirrored: set VideoDataset.flip = False"
        )
    for split, counts in videos.items():
        there = {label: count for label, count in zip(labels, counts, strict=True) if count}
        few = sorted((count, label) for label, count in there.items() if count < FEW_IN_TRAINING)
        if split == "train" and few:
            yield (
                f"{len(few)} of {counted(len(there), 'class', 'have')} fewer than {FEW_IN_TRAINING} training videos; "
                f"'{few[0][1]}' has {few[0][0]}"
            )
        if split != "train" and sum(counts) < FEW_TO_MEASURE:
            yield (
                f"{split} has {counted(sum(counts), 'video')}: one of them is "
                f"{100 / sum(counts):.1f} % of an accuracy that is measured on it"
            )


def of_one_film(names: Mapping[str, Sequence[tuple[str, str]]]) -> Iterator[str]:
    """Films of which clips are in training and in another split, as far as names tell.

    Args:
      names: split to (path, label) of its videos.
    """
    films: dict[str, set[str]] = collections.defaultdict(set)
    clips: dict[tuple[str, str], set[str]] = collections.defaultdict(set)
    sizes = collections.Counter(label for videos in names.values() for _, label in videos)
    for split, videos in names.items():
        for path, label in videos:
            film = film_of(path)
            if film:
                films[film].add(split)
                clips[film, label].add(path)
    common = {film for (film, label), paths in clips.items() if len(paths) > _SHARE_OF_A_CLASS * sizes[label]}
    for split in (split for split in names if split != "train"):
        shared = sorted(film for film, splits in films.items() if {"train", split} <= splits and film not in common)
        if shared:
            yield (
                f"{len(shared)} names say that clips of one film are both in train and in {split}, such as those of "
                f"'{shared[0]}': the accuracy on {split} is then that on what has been seen. bin/prepare_data.py "
                "--groups keeps them together"
            )


def film_of(path: str) -> str | None:
    """What a clip's name has before its place in a film; None if it names no place, or nothing else."""
    stem = os.path.splitext(os.path.basename(media.file_of(path)))[0]
    film = _PLACE_IN_FILM.sub("", stem)
    return film if film and film != stem else None
