"""Video files to RGB frames, with PyAV."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import BinaryIO

import av
import numpy as np
from av.video.reformatter import VideoReformatter

# Of the frames that the file declares; with fewer, the file was cut off.
_LEAST_SHARE_DECODED = 0.9


class VideoError(Exception):
    """A video file that cannot be decoded; the message is the reason, on one line."""


def read_video(source: str | BinaryIO, *, short_side: int | None = None) -> tuple[np.ndarray, float]:
    """Decodes a whole video.

    Args:
      source: path, or an open binary file that can seek.
      short_side: frames are resized so that their shorter side has this many pixels; None keeps their size.

    Returns:
      Frames, uint8 [frames, height, width, 3], RGB, upright; and the frame rate per second.

    Raises:
      VideoError: there is no picture to be had from it.
    """
    with open_video(source, short_side=short_side) as (frames, frame_rate):
        return np.stack(list(frames)), frame_rate


@contextlib.contextmanager
def open_video(
    source: str | BinaryIO, *, short_side: int | None = None
) -> Iterator[tuple[Iterator[np.ndarray], float]]:
    """Opens a video to be decoded frame by frame, so that a long one need not fit into memory.

    Args:
      source: as for `read_video`.
      short_side: as for `read_video`.

    Yields:
      An iterator over frames, uint8 [height, width, 3], and the frame rate per second (0 if the file does not say).

    Raises:
      VideoError: on opening, or later from the iterator.
    """
    try:
        container = av.open(source)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"cannot be opened: {_reason(error)}") from error
    with container:
        if not container.streams.video:
            raise VideoError("has no video stream")
        stream = container.streams.video[0]
        yield _frames(container, stream, short_side), float(stream.average_rate or stream.guessed_rate or 0)


def _frames(container, stream, short_side: int | None) -> Iterator[np.ndarray]:
    decoded = 0
    reformatter = VideoReformatter()  # one for all frames: making its tables costs more than using them once
    try:
        for frame in container.decode(stream):
            if frame.is_corrupt:
                raise VideoError(f"frame {decoded} is damaged")
            yield _to_array(frame, short_side, reformatter)
            decoded += 1
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"cannot be decoded after {decoded} frames: {_reason(error)}") from error
    if not decoded:
        raise VideoError("has no frames")
    if decoded < _LEAST_SHARE_DECODED * stream.frames:
        raise VideoError(f"ends after {decoded} of {stream.frames} frames")


def _to_array(frame: av.VideoFrame, short_side: int | None, reformatter: VideoReformatter) -> np.ndarray:
    width, height = frame.width, frame.height
    if short_side is not None:
        scale = short_side / min(width, height)
        width, height = max(short_side, round(width * scale)), max(short_side, round(height * scale))
    resized = reformatter.reformat(frame, width=width, height=height, format="rgb24", interpolation="BICUBIC")
    # Telephones store turned pictures with a note; FFmpeg counts the angle counter-clockwise, as `rot90` does.
    quarter_turns = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(resized.to_ndarray(), quarter_turns))


def _reason(error: Exception) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
