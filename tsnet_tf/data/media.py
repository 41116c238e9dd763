"""What a path in annotations says beside the name of a file, after "#", as in W3C's Media Fragments (URI 1.0).

film.mp4#t=10.5,20             the part from 10.5 to 20 seconds
dive.mp4#frames=0,131          frames 0 to 130
gestures/17#fps=12             a folder of numbered pictures, to be shown at 12 per second
train-00000.tfrecord#byte=512  the record of another program that begins at this byte; "fps" if it has no rate
"""

from __future__ import annotations

import os
import re

from tsnet_tf.data.folders import VIDEO_SUFFIXES

SECONDS, FRAMES, RATE, BYTE = "t", "frames", "fps", "byte"
_NUMBER = r"\d+(?:\.\d+)?"
_ENTRY = rf"(?:{SECONDS}={_NUMBER},{_NUMBER}|{FRAMES}=\d+,\d+|{RATE}={_NUMBER}|{BYTE}=\d+)"
_WITH_FRAGMENT = re.compile(rf"(.+)#({_ENTRY}(?:&{_ENTRY})*)", re.DOTALL)


def file_of(path: str) -> str:
    """The name of the file, or of the folder of pictures."""
    match = _WITH_FRAGMENT.fullmatch(path)
    return match[1] if match else path


def fragment(path: str) -> dict[str, tuple[float, ...]]:
    """What else the path says, such as {"t": (10.5, 20.0)}."""
    match = _WITH_FRAGMENT.fullmatch(path)
    entries = (entry.split("=") for entry in match[2].split("&")) if match else ()
    return {name: tuple(map(float, numbers.split(","))) for name, numbers in entries}


def part_of(path: str) -> tuple:
    """What tells two videos in one file apart."""
    return tuple(sorted((name, numbers) for name, numbers in fragment(path).items() if name != RATE))


def with_rate(path: str, frames_per_second: float) -> str:
    """The path of the folder that holds a video's pictures instead of it, to be shown at this rate.

    A record stays where it is.
    """
    file = file_of(path)
    stem, suffix = os.path.splitext(file)
    entries = [path[len(file) + 1 :], f"{RATE}={frames_per_second:g}"]
    is_file = BYTE in fragment(path) or suffix.lower() not in VIDEO_SUFFIXES
    return f"{file if is_file else stem}#{'&'.join(filter(None, entries))}"
