"""Records to batches of clips: parse, sample, decode, augment, batch.

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
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tsnet_tf.data import augmentation, clips, records
from tsnet_tf.data.crops import CENTER, CROPS
from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.errors import UserError

NO_VIDEO = -1  # number of the video of a clip that only fills up a batch
_FOREVER = np.iinfo(np.int64).max
_FILES_READ_AT_ONCE = 8
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
    pipelines = input_context.num_input_pipelines if input_context else 1
    replicas = input_context.num_replicas_in_sync if input_context else 1
    if batch_size < 1 or batch_size % replicas:
        raise UserError(f"expected a batch size that {replicas} replicas can share, found {batch_size}")
    pipeline = input_context.input_pipeline_id if input_context else 0
    make = _clips_from_memory if _fits_in_memory(dataset, splits) else _clips_from_files
    faults = records.Faults(dataset.max_corrupt_records, len(dataset.labels()))

    def seed_of(index: tf.Tensor) -> tf.Tensor:
        return tf.stack([tf.cast(seed, tf.int64), index])

    def to_clip(index: tf.Tensor, encoded: tf.Tensor, first: tf.Tensor, count: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
        """The clip of a video whose frames are the ``count`` ones of ``encoded`` from ``first`` on."""
        seeds = tf.random.split(seed_of(index), 3)
        sampled = dataset.frame_sampling.training_frames(count, rate, frames, frame_stride, seeds[0])
        encoded = tf.gather(encoded, first + sampled)
        size = tf.io.extract_jpeg_shape(encoded[0])[:2]
        square = clips.random_square(size, dataset.crop, *dataset.train_jitter, seeds[1])
        mirrored = dataset.flip and tf.random.stateless_uniform([], seeds[2]) < 0.5
        clip = clips.decode_square(encoded, square, dataset.crop, mirrored)
        if dataset.randaugment_layers:
            own_seed = tf.random.fold_in(seed_of(index), _RAND_AUGMENT)
            clip = augmentation.rand_augment(clip, dataset.randaugment_layers, dataset.randaugment_magnitude, own_seed)
        return clip

    def finish(indices: tf.Tensor, batch: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if not dataset.mixes:
            return batch, labels
        seeds = tf.map_fn(
            lambda index: tf.cast(tf.random.fold_in(seed_of(index), _MIX), tf.int64),
            indices,
            fn_output_signature=tf.TensorSpec([2], tf.int64),
        )
        return augmentation.mix(
            batch,
            labels,
            seeds,
            faults.classes,
            mixup_alpha=dataset.mixup_alpha,
            cutmix_alpha=dataset.cutmix_alpha,
        )

    made = make(dataset, splits, to_clip, batch_size, seed, pipelines, pipeline, repeat, skip_batches, faults)
    batches = made.batch(batch_size // replicas, drop_remainder=True).map(finish).prefetch(2)
    options = tf.data.Options()
    # Clips are made side by side. To share the work of a single frame among threads as well costs a tenth.
    options.threading.max_intra_op_parallelism = 1
    return batches.with_options(options)


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
    if crops not in CROPS:
        raise UserError(f"expected crops to be one of {', '.join(CROPS)}, found '{crops}'")
    if views < 1:
        raise UserError(f"expected at least one view per video, found {views}")
    short_side, crop = short_side or dataset.test_short_side, crop or dataset.crop
    if short_side < crop:
        raise UserError(f"expected a test short side no less than the crop of {crop}, found {short_side}")

    faults = records.Faults(dataset.max_corrupt_records, len(dataset.labels()))

    def to_frames(video: tf.Tensor, path: tf.Tensor, number: tf.Tensor, record: tf.Tensor) -> tuple[tf.Tensor, ...]:
        encoded, label, rate = records.parse(record, faults.classes)
        sampled = dataset.frame_sampling.test_frames(tf.size(encoded), rate, frames, frame_stride, views)
        # Views overlap: each frame is decoded once, then taken by every view that shows it.
        needed, places = tf.unique(tf.reshape(sampled, [-1]))
        decoded = clips.resize_short_side(clips.decode_frames(tf.gather(encoded, needed)), short_side)
        return decoded, tf.reshape(places, [views, frames]), label, tf.cast(video, tf.int32)

    def to_views(decoded: tf.Tensor, places: tf.Tensor, label: tf.Tensor, video: tf.Tensor) -> tf.data.Dataset:
        def to_crops(view: tf.Tensor, place: tf.Tensor) -> tf.data.Dataset:
            count = CROPS[crops]
            return tf.data.Dataset.from_tensor_slices(
                {
                    "clip": clips.test_crops(tf.gather(decoded, place), crop, crops),
                    "label": tf.repeat(label, count),
                    "video": tf.repeat(video, count),
                    "view": tf.cast(view, tf.int32) * count + tf.range(count),
                }
            )

        return tf.data.Dataset.from_tensor_slices(places).enumerate().flat_map(to_crops)

    shards = dataset.shards([split])
    found = records.read_all(shards, faults).enumerate()
    if input_context:
        found = found.shard(input_context.num_input_pipelines, input_context.input_pipeline_id)
    numbered = found.map(lambda video, record: (video, *record))
    every_view = records.try_map(numbered, to_frames, faults).flat_map(to_views)
    if not input_context:
        return every_view.batch(batch_size).prefetch(2)
    videos = math.ceil(sum(count for _, count in shards) / input_context.num_input_pipelines)
    replicas = input_context.num_replicas_in_sync // input_context.num_input_pipelines
    steps = math.ceil(videos * views * CROPS[crops] / (batch_size * replicas))
    empty = {
        "clip": tf.zeros([frames, crop, crop, 3], tf.uint8),
        **{name: tf.constant(NO_VIDEO) for name in ("label", "video", "view")},
    }
    filling = tf.data.Dataset.from_tensors(empty).repeat()
    whole = every_view.concatenate(filling).batch(batch_size, drop_remainder=True)
    return whole.take(steps * replicas).prefetch(2)


def _check_span(dataset: VideoDataset, frames: int, frame_stride: int) -> None:
    if frames < 1 or frames * frame_stride != dataset.span:
        raise UserError(
            f"expected frames x stride to span {dataset.span} source frames as {dataset.dense_frames} x "
            f"{dataset.dense_stride} does, found {frames} x {frame_stride}"
        )


def _fits_in_memory(dataset: VideoDataset, splits: Sequence[str]) -> bool:
    size = sum(tf.io.gfile.stat(path).length for path, _ in dataset.shards(splits))
    return size <= dataset.cache_megabytes * 2**20


def _clips_from_memory(
    dataset: VideoDataset,
    splits: Sequence[str],
    to_clip: Callable,
    batch_size: int,
    seed: int,
    pipelines: int,
    pipeline: int,
    repeat: bool,
    skip_batches: int,
    faults: records.Faults,
) -> tf.data.Dataset:
    """Clips of records in memory, in an order that any step can start from.

    The sequence does not depend on the number of pipelines: each takes its part of every step.
    """
    videos = records.load(dataset.shards(splits), faults)
    total, share = len(videos.labels), batch_size // pipelines
    end = _FOREVER if repeat else total // batch_size * share

    def pick(number: tf.Tensor) -> tuple[tf.Tensor, ...]:
        index = number // share * batch_size + pipeline * share + number % share
        key = tf.stack([tf.cast(seed, tf.int64), index // total])
        place = tf.random.experimental.index_shuffle(index % total, key, total - 1)
        first, count = videos.starts[place], videos.starts[place + 1] - videos.starts[place]
        return index, to_clip(index, videos.frames, first, count, videos.rates[place]), videos.labels[place]

    return tf.data.Dataset.range(skip_batches * share, end).map(pick, num_parallel_calls=tf.data.AUTOTUNE)


def _clips_from_files(
    dataset: VideoDataset,
    splits: Sequence[str],
    to_clip: Callable,
    batch_size: int,
    seed: int,
    pipelines: int,
    pipeline: int,
    repeat: bool,
    skip_batches: int,
    faults: records.Faults,
) -> tf.data.Dataset:
    """Clips of records read from files, in a new order each time round.

    Each pipeline reads files of its own, so the sequence depends on how many there are. What is skipped is read at most
    once round, and not decoded.
    """
    shards = [(path, count) for path, count in dataset.shards(splits) if count]  # of some, every video was rejected
    if len(shards) < pipelines:
        raise UserError(
            f"expected at least one file per input pipeline ({pipelines}), found {len(shards)}; use --shards"
        )
    totals = [sum(count for _, count in shards[p::pipelines]) for p in range(pipelines)]
    own = shards[pipeline::pipelines]
    paths, counts = tf.constant([path for path, _ in own]), tf.constant([count for _, count in own], tf.int64)
    total, share = totals[pipeline], batch_size // pipelines
    skipped = skip_batches * share
    first_round, skipped_in_it = skipped // total, skipped % total

    def one_round(number: tf.Tensor) -> tf.data.Dataset:
        tf.random.set_seed(
            1
        )  # of this graph: with a global seed of 0 TensorFlow compares the other one, a tensor, with 0
        key = tf.stack([tf.cast(seed, tf.int64), number])
        order = tf.random.experimental.stateless_shuffle(tf.range(len(own)), key)
        found = tf.data.Dataset.from_tensor_slices((tf.gather(paths, order), tf.gather(counts, order))).interleave(
            lambda path, count: records.read(path, count, faults),
            cycle_length=_FILES_READ_AT_ONCE,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        found = found.shuffle(dataset.shuffle_buffer, seed=tf.cast(seed, tf.int64) + number)
        return found.skip(tf.where(tf.equal(number, first_round), tf.cast(skipped_in_it, tf.int64), 0))

    found = tf.data.Dataset.range(first_round, _FOREVER if repeat else 1).flat_map(one_round)
    if not repeat:
        found = found.take(max(0, min(totals) // share * share - skipped))
    numbered = found.enumerate(skipped).map(lambda place, record: (place * pipelines + pipeline, *record))

    def of_record(index: tf.Tensor, path: tf.Tensor, number: tf.Tensor, record: tf.Tensor) -> tuple[tf.Tensor, ...]:
        encoded, label, rate = records.parse(record, faults.classes)
        return index, to_clip(index, encoded, 0, tf.size(encoded), rate), label

    return records.try_map(numbered, of_record, faults)
