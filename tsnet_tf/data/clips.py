"""Operations on clips: which frames, and which part of them. Pure functions of tensors; TensorFlow ops only.

Frames are uint8 [frames, height, width, 3]; sizes need not be known statically. Random operations take a seed, int64
[2], and depend on it alone.
"""

from __future__ import annotations

import tensorflow as tf

from tsnet_tf.data.crops import CENTER

_PIXELS_AT_ONCE = 2**15  # resized together: few operations, and what is in between stays in the processor's cache
DCT_METHOD = "INTEGER_ACCURATE"  # of decoding; named because the default one may differ between builds


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


def decode_frame(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes a JPEG frame, scalar string, to uint8 [height, width, 3]."""
    return tf.io.decode_jpeg(encoded, channels=3, dct_method=DCT_METHOD)


def decode_frames(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes JPEG frames of one size, string [frames], to uint8 [frames, height, width, 3]."""
    return tf.map_fn(decode_frame, encoded, fn_output_signature=tf.TensorSpec([None, None, 3], tf.uint8))


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


def random_square(size: tf.Tensor, crop: int, smallest: int, largest: int, seed: tf.Tensor) -> tf.Tensor:
    """Draws the square of a training clip in pixels of the source, int32 [4]: top, left, height, width.

    It is what a square of ``crop`` pixels would show if the short side were resized to a length drawn from
    ``smallest`` to ``largest`` pixels, both included; and it may be anywhere.

    Args:
      size: height and width of the frames, int32 [2].
      crop: side of the clip, pixels, no more than ``smallest``.
      smallest, largest: short sides, pixels.
      seed: int64 [2].
    """
    # One draw of three numbers; scaling real ones keeps them independent.
    drawn = tf.random.stateless_uniform([3], seed)
    short_side = smallest + tf.minimum(tf.cast(drawn[0] * (largest + 1 - smallest), tf.int32), largest - smallest)
    side = (2 * crop * tf.reduce_min(size) + short_side) // (2 * short_side)  # rounded
    room = size - side
    corner = tf.minimum(tf.cast(drawn[1:] * tf.cast(room + 1, tf.float32), tf.int32), room)
    return tf.concat([corner, [side, side]], 0)


def decode_square(encoded: tf.Tensor, square: tf.Tensor, crop: int, mirrored: tf.Tensor | bool = False) -> tf.Tensor:
    """Decodes a square of JPEG frames of one size, resized bilinearly.

    Args:
      encoded: string [frames]; the number is known statically.
      square: top, left, height and width in the frames, int32 [4].
      crop: side that it is resized to, pixels.
      mirrored: whether left and right are exchanged, bool scalar.

    Returns:
      uint8 [frames, crop, crop, 3].
    """

    def show(some: list[tf.Tensor], mirror: bool) -> tf.Tensor:
        decoded = [tf.io.decode_and_crop_jpeg(frame, square, channels=3, dct_method=DCT_METHOD) for frame in some]
        # TensorFlow's kernel is twice as fast for real numbers as for bytes.
        resized = tf.image.resize(tf.cast(tf.stack(decoded), tf.float32), [crop, crop])
        shown = tf.cast(tf.round(resized), tf.uint8)
        if not mirror:
            return shown
        # TensorFlow is quick at this for a single picture: the frames one below the other. A slice with step -1 would
        # take longer than to decode them.
        return tf.reshape(tf.reverse(tf.reshape(shown, [-1, crop, 3]), [1]), shown.shape)

    # Written out frame by frame: a loop in the graph takes as long as to decode a small frame.
    frames = tf.unstack(encoded)
    at_once = max(1, _PIXELS_AT_ONCE // crop**2)
    groups = [frames[i : i + at_once] for i in range(0, len(frames), at_once)]

    def clip(mirror: bool) -> tf.Tensor:
        return tf.concat([show(group, mirror) for group in groups], 0)

    if mirrored is False:
        return clip(False)
    return tf.cond(mirrored, lambda: clip(True), lambda: clip(False))


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
