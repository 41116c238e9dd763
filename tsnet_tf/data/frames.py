"""The frames of what a path in annotations names: a video file, a part of one, a folder of pictures, or a record.

Pictures and video files are resized by one filter (`tsnet_tf.data.decode`).
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import struct
import time
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import av
import numpy as np
import tensorflow as tf
from av.video.reformatter import VideoReformatter
from google.protobuf.message import DecodeError

from tsnet_tf.data import decode, media, record_file, schema
from tsnet_tf.data.folders import list_folder
from tsnet_tf.data.video_file import VideoError

_PICTURE = re.compile(r"(.*?)(\d+)\.(?:jpe?g|png)", re.IGNORECASE)
_PNG, _PNG_SIZE = b"\x89PNG", 16  # how a file begins, and where its width and height are
_FLOW = "flow"  # pictures of the optical flow, which some tools leave beside the frames, begin so
_LEAST_SHARE_OF_PART = 0.9  # annotations round, and files end a little earlier than they say


class Pictures:
    """Encoded pictures as a video; iterating decodes one by one.

    Attributes:
      frame_rate: at which they are shown, per second; 0 if nobody says.
    """

    def __init__(self, encoded: Iterable[bytes], frame_rate: float, short_side: int | None, limits: decode.Limits):
        self._encoded, self._short_side, self._limits = encoded, short_side, limits
        self._reformatter = VideoReformatter()
        self.frame_rate = frame_rate

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yields frames, uint8 [height, width, 3], RGB, all of one size.

        Raises:
          VideoError: one is no picture or of another size, there is none, or they go beyond the limits.
        """
        limits, shape, deadline = self._limits, None, time.monotonic() + self._limits.decode_seconds
        for number, picture in enumerate(self._encoded):
            if number == limits.frames:
                raise VideoError(f"has more than {limits.frames} frames")
            if self.frame_rate and number >= limits.seconds * self.frame_rate:
                raise VideoError(f"lasts more than {limits.seconds:g} seconds")
            if time.monotonic() > deadline:
                raise VideoError(f"takes more than {limits.decode_seconds:g} seconds to decode (frame {number})")
            try:
                frame = self._decoded(picture)
            except (tf.errors.InvalidArgumentError, struct.error) as error:
                raise VideoError(f"has a frame {number} that is no JPEG or PNG") from error
            if shape not in (None, frame.shape):
                raise VideoError(f"changes its size at frame {number}")
            shape = frame.shape
            yield frame
        if not shape:
            raise VideoError("has no frames")

    def _decoded(self, picture: bytes) -> np.ndarray:
        if picture.startswith(_PNG):
            width, height = struct.unpack_from(">II", picture, _PNG_SIZE)
        else:
            height, width, _ = tf.io.extract_jpeg_shape(picture).numpy().tolist()
        decode.check_pixels(width, height, self._limits)
        frame = tf.io.decode_image(picture, channels=3, expand_animations=False).numpy()
        if self._short_side in (None, min(width, height)):
            return frame
        width, height = decode.resized(width, height, self._short_side, self._limits)
        source = av.VideoFrame.from_ndarray(frame, format="rgb24")
        return self._reformatter.reformat(source, width, height, "rgb24", interpolation="BICUBIC").to_ndarray()


class Part:
    """Some frames of a video; those before them are decoded, and those after them not.

    Attributes:
      frame_rate: at which they are shown, per second.
    """

    def __init__(self, video: decode.Video | Pictures, begin: int, end: int):
        self._video, self._begin, self._end = video, begin, end
        self.frame_rate = video.frame_rate

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yields the frames from ``begin`` on, before ``end``.

        Raises:
          VideoError: as the video does, or it ends before most of them.
        """
        taken = 0
        for frame in itertools.islice(self._video, self._begin, self._end):
            taken += 1
            yield frame
        if taken < max(1, _LEAST_SHARE_OF_PART * (self._end - self._begin)):
            raise VideoError(f"has {taken} of the {self._end - self._begin} frames from frame {self._begin} on")


@contextlib.contextmanager
def open_frames(
    source: str | BinaryIO, path: str, *, short_side: int | None, limits: decode.Limits
) -> Iterator[decode.Video | Pictures | Part]:
    """Opens what ``path`` names, to be decoded frame by frame.

    Args:
      source: where the file is, or the open file; of pictures and records, where they are.
      path: in the annotations, with what it says after "#" (`tsnet_tf.data.media`).
      short_side: frames are resized so that their shorter side has this many pixels; None keeps their size.
      limits: what the video may have at most.

    Raises:
      VideoError: on opening, or later while frames are read.
    """
    said = media.fragment(path)
    if any(begin >= end for begin, end in (said[unit] for unit in (media.SECONDS, media.FRAMES) if unit in said)):
        raise VideoError("is a part that does not end after its beginning")
    [rate] = said.get(media.RATE, (0.0,))
    with contextlib.ExitStack() as stack:
        if media.BYTE in said:
            encoded, own_rate = _pictures_of_record(source, int(said[media.BYTE][0]))
            video = Pictures(encoded, own_rate or rate, short_side, limits)
        elif rate:
            video = Pictures(_pictures_in(source), rate, short_side, limits)
        else:
            video = stack.enter_context(decode.open_video(source, short_side=short_side, limits=limits))
        if media.SECONDS in said:
            if not video.frame_rate:
                raise VideoError("has no frame rate, so that it cannot be cut by time")
            begin, end = (round(seconds * video.frame_rate) for seconds in said[media.SECONDS])
            video = Part(video, begin, max(end, begin + 1))
        if media.FRAMES in said:
            video = Part(video, *map(int, said[media.FRAMES]))
        yield video


def _pictures_of_record(path: str, byte: int) -> tuple[list[bytes], float]:
    """The encoded frames of the record that begins at a byte, and their rate per second, 0 if it does not say."""
    try:
        record = record_file.read_record(path, byte)
        if record is None:
            raise VideoError(f"has no record at byte {byte}")
        example = tf.train.SequenceExample.FromString(record)
    except (DecodeError, tf.errors.OpError) as error:
        raise VideoError(f"cannot be read at byte {byte}: {' '.join(str(error).split())}") from error
    rates = example.context.feature[schema.FRAME_RATE].float_list.value
    frames = example.feature_lists.feature_list[schema.IMAGE].feature
    return [frame for feature in frames for frame in feature.bytes_list.value], rates[0] if rates else 0.0


def _pictures_in(folder: str) -> Iterator[bytes]:
    """The pictures of a folder in the order of their numbers, which have no gaps."""
    found: dict[int, str] = {}
    prefixes: dict[str, str] = {}
    for name in list_folder(folder, "--videos"):
        match = _PICTURE.fullmatch(name)
        if not match or name.startswith(_FLOW):
            continue
        other = found.setdefault(int(match[2]), name)
        prefixes.setdefault(match[1], name)
        if len(prefixes) > 1 or other != name:
            first = next(iter(prefixes.values())) if len(prefixes) > 1 else other
            raise VideoError(f"has pictures that are named in two ways, {first} and {name}")
    if not found:
        raise VideoError("has no pictures with a number")
    for number in range(min(found), max(found) + 1):
        if number not in found:
            raise VideoError(f"lacks picture {number} of {min(found)} to {max(found)}")
        with tf.io.gfile.GFile(os.path.join(folder, found[number]), "rb") as file:
            yield file.read()
