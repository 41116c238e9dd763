"""A video file before it is decoded: which track is taken, when its frames are shown, when it says that it ends."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from typing import BinaryIO

import av
from av.stream import Disposition

from tsnet_tf.data.pace import Pace, pace_of, pace_of_count

DAMAGE = (av.error.FFmpegError, OSError, ValueError)  # what PyAV raises
_NO_VIDEO = Disposition.attached_pic | Disposition.timed_thumbnails  # the cover of a sound file, pictures of chapters


class VideoError(Exception):
    """A video file that cannot be decoded; the message is the reason, on one line."""


@contextlib.contextmanager
def opened(source: str | BinaryIO, timeout: float | None = None) -> Iterator[tuple]:
    """Opens a file and chooses its track: the first video that is marked as default, else the first video.

    Args:
      source: path, of any name; or an open binary file that can seek.
      timeout: seconds after which opening it, or looking for the next packet, is interrupted; None for never.

    Yields:
      PyAV's container and stream.

    Raises:
      VideoError: there is no video in it.
    """
    if isinstance(source, str):
        _check_file(source)
        source = f"file:{source}"  # else what is before a colon in its name would be taken for a protocol
    else:
        source.seek(0)
    try:
        container = av.open(source, timeout=timeout, metadata_errors="replace")
    except DAMAGE as error:
        raise VideoError(f"cannot be opened: {reason(error)}") from error
    with container:
        streams = [stream for stream in container.streams.video if not stream.disposition & _NO_VIDEO]
        if not streams:
            raise VideoError("has no video stream")
        stream = max(streams, key=lambda stream: bool(stream.disposition & Disposition.default))
        if stream.codec_context is None:
            raise VideoError("is of a codec that FFmpeg cannot decode")
        yield container, stream


def read_pace(container, stream, check_time: Callable[[], None]) -> tuple[Pace, list[float] | None]:
    """Reads all packets to see when frames are shown. Packets that are only there to decode others do not count.

    Args:
      container: from `opened`; it is at its end afterwards.
      stream: from `opened`.
      check_time: called between two packets.

    Returns:
      The pace, and the times of the frames, in seconds, where decoded frames do not have their own: an AVI file says
      when a frame is decoded only, so that its frames are shown in that order, one after the other.
    """
    times, numbers, first = [], [], None
    try:
        for packet in container.demux(stream):
            check_time()
            moment = packet.dts if packet.pts is None else packet.pts
            moment = None if moment is None else float(moment * packet.time_base)
            if packet.is_keyframe and first is None:
                first = moment
            if packet.size and not packet.is_discard:
                times.append(moment)
                numbers.append(packet.dts)
    except DAMAGE:
        check_time()  # then it was interrupted; what else is wrong will be seen when it is decoded
    if container.format.name == "avi" and None not in numbers:
        pace = pace_of_count(numbers, float(1 / stream.time_base))
        if pace:
            return pace, [float(number * stream.time_base) for number in sorted(numbers)]
    if first is not None:  # a broadcast may begin anywhere; what comes before cannot be decoded
        times = [moment for moment in times if moment is None or moment >= first]
    return pace_of(times, float(stream.average_rate or stream.guessed_rate or 0)), None


def declared_span(container, stream) -> tuple[float, float] | None:
    """When a video begins and ends by the file's header, in seconds; None if it does not say, or may mean the sound."""
    if stream.duration:
        start = float((stream.start_time or 0) * stream.time_base)
        return start, start + float(stream.duration * stream.time_base)
    if container.duration and len(container.streams) == 1:
        start, seconds = (container.start_time or 0) / av.time_base, container.duration / av.time_base
        # Matroska says when it ends, also if it begins late, as a recording's second part does.
        return start, seconds if container.format.name.startswith("matroska") else start + seconds
    return None


def reason(error: Exception) -> str:
    """What PyAV says is wrong, on one line."""
    return " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__


def _check_file(path: str) -> None:
    """Rejects what only looks like a file; opening a pipe would wait for somebody to write to it."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise VideoError(f"cannot be opened: {reason(error)}") from error
    if not stat.S_ISREG(mode):
        raise VideoError("is not a regular file")
