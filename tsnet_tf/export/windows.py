"""Clips that slide over a video of any length, and what is said about each moment of it. Memory does not grow."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable, Iterator

import numpy as np


def at_rate(pictures: Iterable[np.ndarray], video_rate: float, frame_rate: float | None) -> Iterator[np.ndarray]:
    """Frames counted at ``frame_rate`` per second: each shows the middle of its time, as in training.

    Args:
      pictures: the video's frames.
      video_rate: their number per second; 0 for not known.
      frame_rate: the number wanted; None for the video's own.
    """
    if not frame_rate or not video_rate:
        yield from pictures
        return
    counted = 0
    for number, picture in enumerate(pictures):
        while int((counted + 0.5) * video_rate / frame_rate) == number:
            yield picture
            counted += 1
    if not counted:  # a video of less than half a frame's time
        yield picture


def sliding_clips(
    pictures: Iterable[np.ndarray], frames: int, stride: int, hop: int, loop: bool = False
) -> Iterator[tuple[int, np.ndarray]]:
    """Clips that start every ``hop`` source frames; the last one ends with the video.

    Args:
      pictures: the video's frames, uint8 ``[height, width, 3]`` each.
      frames: frames of a clip.
      stride: source frames from one to the next; a clip spans ``frames * stride`` of them.
      hop: source frames from one clip's start to the next one's, at most the span.
      loop: what is done in a video that is shorter than the span: it starts again, or its last frame is held.

    Yields:
      The number of source frames seen so far, and a clip, uint8 ``[frames, height, width, 3]``.
    """
    span = frames * stride
    recent, seen, ended_at = collections.deque(maxlen=span), 0, 0
    for picture in pictures:
        recent.append(picture)
        seen += 1
        if seen >= span and (seen - span) % hop == 0:
            yield seen, np.stack([recent[i] for i in range(0, span, stride)])
            ended_at = seen
    if seen > ended_at:
        places = range(0, span, stride)
        yield seen, np.stack([recent[i % len(recent) if loop else min(i, len(recent) - 1)] for i in places])


def moments(probabilities: Iterable[np.ndarray], overlapping: int) -> Iterator[np.ndarray]:
    """For each moment, one hop long, the mean over the clips that show it.

    Args:
      probabilities: of the clips in their order, ``[classes]`` each.
      overlapping: how many hops a clip spans: clip i shows the moments i to i + overlapping - 1.

    Yields:
      ``[classes]``, ``overlapping - 1`` more than there are clips.
    """
    showing = collections.deque(maxlen=overlapping)
    for row in itertools.chain(probabilities, itertools.repeat(None, overlapping - 1)):
        showing.append(row)
        yield np.mean([clip for clip in showing if clip is not None], axis=0)
