"""Which frames of a video make a clip. Pure functions of tensors; no frame is looked at."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from tsnet_tf.data import clips
from tsnet_tf.errors import UserError

SPAN, SEGMENTS = "span", "segments"
HOLD, LOOP = "hold", "loop"


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How frames are chosen.

    Without segments a clip is a span of neighbouring frames, at a random place in training and evenly placed in tests.
    With segments it is the whole video, cut into equal segments, of which each gives the dense stream one frame: in
    training a random one; test views are different places in the segments (Wang et al., "Temporal Segment Networks").

    In either, the sparse stream's frames are every n-th of the dense stream's.

    Attributes:
      segments: number of segments, which is that of the dense stream's frames; None for a span.
      short_videos: where a span is longer than the video: "hold" shows the last frame on, "loop" starts again.
      frame_rate: frames are counted at this rate per second, whatever the video's own is; None for the video's own.
    """

    segments: int | None = None
    short_videos: str = HOLD
    frame_rate: float | None = None

    def training_frames(
        self, video_frames: tf.Tensor, video_rate: tf.Tensor, frames: int, stride: int, seed: tf.Tensor
    ) -> tf.Tensor:
        """Draws the frames of a training clip, int32 [frames].

        Args:
          video_frames: number of frames of the video, int32 scalar.
          video_rate: its frames per second, float32 scalar; 0 for not known.
          frames: number of frames in the clip.
          stride: frames from one to the next, in a span.
          seed: int64 [2].
        """
        length = self._length(video_frames, video_rate)
        if self.segments:
            places = tf.random.stateless_uniform([self.segments], seed)
            chosen = self._of_segments(length, places, frames)
        else:
            start = clips.random_start(length, frames * stride, seed)
            chosen = clips.frame_indices(start, frames, stride, length, loop=self.short_videos == LOOP)
        return self._source_frames(chosen, video_frames, video_rate)

    def test_frames(
        self, video_frames: tf.Tensor, video_rate: tf.Tensor, frames: int, stride: int, views: int
    ) -> tf.Tensor:
        """Returns the frames of the test views, int32 [views, frames]; arguments as for `training_frames`."""
        length = self._length(video_frames, video_rate)
        if self.segments:
            places = (tf.range(views, dtype=tf.float32)[:, tf.newaxis] + 0.5) / views
            chosen = self._of_segments(length, tf.tile(places, [1, self.segments]), frames)
        else:
            starts = clips.uniform_starts(length, frames * stride, views)
            chosen = clips.frame_indices(starts, frames, stride, length, loop=self.short_videos == LOOP)
        return self._source_frames(chosen, video_frames, video_rate)

    def _of_segments(self, length: tf.Tensor, places: tf.Tensor, frames: int) -> tf.Tensor:
        """Frames at ``places``, float32 [..., segments], 0 to 1 within each segment."""
        if self.segments % frames:
            raise UserError(
                f"expected a number of frames that divides the {self.segments} segments of the dense stream, found "
                f"{frames}"
            )
        width = tf.cast(length, tf.float32) / self.segments
        chosen = tf.cast((tf.range(self.segments, dtype=tf.float32) + places) * width, tf.int32)
        return tf.minimum(chosen, length - 1)[..., :: self.segments // frames]

    def _length(self, video_frames: tf.Tensor, video_rate: tf.Tensor) -> tf.Tensor:
        """Number of frames at the rate at which they are counted, int32 scalar."""
        if self.frame_rate is None:
            return video_frames
        length = tf.cast(video_frames, tf.float64) / self._source_frames_per_frame(video_rate)
        return tf.maximum(tf.cast(tf.round(length), tf.int32), 1)

    def _source_frames(self, chosen: tf.Tensor, video_frames: tf.Tensor, video_rate: tf.Tensor) -> tf.Tensor:
        """Maps frames at the rate at which they are counted to the video's own."""
        if self.frame_rate is None:
            return chosen
        middles = (tf.cast(chosen, tf.float64) + 0.5) * self._source_frames_per_frame(video_rate)
        return tf.minimum(tf.cast(middles, tf.int32), video_frames - 1)

    def _source_frames_per_frame(self, video_rate: tf.Tensor) -> tf.Tensor:
        rate = tf.cast(video_rate, tf.float64)
        return tf.where(rate > 0, rate / self.frame_rate, 1.0)


SPANS = Sampling()
