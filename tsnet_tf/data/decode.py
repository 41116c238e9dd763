"""Video files to RGB frames, with PyAV.

Frames come at a constant rate (`tsnet_tf.data.pace`), turned and mirrored as they are to be shown, and with square
pixels, whatever the file's times, display matrix and pixel aspect ratio are. Grey becomes RGB, more than 8 bits become
8 (without tone mapping), and an alpha channel is dropped: the colours are those stored.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Iterator
from typing import BinaryIO

import av
import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import VideoReformatter

from tsnet_tf.data.pace import Pace, steady
from tsnet_tf.data.video_file import DAMAGE, VideoError, declared_span, opened, read_pace, reason

# Of the time that the file declares, or of its frames if it has no times; with less, the file was cut off. Not all of
# it, because files that were cut without coding them anew declare a few frames that no player shows.
_LEAST_SHARE_DECODED = 0.9
_WIDEST_PIXEL = 5.0  # width to height, or the other way round; a file that says more is mistaken, and not believed
_LONGEST_SIDE = 65_500  # pixels that a JPEG can have


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


NO_LIMITS = Limits(math.inf, 2**63, 2**63, math.inf)


class Video:
    """An open video; iterating decodes it frame by frame, once, so a long one need not fit into memory.

    Attributes:
      frame_rate: at which frames come, per second; 0 if the file does not say.
      expected: how many frames will come, if the file is as it says.
    """

    def __init__(
        self,
        container,
        stream,
        pace: Pace,
        times: list[float] | None,
        short_side: int | None,
        limits: Limits,
        deadline: float,
    ):
        self._container, self._stream, self._pace, self._times = container, stream, pace, times
        self._short_side, self._limits, self._deadline = short_side, limits, deadline
        self._aspect = _pixel_aspect(stream)
        self._reformatter = VideoReformatter()  # one for all frames: making its tables costs more than using them once
        self._decoded, self._begins, self._lasts, self._shape = 0, None, 0.0, None
        self.frame_rate, self.expected = pace.rate, pace.frames

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yields frames, uint8 [height, width, 3], RGB, all of one size; one that is held is the same array again.

        Raises:
          VideoError: the file is damaged, or goes beyond the limits.
        """
        frames = self._frames()
        steadily = steady(frames, self._pace.rate) if self._pace.by_time else (picture for _, picture in frames)
        for count, picture in enumerate(steadily):
            if count == self._limits.frames:
                raise VideoError(f"has more than {self._limits.frames} frames")
            yield picture

    def _frames(self) -> Iterator[tuple[float, np.ndarray]]:
        """Each decoded frame, and when it begins to be shown."""
        try:
            for packet in self._container.demux(self._stream):
                _check_time(self._deadline, self._limits, self._decoded)
                for frame in packet.decode():
                    picture = self._picture(frame)
                    self._begins, self._lasts = self._time(frame), float((frame.duration or 0) * self._stream.time_base)
                    self._decoded += 1
                    yield self._begins or 0.0, picture
        except DAMAGE as error:
            _check_time(self._deadline, self._limits, self._decoded)  # then it was interrupted
            raise VideoError(f"cannot be decoded after {self._decoded} frames: {reason(error)}") from error
        self._check_length()

    def _time(self, frame: av.VideoFrame) -> float | None:
        if self._times:
            return self._times[min(self._decoded, len(self._times) - 1)]
        return self._begins if frame.time is None else frame.time

    def _picture(self, frame: av.VideoFrame) -> np.ndarray:
        if frame.is_corrupt:
            raise VideoError(f"frame {self._decoded} is damaged")
        check_pixels(frame.width, frame.height, self._limits)
        picture = _to_array(frame, *self._size(frame.width, frame.height), self._reformatter)
        if self._shape not in (None, picture.shape):
            raise VideoError(f"changes its size at frame {self._decoded}")
        self._shape = picture.shape
        return picture

    def _size(self, width: int, height: int) -> tuple[int, int]:
        """Returns width and height of the picture made of a frame, before it is turned."""
        scaled = (round(width * self._aspect), height) if self._aspect >= 1 else (width, round(height / self._aspect))
        return scaled if self._short_side is None else resized(*scaled, self._short_side, self._limits)

    def _check_length(self) -> None:
        """Rejects a file that ends long before its header says. How much of its beginning can be shown is no matter."""
        if not self._decoded:
            raise VideoError("has no frames")
        span = declared_span(self._container, self._stream)
        if self._begins is None:
            declared = self._stream.frames
            if self._decoded < _LEAST_SHARE_DECODED * declared:
                raise VideoError(f"ends after {self._decoded} of {declared} frames")
        elif span and self._pace.rate:
            start, end = span
            shown = self._begins + max(self._lasts, 1 / self._pace.rate) - start
            if shown < _LEAST_SHARE_DECODED * (end - start):
                raise VideoError(f"ends after {shown:.1f} of {end - start:.1f} seconds")


def read_video(
    source: str | BinaryIO, *, short_side: int | None = None, limits: Limits = NO_LIMITS
) -> tuple[np.ndarray, float]:
    """Decodes a whole video.

    Args:
      source: path, or an open binary file that can seek.
      short_side: frames are resized so that their shorter side has this many pixels; None keeps their size.
      limits: what the video may have at most.

    Returns:
      Frames, uint8 [frames, height, width, 3], RGB, upright, evenly spaced in time; and their rate per second.

    Raises:
      VideoError: there is no picture to be had from it.
    """
    with open_video(source, short_side=short_side, limits=limits) as video:
        return np.stack(list(video)), video.frame_rate


@contextlib.contextmanager
def open_video(source: str | BinaryIO, *, short_side: int | None = None, limits: Limits = NO_LIMITS) -> Iterator[Video]:
    """Opens a video to be decoded frame by frame. Its packets are read once before, to know when frames are shown.

    Args:
      source: as for `read_video`.
      short_side: as for `read_video`.
      limits: as for `read_video`.

    Yields:
      The video.

    Raises:
      VideoError: on opening, or later while frames are read.
    """
    deadline = time.monotonic() + limits.decode_seconds
    timeout = None if math.isinf(limits.decode_seconds) else limits.decode_seconds
    with opened(source, timeout) as (container, stream):
        _check_header(container, stream, limits)
        pace, times = read_pace(container, stream, lambda: _check_time(deadline, limits, 0))
        if pace.frames > limits.frames:
            raise VideoError(f"has {pace.frames} frames, more than {limits.frames}")
    with opened(source, timeout) as (container, stream):
        yield Video(container, stream, pace, times, short_side, limits, deadline)


def _check_header(container, stream, limits: Limits) -> None:
    """Rejects what the file itself says to be too much, before anything is decoded."""
    span = declared_span(container, stream)
    if span and span[1] - span[0] > limits.seconds:
        raise VideoError(f"lasts {span[1] - span[0]:.0f} seconds, more than {limits.seconds:g}")
    check_pixels(stream.codec_context.width, stream.codec_context.height, limits)


def resized(width: int, height: int, short_side: int, limits: Limits) -> tuple[int, int]:
    """Returns width and height, in pixels, of a frame whose shorter side becomes ``short_side``.

    Raises:
      VideoError: they are more than the limits allow.
    """
    scale = short_side / min(width, height)
    width, height = (max(short_side, round(side * scale)) for side in (width, height))
    check_pixels(width, height, limits)
    return width, height


def check_pixels(width: int, height: int, limits: Limits) -> None:
    """Raises a `VideoError` for a frame that is larger than the limits allow."""
    if limits is not NO_LIMITS and (width * height > limits.pixels or max(width, height) > _LONGEST_SIDE):
        raise VideoError(
            f"has frames of {width} x {height} pixels, more than {limits.pixels} or {_LONGEST_SIDE} on a side"
        )


def _check_time(deadline: float, limits: Limits, frame: int) -> None:
    if time.monotonic() > deadline:
        raise VideoError(f"takes more than {limits.decode_seconds:g} seconds to decode (frame {frame})")


def _pixel_aspect(stream) -> float:
    """Width of a pixel as displayed, per height."""
    aspect = float(stream.sample_aspect_ratio or 0)
    return aspect if 1 / _WIDEST_PIXEL <= aspect <= _WIDEST_PIXEL else 1.0


def _to_array(frame: av.VideoFrame, width: int, height: int, reformatter: VideoReformatter) -> np.ndarray:
    resized = reformatter.reformat(frame, width=width, height=height, format="rgb24", interpolation="BICUBIC")
    matrix = frame.side_data.get(Type.DISPLAYMATRIX)
    picture = resized.to_ndarray()
    return picture if matrix is None else _as_shown(picture, np.frombuffer(bytes(matrix), np.int32, 9))


def _as_shown(picture: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Turns and mirrors a picture by its display matrix, by whole quarter turns.

    Args:
      picture: [height, width, channels].
      matrix: a, b, u, c, d, v, x, y, w of ISO/IEC 14496-12: what is stored at (p, q), p to the right and q down, is
        shown at (a p + c q + x, b p + d q + y).
    """
    a, b, _, c, d = matrix[:5].astype(float)
    right, down = a, d
    if abs(b) + abs(c) > abs(a) + abs(d):
        picture, right, down = picture.swapaxes(0, 1), c, b
    picture = picture[:: -1 if down < 0 else 1, :: -1 if right < 0 else 1]
    return np.ascontiguousarray(picture)
