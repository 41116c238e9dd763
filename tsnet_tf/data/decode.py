"""Video files to RGB frames, with PyAV.

Frames are upright and have square pixels, whatever the file's rotation note and pixel aspect ratio are. Grey becomes
RGB, more than 8 bits become 8 (without tone mapping), and an alpha channel is dropped: the colours are those stored.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import stat
import time
from collections.abc import Iterator
from typing import BinaryIO

import av
import numpy as np
from av.video.reformatter import VideoReformatter

# Of the frames, or of the time, that the file declares; with less, the file was cut off. Not all of it, because files
# that were cut without coding them anew declare a few frames that no player shows.
_LEAST_SHARE_DECODED = 0.9
_WIDEST_PIXEL = 5.0  # width to height, or the other way round; a file that says more is mistaken, and not believed
_LONGEST_SIDE = 65_500  # pixels that a JPEG can have


class VideoError(Exception):
    """A video file that cannot be decoded; the message is the reason, on one line."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a video may have at most; protects from files that are made, or damaged, to fill memory or take for ever.

    Attributes:
      seconds: duration.
      frames: number.
      pixels: of a frame, as stored and as resized. The default is just above 8K UHD.
      decode_seconds: time that decoding may take, looked at between two packets; opening the file, or reading on to
        the next packet, is interrupted after as long.
    """

    seconds: float = 600.0
    frames: int = 20_000
    pixels: int = 8192 * 4320
    decode_seconds: float = 600.0


class Video:
    """An open video; iterating decodes it frame by frame, once, so a long one need not fit into memory.

    Attributes:
      frame_rate: per second, as the file says; 0 if it does not.
      times: seconds at which the frames read so far are shown; None for a frame without a time.
    """

    def __init__(self, container, stream, short_side: int | None, limits: Limits | None):
        self._container, self._stream, self._short_side, self._limits = container, stream, short_side, limits
        self._aspect = _pixel_aspect(stream)
        self._reformatter = VideoReformatter()  # one for all frames: making its tables costs more than using them once
        self.frame_rate = float(stream.average_rate or stream.guessed_rate or 0)
        self.times: list[float | None] = []

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yields frames, uint8 [height, width, 3], RGB.

        Raises:
          VideoError: the file is damaged, or goes beyond the limits.
        """
        self._check_header()
        started = time.monotonic()
        try:
            for packet in self._container.demux(self._stream):
                self._check_time(started)
                for frame in packet.decode():
                    yield self._picture(frame)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self._check_time(started)  # then it was interrupted
            raise VideoError(f"cannot be decoded after {len(self.times)} frames: {_reason(error)}") from error
        self._check_length()

    def even_frames(self) -> tuple[list[int], float]:
        """Returns which frames to show so that they are evenly spaced in time, and their rate per second.

        As many as the video has; with a constant frame rate, each once. With a variable one, the i-th is the frame on
        the screen at the i-th of even instants from the first frame to the last. To be called when all have been read.
        """
        count, times = len(self.times), self.times
        identity = list(range(count)), self.frame_rate
        if count < 3 or None in times or np.diff(times).min() <= 0:
            return identity  # without usable times, frames are taken as they come
        instants = np.linspace(times[0], times[-1], count)
        step = instants[1] - instants[0]
        if np.abs(instants - times).max() <= step / 2:
            return identity
        shown = np.searchsorted(times, instants + 0.01 * step, side="right") - 1  # a hundredth: times are rounded
        return shown.tolist(), float(1 / step)

    def _picture(self, frame: av.VideoFrame) -> np.ndarray:
        if frame.is_corrupt:
            raise VideoError(f"frame {len(self.times)} is damaged")
        if self._limits and len(self.times) >= self._limits.frames:
            raise VideoError(f"has more than {self._limits.frames} frames")
        self._check_pixels(frame.width, frame.height)
        self.times.append(frame.time)
        width, height = self._size(frame.width, frame.height)
        return _to_array(frame, width, height, self._reformatter)

    def _size(self, width: int, height: int) -> tuple[int, int]:
        """Returns width and height of the picture made of a frame, before it is turned."""
        scaled = (round(width * self._aspect), height) if self._aspect >= 1 else (width, round(height / self._aspect))
        if self._short_side is None:
            return scaled
        scale = self._short_side / min(scaled)
        width, height = (max(self._short_side, round(side * scale)) for side in scaled)
        self._check_pixels(width, height)
        return width, height

    def _check_header(self) -> None:
        """Rejects what the file itself says to be too much, before anything is decoded."""
        limits, seconds = self._limits, _declared_seconds(self._container, self._stream)
        if limits and seconds and seconds > limits.seconds:
            raise VideoError(f"lasts {seconds:.0f} seconds, more than {limits.seconds:g}")
        if limits and self._stream.frames > limits.frames:
            raise VideoError(f"has {self._stream.frames} frames, more than {limits.frames}")
        self._check_pixels(self._stream.codec_context.width, self._stream.codec_context.height)

    def _check_pixels(self, width: int, height: int) -> None:
        if self._limits and (width * height > self._limits.pixels or max(width, height) > _LONGEST_SIDE):
            raise VideoError(
                f"has frames of {width} x {height} pixels, more than {self._limits.pixels} or {_LONGEST_SIDE} on a side"
            )

    def _check_time(self, started: float) -> None:
        if self._limits and time.monotonic() - started > self._limits.decode_seconds:
            raise VideoError(
                f"takes more than {self._limits.decode_seconds:g} seconds to decode (frame {len(self.times)})"
            )

    def _check_length(self) -> None:
        """Rejects a file that ends long before its header says."""
        decoded, declared = len(self.times), self._stream.frames
        if not decoded:
            raise VideoError("has no frames")
        if decoded < _LEAST_SHARE_DECODED * declared:
            raise VideoError(f"ends after {decoded} of {declared} frames")
        seconds = _declared_seconds(self._container, self._stream)
        if declared or not seconds or None in self.times or decoded < 2:
            return
        shown = (self.times[-1] - self.times[0]) * decoded / (decoded - 1)  # the last frame is shown for a while, too
        if shown < _LEAST_SHARE_DECODED * seconds:
            raise VideoError(f"ends after {shown:.1f} of {seconds:.1f} seconds")


def read_video(
    source: str | BinaryIO, *, short_side: int | None = None, limits: Limits | None = None
) -> tuple[np.ndarray, float]:
    """Decodes a whole video.

    Args:
      source: path, or an open binary file that can seek.
      short_side: frames are resized so that their shorter side has this many pixels; None keeps their size.
      limits: what the video may have at most; None for no limits.

    Returns:
      Frames, uint8 [frames, height, width, 3], RGB, upright, evenly spaced in time; and their rate per second.

    Raises:
      VideoError: there is no picture to be had from it.
    """
    with open_video(source, short_side=short_side, limits=limits) as video:
        frames = list(video)
        order, frame_rate = video.even_frames()
        return np.stack([frames[index] for index in order]), frame_rate


@contextlib.contextmanager
def open_video(
    source: str | BinaryIO, *, short_side: int | None = None, limits: Limits | None = None
) -> Iterator[Video]:
    """Opens a video to be decoded frame by frame.

    Args:
      source: as for `read_video`.
      short_side: as for `read_video`.
      limits: as for `read_video`.

    Yields:
      The video.

    Raises:
      VideoError: on opening, or later while frames are read.
    """
    if isinstance(source, str):
        _check_file(source)
    try:
        container = av.open(source, timeout=limits and limits.decode_seconds)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"cannot be opened: {_reason(error)}") from error
    with container:
        streams = [stream for stream in container.streams.video if not _is_cover(stream)]
        if not streams:
            raise VideoError("has no video stream")
        if streams[0].codec_context is None:
            raise VideoError("is of a codec that FFmpeg cannot decode")
        yield Video(container, streams[0], short_side, limits)


def _check_file(path: str) -> None:
    """Rejects what only looks like a file; opening a pipe would wait for somebody to write to it."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise VideoError(f"cannot be opened: {_reason(error)}") from error
    if not stat.S_ISREG(mode):
        raise VideoError("is not a regular file")


def _is_cover(stream) -> bool:
    """Whether a stream is the picture on the cover of a sound file."""
    return bool(getattr(stream, "disposition", 0) & av.stream.Disposition.attached_pic)


def _pixel_aspect(stream) -> float:
    """Width of a pixel as displayed, per height."""
    aspect = float(stream.sample_aspect_ratio or 0)
    return aspect if 1 / _WIDEST_PIXEL <= aspect <= _WIDEST_PIXEL else 1.0


def _declared_seconds(container, stream) -> float | None:
    """Duration by the header; None if it does not say, or may be speaking of the sound."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    if container.duration and len(container.streams) == 1:
        return container.duration / av.time_base
    return None


def _to_array(frame: av.VideoFrame, width: int, height: int, reformatter: VideoReformatter) -> np.ndarray:
    resized = reformatter.reformat(frame, width=width, height=height, format="rgb24", interpolation="BICUBIC")
    # Telephones store turned pictures with a note; FFmpeg counts the angle counter-clockwise, as `rot90` does.
    quarter_turns = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(resized.to_ndarray(), quarter_turns))


def _reason(error: Exception) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
