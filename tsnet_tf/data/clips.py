"""Operations on clips: which frames, and which part of them. Pure functions of tensors; TensorFlow ops only.

Frames are uint8 [frames, height, width, 3]; sizes need not be known statically. Random operations take a seed, int64
[2], and depend on it alone.
"""

from __future__ import annotations

import tensorflow as tf

CENTER = "center"
LEFT_CENTER_RIGHT = "left_center_right"
CROPS = {CENTER: 1, LEFT_CENTER_RIGHT: 3}  # number of crops per view


def random_start(video_frames: tf.Tensor, span: int, seed: tf.Tensor) -> tf.Tensor:
    """Draws the first frame of a clip, uniformly over the places where the span fits; 0 in a shorter video.

    Args:
      video_frames: number of frames of the video, int32 scalar.
      span: source frames that a clip covers.
      seed: int64 [2].
    """
    return tf.random.stateless_uniform([], seed, 0, tf.maximum(video_frames - span, 0) + 1, tf.int32)


def uniform_starts(video_frames: tf.Tensor, span: int, views: int) -> tf.Tensor:
    """Returns the first frames of the test views, int32 [views]: evenly from the first to the last place; one: centred.

    Args:
      video_frames: number of frames of the video, int32 scalar.
      span: source frames that a clip covers.
      views: number of clips.
    """
    last = tf.maximum(video_frames - span, 0)
    if views == 1:
        return tf.reshape(last // 2, [1])
    # Integers all the way, halves rounded up: the same frames on every machine.
    return (2 * tf.range(views) * last + views - 1) // (2 * (views - 1))


def frame_indices(
    start: tf.Tensor, frames: int, stride: int, video_frames: tf.Tensor, *, loop: bool = False
) -> tf.Tensor:
    """Returns the source frames of a clip, int32 [..., frames]; past the end, the last frame is held.

    A held frame is a still; looping back to the first frame shows a jump that was never there.

    Args:
      start: first frame, int32 [...].
      frames: number of frames in the clip.
      stride: source frames from one to the next.
      video_frames: number of frames of the video, int32 scalar.
      loop: whether the video starts again past its end, instead.
    """
    indices = start[..., tf.newaxis] + stride * tf.range(frames)
    return indices % video_frames if loop else tf.minimum(indices, video_frames - 1)


def decode_frames(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes JPEG frames, string [frames], to uint8 [frames, height, width, 3]."""

    def decode(frame: tf.Tensor) -> tf.Tensor:
        # The method is named because the default one may differ between builds.
        return tf.io.decode_jpeg(frame, channels=3, dct_method="INTEGER_ACCURATE")

    return tf.map_fn(decode, encoded, fn_output_signature=tf.TensorSpec([None, None, 3], tf.uint8))


def resize_short_side(frames: tf.Tensor, short_side: tf.Tensor | int) -> tf.Tensor:
    """Resizes frames bilinearly so that the shorter side has ``short_side`` pixels and the aspect ratio stays."""
    height, width = tf.shape(frames)[1], tf.shape(frames)[2]
    shorter = tf.minimum(height, width)

    def scaled(side: tf.Tensor) -> tf.Tensor:
        return (2 * side * short_side + shorter) // (2 * shorter)  # rounded

    def resize() -> tf.Tensor:
        resized = tf.image.resize(frames, tf.stack([scaled(height), scaled(width)]))
        return tf.cast(tf.clip_by_value(tf.round(resized), 0.0, 255.0), tf.uint8)

    resized = tf.cond(tf.equal(shorter, short_side), lambda: tf.identity(frames), resize)
    resized.set_shape([frames.shape[0], None, None, 3])
    return resized


def jitter_short_side(frames: tf.Tensor, smallest: int, largest: int, seed: tf.Tensor) -> tf.Tensor:
    """Resizes all frames of a clip to one short side drawn from ``smallest`` to ``largest`` pixels, both included."""
    return resize_short_side(frames, tf.random.stateless_uniform([], seed, smallest, largest + 1, tf.int32))


def random_crop(frames: tf.Tensor, crop: int, seed: tf.Tensor) -> tf.Tensor:
    """Cuts the same square of ``crop`` pixels, anywhere, out of all frames of a clip."""
    room = tf.shape(frames)[1:3] - crop
    # Two draws from one seed are two entries of one vector; scaling a real number keeps the two sides independent.
    offset = tf.cast(tf.random.stateless_uniform([2], seed) * tf.cast(room + 1, tf.float32), tf.int32)
    return _cut(frames, tf.minimum(offset, room), crop)


def random_flip(frames: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Mirrors all frames of a clip left to right, or none of them; an even chance."""
    return tf.cond(tf.random.stateless_uniform([], seed) < 0.5, lambda: frames[:, :, ::-1], lambda: frames)


def test_crops(frames: tf.Tensor, crop: int, crops: str) -> tf.Tensor:
    """Cuts the squares of a test view, uint8 [crops, frames, crop, crop, 3].

    Args:
      frames: uint8 [frames, height, width, 3].
      crop: side of a square, pixels.
      crops: `CENTER`, or `LEFT_CENTER_RIGHT`: three squares that together cover the longer side from end to end (top,
        centre, bottom of an upright video), in the middle of the shorter one.
    """
    room = tf.shape(frames)[1:3] - crop
    if crops == CENTER:
        offsets = [room // 2]
    else:
        along = tf.cast(tf.equal(room, tf.reduce_max(room)), tf.int32)
        along = along * tf.stack([1 - along[1], 1])  # of a square video, left to right
        offsets = [room // 2 * (1 - along) + place * along for place in (tf.zeros_like(room), room // 2, room)]
    return tf.stack([_cut(frames, offset, crop) for offset in offsets])


def _cut(frames: tf.Tensor, offset: tf.Tensor, crop: int) -> tf.Tensor:
    cut = frames[:, offset[0] : offset[0] + crop, offset[1] : offset[1] + crop]
    return tf.ensure_shape(cut, [frames.shape[0], crop, crop, 3])
