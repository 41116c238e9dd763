"""Records to batches of clips, in phases one after the other.

In training: list, shuffle, read, parse (`tsnet_tf.data.video_source`), sample, decode, augment, batch, mix. In a test:
list, read, parse, sample, decode, crop, batch.

One draw serves both streams. A clip of the dense stream is uint8 [frames, height, width, 3]; the sparse stream's frames
are ``clip[::frames // sparse_frames]``. Where only the sparse stream is wanted, asking for its own frames and stride
gives bit for bit those, and decodes nothing else.

A training clip is a function of the seed and of its place in the sequence only. So a run that is resumed at a step asks
for the clips from there on, and gets those that it would have got. Two things weaken that: clips that are mixed also
depend on which clip stands at the mirrored place of the replica's batch; and a record that is left out
(``max_corrupt_records``) moves those after it up by one place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf

from tsnet_tf.data import augmentation, clips, records, video_source
from tsnet_tf.data.crops import CENTER, CROPS
from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.errors import UserError

NO_VIDEO = -1  # number of the video of a clip that only fills up a batch
_RAND_AUGMENT, _MIX = 1, 2  # folded into a clip's seed, so that either can be switched on without changing the rest


def train_clips(
    dataset: VideoDataset,
    splits: Sequence[str],
    *,
    batch_size: int,
    frames: int,
    frame_stride: int,
    seed: int,
    input_context: tf.distribute.InputContext | None = None,
    repeat: bool = True,
    skip_batches: int = 0,
    soft_labels: bool = False,
) -> tf.data.Dataset:
    """Makes batches of randomly taken, augmented clips.

    Args:
      dataset: what to read, and how clips are augmented.
      splits: names of the splits to draw from.
      batch_size: clips per step, over all replicas.
      frames: frames per clip.
      frame_stride: source frames between two of them; ``frames * frame_stride`` is the data set's span.
      seed: the same seed gives the same clips.
      input_context: under a distribution strategy, which part of each step this pipeline makes; its batches then
        are those of one replica.
      repeat: go on for ever, shuffled anew each time round; else stop after the last whole batch of the first.
      skip_batches: steps to leave out at the start; costs next to nothing.
      soft_labels: whether the caller can take the labels of a data set that mixes clips.

    Returns:
      Data set of (clip, uint8 [batch, frames, crop, crop, 3]; label, int32 [batch], or each class's share, float32
      [batch, classes], if the data set mixes clips).

    Raises:
      UserError: the records are missing, or the numbers do not fit together.
    """
    _check_span(dataset, frames, frame_stride)
    if dataset.mixes and not soft_labels:
        raise UserError(
            "VideoDataset: expected mixup_alpha and cutmix_alpha of 0 in a search, where every clip has one label; "
            f"found {dataset.mixup_alpha} and {dataset.cutmix_alpha}"
        )
    context = input_context or tf.distribute.InputContext()
    pipelines, replicas = context.num_input_pipelines, context.num_replicas_in_sync
    if batch_size < 1 or batch_size % replicas:
        raise UserError(f"expected a batch size that {replicas} replicas can share, found {batch_size}")
    order = video_source.Order(seed, batch_size, pipelines, context.input_pipeline_id, repeat, skip_batches)
    faults = records.Faults(dataset.max_corrupt_records, len(dataset.labels()))
    source = video_source.open_source(dataset, splits, order, faults)  # lists, shuffles, reads, parses

    def to_clip(index: tf.Tensor, video: records.Video) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        own_seed = order.seed_of(index)
        seeds = tf.random.split(own_seed, 3)
        encoded = _sample(video, dataset, frames, frame_stride, seeds[0])
        clip = _decode(encoded, dataset, seeds[1], seeds[2])
        return _augment(clip, dataset, own_seed), video.label, own_seed

    def to_mixed(batch: tf.Tensor, labels: tf.Tensor, seeds: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return _mix(batch, labels, seeds, dataset, faults.classes)

    batches = source.map(to_clip).batch(batch_size // replicas, drop_remainder=True).map(to_mixed).prefetch(2)
    options = tf.data.Options()
    # Clips are made side by side. To share the work of a single frame among threads as well costs a tenth.
    options.threading.max_intra_op_parallelism = 1
    return batches.with_options(options)


def _sample(video: records.Video, dataset: VideoDataset, frames: int, stride: int, seed: tf.Tensor) -> tf.Tensor:
    """Takes the frames of a clip, JPEGs, string [frames]."""
    return video.jpegs(dataset.frame_sampling.training_frames(video.count, video.rate, frames, stride, seed))


def _decode(encoded: tf.Tensor, dataset: VideoDataset, square_seed: tf.Tensor, flip_seed: tf.Tensor) -> tf.Tensor:
    """Decodes the same random square of all frames, perhaps mirrored, uint8 [frames, crop, crop, 3]."""
    size = tf.io.extract_jpeg_shape(encoded[0])[:2]
    square = clips.random_square(size, dataset.crop, *dataset.train_jitter, square_seed)
    mirrored = dataset.flip and tf.random.stateless_uniform([], flip_seed) < 0.5
    return clips.decode_square(encoded, square, dataset.crop, mirrored)


def _augment(clip: tf.Tensor, dataset: VideoDataset, seed: tf.Tensor) -> tf.Tensor:
    """Applies RandAugment, if the data set has it."""
    if not dataset.randaugment_layers:
        return clip
    seed = tf.random.fold_in(seed, _RAND_AUGMENT)
    return augmentation.rand_augment(clip, dataset.randaugment_layers, dataset.randaugment_magnitude, seed)


def _mix(
    batch: tf.Tensor, labels: tf.Tensor, seeds: tf.Tensor, dataset: VideoDataset, classes: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Applies Mixup and CutMix, if the data set has them; the labels are then shares, float32 [batch, classes]."""
    if not dataset.mixes:
        return batch, labels
    seeds = tf.map_fn(lambda seed: tf.cast(tf.random.fold_in(seed, _MIX), tf.int64), seeds)
    alphas = {"mixup_alpha": dataset.mixup_alpha, "cutmix_alpha": dataset.cutmix_alpha}
    return augmentation.mix(batch, labels, seeds, classes, **alphas)


def test_clips(
    dataset: VideoDataset,
    split: str,
    *,
    batch_size: int,
    frames: int,
    frame_stride: int,
    views: int = 10,
    crops: str = CENTER,
    short_side: int | None = None,
    crop: int | None = None,
    input_context: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
    """Makes batches of the test views of every video, without augmentation.

    Args:
      dataset: what to read.
      split: name of the split.
      batch_size: clips per batch; the last batch may have fewer, unless there is an `input_context`.
      frames: frames per clip.
      frame_stride: source frames between two of them; ``frames * frame_stride`` is the data set's span.
      views: clips per video, evenly over its length.
      crops: "center" (one square per view) or "left_center_right" (three, which cover the longer side).
      short_side: of the resized frames, pixels; default: the data set's ``test_short_side``.
      crop: side of the squares, pixels; default: the data set's ``crop``.
      input_context: under a distribution strategy, which videos this pipeline makes. All pipelines make equally many
        batches for each of their replicas, whole ones: what is missing is filled up with clips of video `NO_VIDEO`.

    Returns:
      Data set of dictionaries: ``clip``, uint8 [batch, frames, crop, crop, 3]; ``label``; ``video``, which counts from
      0; ``view``, ``crops per view * view + crop``; the last three int32 [batch]. The views of a video follow one
      another.

    Raises:
      UserError: the records are missing, or the numbers do not fit together.
    """
    _check_span(dataset, frames, frame_stride)
    short_side, crop = short_side or dataset.test_short_side, crop or dataset.crop
    _check_views(views, crops, short_side, crop)
    shards = dataset.shards([split])
    faults = records.Faults(dataset.max_corrupt_records, len(dataset.labels()))
    found = records.read_all(shards, faults).enumerate()
    if input_context:
        found = found.shard(input_context.num_input_pipelines, input_context.input_pipeline_id)
    numbered = found.map(lambda number, record: (number, *record))

    def to_frames(number: tf.Tensor, path: tf.Tensor, place: tf.Tensor, record: tf.Tensor) -> tuple[tf.Tensor, ...]:
        video = records.parse(record, faults.classes)
        sampled = dataset.frame_sampling.test_frames(video.count, video.rate, frames, frame_stride, views)
        # Views overlap: each frame is decoded once, then taken by every view that shows it.
        needed, places = tf.unique(tf.reshape(sampled, [-1]))
        decoded = clips.resize_short_side(clips.decode_frames(video.jpegs(needed)), short_side)
        return decoded, tf.reshape(places, [views, frames]), video.label, tf.cast(number, tf.int32)

    def to_views(decoded: tf.Tensor, places: tf.Tensor, label: tf.Tensor, video: tf.Tensor) -> tf.data.Dataset:
        return _cut(decoded, places, label, video, crop, crops)

    every_view = records.try_map(numbered, to_frames, faults).flat_map(to_views)
    if not input_context:
        return every_view.batch(batch_size).prefetch(2)
    videos = math.ceil(sum(count for _, count in shards) / input_context.num_input_pipelines)
    replicas = input_context.num_replicas_in_sync // input_context.num_input_pipelines
    steps = math.ceil(videos * views * CROPS[crops] / (batch_size * replicas))
    return _filled_up(every_view).batch(batch_size, drop_remainder=True).take(steps * replicas).prefetch(2)


def _cut(
    decoded: tf.Tensor, places: tf.Tensor, label: tf.Tensor, video: tf.Tensor, crop: int, crops: str
) -> tf.data.Dataset:
    """Makes the views of a video, crop by crop, of its frames and of where each view's frames are among them."""
    count = CROPS[crops]

    def to_crops(view: tf.Tensor, place: tf.Tensor) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(
            {
                "clip": clips.test_crops(tf.gather(decoded, place), crop, crops),
                "label": tf.repeat(label, count),
                "video": tf.repeat(video, count),
                "view": tf.cast(view, tf.int32) * count + tf.range(count),
            }
        )

    return tf.data.Dataset.from_tensor_slices(places).enumerate().flat_map(to_crops)


def _filled_up(every_view: tf.data.Dataset) -> tf.data.Dataset:
    """The views, and then black clips of `NO_VIDEO` for ever."""
    spec = every_view.element_spec
    empty = {name: tf.constant(0 if name == "clip" else NO_VIDEO, of.dtype, of.shape) for name, of in spec.items()}
    return every_view.concatenate(tf.data.Dataset.from_tensors(empty).repeat())


def _check_span(dataset: VideoDataset, frames: int, frame_stride: int) -> None:
    if frames < 1 or frames * frame_stride != dataset.span:
        raise UserError(
            f"expected frames x stride to span {dataset.span} source frames as {dataset.dense_frames} x "
            f"{dataset.dense_stride} does, found {frames} x {frame_stride}"
        )


def _check_views(views: int, crops: str, short_side: int, crop: int) -> None:
    if crops not in CROPS:
        raise UserError(f"expected crops to be one of {', '.join(CROPS)}, found '{crops}'")
    if views < 1:
        raise UserError(f"expected at least one view per video, found {views}")
    if short_side < crop:
        raise UserError(f"expected a test short side no less than the crop of {crop}, found {short_side}")
