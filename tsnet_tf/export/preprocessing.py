"""From what a client sends to clips, inside the graph: checked, resized and cropped as the multi-view evaluation does.

A request that makes no sense ends in an error that says what was expected. What it may take in memory is bounded: the
limits on a frame's size and shape are far beyond any camera's.
"""

from __future__ import annotations

import tensorflow as tf

from tsnet_tf.data import clips
from tsnet_tf.data.crops import CENTER

LARGEST_SIDE = 8192  # pixels
LARGEST_ASPECT = 16  # longer to shorter side


def from_pixels(frames: tf.Tensor, clip_frames: int, short_side: int, crop: int) -> tf.Tensor:
    """Makes clips of raw frames.

    Args:
      frames: uint8 ``[batch, frames, height, width, 3]``.
      clip_frames: the number of frames that a clip must have.
      short_side: frames are resized so that the shorter side has this many pixels.
      crop: side of the square centre crop in pixels.

    Returns:
      uint8 ``[batch, clip_frames, crop, crop, 3]``.
    """
    # A server does not hold a request to the signature's shape.
    frames = tf.ensure_shape(frames, [None, clip_frames, None, None, 3])
    shape = tf.shape(frames)
    frames = _expect(frames, shape[0] > 0, "frames: expected at least one clip", shape)
    images = tf.reshape(frames, tf.concat([[-1], shape[2:4], [3]], 0))
    images = _expect_size(images, shape[2:4])
    return tf.reshape(_crop(images, short_side, crop), tf.stack([shape[0], clip_frames, crop, crop, 3]))


def from_jpeg(encoded: tf.Tensor, clip_frames: int, short_side: int, crop: int) -> tf.Tensor:
    """Makes clips of JPEG frames, which need not have the same size.

    Args:
      encoded: string ``[batch, frames]``, one JPEG file each.
      clip_frames, short_side, crop: as in `from_pixels`.

    Returns:
      uint8 ``[batch, clip_frames, crop, crop, 3]``.
    """
    encoded = tf.ensure_shape(encoded, [None, clip_frames])
    shape = tf.shape(encoded)
    encoded = _expect(encoded, shape[0] > 0, "encoded_frames: expected at least one clip", shape)

    def to_crop(file: tf.Tensor) -> tf.Tensor:
        file = _expect(
            file,
            tf.io.is_jpeg(file),
            "encoded_frames: expected JPEG files",
            tf.strings.format("another kind of {} bytes", tf.strings.length(file)),
        )
        # The size is read off the header: a small file can claim to be a picture that fills the memory.
        file = _expect_size(file, tf.io.extract_jpeg_shape(file)[:2])
        return _crop(clips.decode_frames(file[tf.newaxis]), short_side, crop)[0]

    files = tf.reshape(encoded, [-1])
    crops = tf.map_fn(to_crop, files, fn_output_signature=tf.TensorSpec([crop, crop, 3], tf.uint8))
    return tf.reshape(crops, tf.stack([shape[0], clip_frames, crop, crop, 3]))


def _crop(images: tf.Tensor, short_side: int, crop: int) -> tf.Tensor:
    """Centre crops of images, uint8 ``[n, height, width, 3]`` to ``[n, crop, crop, 3]``."""
    # The evaluation's plain bilinear resize looks at 2 x 2 pixels. Of much larger pictures than it ever sees, that
    # would make patterns that were not there, so these are brought to twice the size first.
    images = _shrink_smoothly(images, 2 * short_side)
    return clips.test_crops(clips.resize_short_side(images, short_side), crop, CENTER)[0]


def _shrink_smoothly(images: tf.Tensor, short_side: int) -> tf.Tensor:
    """Brings images, uint8 ``[n, height, width, 3]``, with a larger shorter side to ``short_side`` pixels."""
    size = tf.shape(images)[1:3]
    new_size = tf.cast(tf.round(size * short_side / tf.reduce_min(size)), tf.int32)

    def shrink(image: tf.Tensor) -> tf.Tensor:
        shrunk = tf.image.resize(image, new_size, antialias=True)
        return tf.cast(tf.clip_by_value(tf.round(shrunk), 0.0, 255.0), tf.uint8)

    def shrink_all() -> tf.Tensor:
        # One by one: as real numbers they take four times the memory of the request.
        spec = tf.TensorSpec([None, None, 3], tf.uint8)
        return tf.map_fn(shrink, images, fn_output_signature=spec, parallel_iterations=2)

    return tf.cond(tf.reduce_min(size) > short_side, shrink_all, lambda: tf.identity(images))


def _expect_size(x: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """``x``, if ``size``, (height, width) in pixels, is that of a frame."""
    shorter, longer = tf.reduce_min(size), tf.reduce_max(size)
    fits = (shorter >= 1) & (longer <= LARGEST_SIDE) & (longer <= LARGEST_ASPECT * shorter)
    expected = (
        f"expected frames (height, width) of 1 to {LARGEST_SIDE} pixels a side, the longer at most "
        f"{LARGEST_ASPECT} times the shorter"
    )
    return _expect(x, fits, expected, size)


def _expect(x: tf.Tensor, condition: tf.Tensor, expected: str, found: tf.Tensor) -> tf.Tensor:
    """``x`` if ``condition`` holds; if not, an InvalidArgumentError with ``expected`` and ``found``."""
    with tf.control_dependencies([tf.debugging.Assert(condition, [f"{expected}, found", found])]):
        return tf.identity(x)
