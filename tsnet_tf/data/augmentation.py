"""Stronger augmentation: RandAugment of a clip, Mixup and CutMix of a batch.

RandAugment's picture operations are the TensorFlow Model Garden's (`official.vision.ops.augment`); the draws are ours.
Theirs take no seed, so a clip would not be a function of the seed and its place. Mixup and CutMix are ours: with the
draws gone nothing would be left of theirs but one line each, and their shares are uniform whatever ``alpha`` is set to,
where Beta(alpha, alpha) is meant.
"""

from __future__ import annotations

from collections.abc import Callable

import gin
import tensorflow as tf

_GREY = [128, 128, 128]  # fills what a shift or a turn leaves empty
_LARGEST_SHIFT = 100 / 224  # of the side; the Model Garden's 100 pixels are for pictures of 224
_LARGEST_CUTOUT = 80 / 224  # of the side
_LARGEST_MAGNITUDE = 10.0


def rand_augment(clip: tf.Tensor, layers: int, magnitude: float, seed: tf.Tensor) -> tf.Tensor:
    """Applies ``layers`` randomly drawn operations, the same to all frames (Cubuk et al., "RandAugment").

    Args:
      clip: uint8 [frames, side, side, 3].
      layers: number of operations, one after the other.
      magnitude: of all operations, 0 to 10.
      seed: int64 [2].

    Returns:
      uint8 [frames, side, side, 3].
    """
    shape = clip.shape
    for one in tf.unstack(tf.random.split(seed, layers)):
        seeds = tf.random.split(one, 3)
        sign = tf.where(tf.random.stateless_uniform([], seeds[1]) < 0.5, -1.0, 1.0)
        operations = _operations(magnitude / _LARGEST_MAGNITUDE, sign, seeds[2])
        chosen = tf.random.stateless_uniform([], seeds[0], 0, len(operations) + 1, tf.int32)  # the last one: none
        branches = [lambda operation=operation, clip=clip: operation(clip) for operation in operations.values()]
        clip = tf.ensure_shape(tf.switch_case(chosen, [*branches, lambda clip=clip: tf.identity(clip)]), shape)
    return clip


def mix(
    clips: tf.Tensor,
    labels: tf.Tensor,
    seeds: tf.Tensor,
    classes: int,
    *,
    mixup_alpha: float,
    cutmix_alpha: float,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Mixes each clip of a batch with the one at the mirrored place of the batch.

    Mixup (Zhang et al.) shows both at once, CutMix (Yun et al.) a rectangle of the other one in all frames. With both,
    each clip has an even chance of either.

    Args:
      clips: uint8 [batch, frames, side, side, 3].
      labels: int32 [batch].
      seeds: int64 [batch, 2], one per clip.
      classes: number of classes.
      mixup_alpha: a clip's share is drawn from Beta(alpha, alpha); 0 for no Mixup.
      cutmix_alpha: the same for CutMix.

    Returns:
      uint8 [batch, frames, side, side, 3], and each label's share, float32 [batch, classes].
    """
    targets = tf.one_hot(labels, classes)

    def one(values: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, tf.Tensor]:
        clip, other, target, other_target, seed = values
        mixed, share = _mix_two(clip, other, tf.random.split(seed, 4), mixup_alpha, cutmix_alpha)
        return mixed, share * target + (1.0 - share) * other_target

    mirrored = (clips, clips[::-1], targets, targets[::-1], seeds)
    signature = (tf.TensorSpec(clips.shape[1:], tf.uint8), tf.TensorSpec([classes], tf.float32))
    mixed, targets = tf.map_fn(one, mirrored, fn_output_signature=signature)
    return tf.ensure_shape(mixed, clips.shape), tf.ensure_shape(targets, [clips.shape[0], classes])


def _mix_two(
    clip: tf.Tensor, other: tf.Tensor, seeds: tf.Tensor, mixup_alpha: float, cutmix_alpha: float
) -> tuple[tf.Tensor, tf.Tensor]:
    def mixup() -> tuple[tf.Tensor, tf.Tensor]:
        share = _beta(mixup_alpha, seeds[1])
        mixed = share * tf.cast(clip, tf.float32) + (1.0 - share) * tf.cast(other, tf.float32)
        return tf.cast(tf.round(mixed), tf.uint8), share

    def cutmix() -> tuple[tf.Tensor, tf.Tensor]:
        half = tf.sqrt(1.0 - _beta(cutmix_alpha, seeds[2])) / 2
        inside = _square(tf.shape(clip)[1], half, seeds[3])
        # The share is that of the pixels: the rectangle may be cut off by the border.
        share = 1.0 - tf.reduce_mean(tf.cast(inside, tf.float32))
        return tf.where(inside[tf.newaxis, :, :, tf.newaxis], other, clip), share

    if not mixup_alpha or not cutmix_alpha:
        return mixup() if mixup_alpha else cutmix()
    return tf.cond(tf.random.stateless_uniform([], seeds[0]) < 0.5, mixup, cutmix)


def _operations(level: float, sign: tf.Tensor, seed: tf.Tensor) -> dict[str, Callable]:
    """RandAugment's operations by name, at a magnitude of 0 to 1."""
    with gin.unlock_config():  # what it imports registers settings of its own, by now after the binary has parsed ours
        from official.vision.ops import augment  # takes seconds to import, so only where it is used

    def per_frame(operation: Callable) -> Callable:
        # What depends on the frame's own statistics must not depend on how many frames are decoded beside it.
        return lambda clip: tf.map_fn(operation, clip)

    def shift(clip: tf.Tensor) -> tf.Tensor:
        return sign * level * _LARGEST_SHIFT * tf.cast(tf.shape(clip)[1], tf.float32)

    def cutout(clip: tf.Tensor) -> tf.Tensor:
        inside = _square(tf.shape(clip)[1], tf.constant(level * _LARGEST_CUTOUT / 2), seed)
        return tf.where(inside[tf.newaxis, :, :, tf.newaxis], tf.constant(_GREY, tf.uint8), clip)

    strength = 1.8 * level + 0.1
    return {
        "AutoContrast": per_frame(augment.autocontrast),
        "Equalize": per_frame(augment.equalize),
        "Invert": augment.invert,
        "Rotate": lambda clip: augment.wrapped_rotate(clip, sign * 30.0 * level, _GREY),
        "Posterize": lambda clip: augment.posterize(clip, max(1, int(4 * level))),
        "Solarize": lambda clip: augment.solarize(clip, min(255, int(256 * level))),
        "SolarizeAdd": lambda clip: augment.solarize_add(clip, int(110 * level)),
        "Color": lambda clip: augment.color(clip, strength),
        "Contrast": per_frame(lambda frame: augment.contrast(frame, strength)),
        "Brightness": lambda clip: augment.brightness(clip, strength),
        "Sharpness": lambda clip: augment.sharpness(clip, strength),
        "ShearX": lambda clip: augment.shear_x(clip, sign * 0.3 * level, _GREY),
        "ShearY": lambda clip: augment.shear_y(clip, sign * 0.3 * level, _GREY),
        "TranslateX": lambda clip: augment.translate_x(clip, shift(clip), _GREY),
        "TranslateY": lambda clip: augment.translate_y(clip, shift(clip), _GREY),
        "Cutout": cutout,
    }


def _square(side: tf.Tensor, half: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """A square of twice ``half`` (of the side) with its centre anywhere in the picture, bool [side, side]."""
    centre = tf.random.stateless_uniform([2], seed)
    places = (tf.range(side, dtype=tf.float32) + 0.5) / tf.cast(side, tf.float32)
    rows, columns = (tf.abs(places - centre[axis]) < half for axis in range(2))
    return rows[:, tf.newaxis] & columns[tf.newaxis, :]


def _beta(alpha: float, seed: tf.Tensor) -> tf.Tensor:
    """Draws from Beta(alpha, alpha), float32 scalar."""
    both = tf.random.stateless_gamma([2], seed, alpha, dtype=tf.float64)
    return tf.cast(tf.math.divide_no_nan(both[0], tf.reduce_sum(both)), tf.float32)
