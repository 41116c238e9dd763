"""A constant rate out of frames that are shown at any times.

A clip is so many frames, one so many after the other; what a model sees of a motion would depend on the file if frames
came at other distances in time. So everything that reads a video, to train on or to predict, counts its frames here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

Frame = TypeVar("Frame")

_ROUNDING = 0.01  # of the time from one frame to the next: files round times
_NEAR = 0.05  # a rate that a file declares is believed if the mean of its times is so near
_FASTEST_COUNT = 240.0  # per second; a file that counts faster counts units of time, not frames


@dataclasses.dataclass(frozen=True)
class Pace:
    """How a video's frames are counted.

    Attributes:
      rate: frames per second; 0 if nobody knows.
      frames: how many there are, if each that is announced can be decoded.
      by_time: whether frames are held and left out to come at that rate; else they are taken as they come.
    """

    rate: float
    frames: int
    by_time: bool


def pace_of(times: Sequence[float | None], declared: float) -> Pace:
    """Finds the constant rate of a video whose frames are shown at ``times``.

    Frames that stay within half a step of even instants are taken as they come. Otherwise as many as there are frames
    are taken, at even instants from the first to the last one.

    Args:
      times: in seconds, of every frame, in any order; None for one that the file does not say.
      declared: the rate in the file's header, per second; 0 if there is none.
    """
    count = len(times)
    if count < 3 or None in times:
        return Pace(declared, count, False)
    times = np.sort(np.asarray(times, np.float64))
    if np.diff(times).min() <= 0:
        return Pace(declared, count, False)
    mean = float((count - 1) / (times[-1] - times[0]))
    if np.abs((times - times[0]) * mean - np.arange(count)).max() > 0.5:
        return Pace(mean, count, True)
    return Pace(declared if abs(declared - mean) <= _NEAR * mean else mean, count, False)


def pace_of_count(numbers: Sequence[int], declared: float) -> Pace | None:
    """Finds the rate of a video that numbers its frames, as AVI does: the last one is held where numbers are left out.

    Args:
      numbers: of the frames that are there.
      declared: the rate in the file's header, per second.

    Returns:
      None if the numbers cannot be those of frames.
    """
    if not 0 < declared <= _FASTEST_COUNT or not numbers:
        return None
    frames = max(numbers) - min(numbers) + 1
    return Pace(declared, frames, frames != len(numbers))


def steady(frames: Iterable[tuple[float, Frame]], rate: float) -> Iterator[Frame]:
    """Takes frames at a constant rate, from the first to the last: at each instant the one that is on the screen.

    Args:
      frames: each with the time at which it begins to be shown, in seconds, in their order.
      rate: per second.

    Yields:
      Frames; one that is held is the same object again.
    """
    start, place, taken, shown = None, 0.0, 0, None
    for time, frame in frames:
        start = time if start is None else start
        place = (time - start) * rate  # counted in instants
        while place - taken > _ROUNDING:
            yield shown
            taken += 1
        shown = frame
    while start is not None and taken <= place + _ROUNDING:
        yield shown
        taken += 1
