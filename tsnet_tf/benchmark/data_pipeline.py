"""The data pipeline against bare JPEG decoding and the Model Garden's pipeline; preparation against bare PyAV."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable

import av
import gin
import numpy as np
import tensorflow as tf
from av.video.reformatter import VideoReformatter

from tsnet_tf import settings
from tsnet_tf.benchmark.machine import interleaved_seconds, median_ratio
from tsnet_tf.data import decode, demo_videos, pipeline, schema, shards
from tsnet_tf.data.annotations import Annotation
from tsnet_tf.data.video_dataset import VideoDataset

SHARD = "train-00000-of-00001.tfrecord"
CLASSES = ["a", "b", "c"]
_NOISE = 8.0  # standard deviation, grey levels: a JPEG of 340 x 256 then takes 25 KB, as docs/datasets.md reckons with


def reading(
    folder: str, gin_file: str, size: tuple[int, int], videos: int, batch_size: int, batches: int, repeats: int
) -> dict[str, float]:
    """Makes training clips of the dense stream from records in memory, in our way and in others.

    Args:
      folder: where the records are written.
      gin_file: with the settings of the data set, as they are trained with.
      size: height and width of the stored frames, pixels.
      videos: number of records.
      batch_size: clips at once.
      batches: in one measurement, after as many that are not measured: buffers are as they stay by then.
      repeats: measurements of each, interleaved.

    Returns:
      ``kilobytes`` of a JPEG frame. Median clips per second: of our pipeline (``ours``), of the Model Garden's
      (``model_garden``), and of nothing but `tf.io.decode_jpeg` over as many frames: a data set of frames, mapped and
      put into batches (``decode_jpeg``); and a clip at a time, thrown away as soon as it is decoded (``decode_only``),
      which is the least that any pipeline has to do. The median ratios ``ours / ...``, and in ``..., processor`` those
      of processor time, which mean more where other programs are busy on the machine.
    """
    write_records(folder, *size, videos)
    settings.apply(settings.read([gin_file]))
    dataset = VideoDataset(folder)
    records = [record.numpy() for record in tf.data.TFRecordDataset(os.path.join(folder, SHARD))]
    clips = np.stack([schema.parse_video(tf.constant(record))[0][: dataset.dense_frames] for record in records])
    made = {
        "ours": pipeline.train_clips(
            dataset, ["train"], batch_size=batch_size, frames=dataset.dense_frames,
            frame_stride=dataset.dense_stride, seed=0,
        ),
        "model_garden": _model_garden(records, dataset, batch_size),
        "decode_jpeg": _map_only(clips.flatten(), _decoded).batch(dataset.dense_frames).batch(batch_size).prefetch(2),
        "decode_only": _map_only(clips, _decoded_bytes).batch(batch_size).prefetch(2),
    }  # fmt: skip
    seconds, processor = {name: [] for name in made}, {name: [] for name in made}
    for repeat in range(repeats + 1):
        for name, one in made.items():
            found = _seconds(one, batches)
            if repeat:  # the first round is not counted
                seconds[name].append(found[0])
                processor[name].append(found[1])
    others = [name for name in made if name != "ours"]
    return {
        "kilobytes": sum(map(len, clips.flatten())) / clips.size / 1e3,
        **{name: batches * batch_size / statistics.median(found) for name, found in seconds.items()},
        **{f"ours / {name}": median_ratio(seconds[name], seconds["ours"]) for name in others},
        **{f"ours / {name}, processor": median_ratio(processor[name], processor["ours"]) for name in others},
    }


def preparation(folder: str, videos: int, repeats: int, height: int = 240, width: int = 320) -> dict[str, float]:
    """Prepares H.264 files at a short side of 256 pixels in one thread, and does so with PyAV and a JPEG encoder alone.

    Returns:
      Median videos per second of either, ``ours`` and ``pyav``, and their median ratio ``ours_to_pyav``.
    """
    os.makedirs(folder, exist_ok=True)
    names = [f"{number}.mp4" for number in range(videos)]
    for number, name in enumerate(names):
        frames = tf.cast(_pictures(number, height, width), tf.uint8).numpy()
        demo_videos.write_video(os.path.join(folder, name), frames)
    shard = shards.Shard("train", 0, 1, tuple(Annotation(name, "a", "train") for name in names))

    def ours() -> None:
        shards.write_shard(shard, folder, folder, {"a": 0}, 256, 90, decode.Limits())
        os.remove(os.path.join(folder, shard.report_name))

    def bare() -> None:
        size = {"width": round(width * 256 / height), "height": 256}
        for name in names:
            with av.open(os.path.join(folder, name)) as container:
                reformatter = VideoReformatter()
                for frame in container.decode(video=0):
                    picture = reformatter.reformat(frame, format="rgb24", interpolation="BICUBIC", **size)
                    tf.io.encode_jpeg(picture.to_ndarray(), quality=90).numpy()

    seconds = interleaved_seconds({"ours": ours, "pyav": bare}, repeats)
    return {
        **{name: videos / statistics.median(found) for name, found in seconds.items()},
        "ours_to_pyav": median_ratio(seconds["pyav"], seconds["ours"]),
    }


def write_records(folder: str, height: int, width: int, videos: int) -> None:
    """Writes demo videos of 80 frames, at another size, as records."""
    os.makedirs(folder, exist_ok=True)
    with tf.io.TFRecordWriter(os.path.join(folder, SHARD)) as writer:
        for number in range(videos):
            pictures = tf.cast(_pictures(number, height, width), tf.uint8)
            writer.write(
                schema.serialize_video(
                    [tf.io.encode_jpeg(picture, quality=90).numpy() for picture in pictures],
                    height=height,
                    width=width,
                    frame_rate=30.0,
                    label_index=number % len(CLASSES),
                    label_text=CLASSES[number % len(CLASSES)],
                    media_id=f"{number}.mp4",
                )
            )
    with open(os.path.join(folder, "labels.json"), "w") as file:
        json.dump(CLASSES, file)
    with open(os.path.join(folder, "manifest.json"), "w") as file:
        json.dump({"splits": {"train": {"videos": videos, "videos_per_shard": [videos]}}}, file)


def _pictures(number: int, height: int, width: int) -> tf.Tensor:
    """A demo video there and back, at another size with noise of that size, float32 [frames, height, width, 3]."""
    frames = demo_videos.draw_video(0, 1, demo_videos.Video("train", "stripes", ("sway", "pulse"), number))
    frames = np.concatenate([frames, frames[::-1]])
    frames = tf.image.resize(frames, (height, width), "bicubic")
    noise = tf.random.stateless_normal(tf.shape(frames), [0, number], stddev=_NOISE)
    return tf.clip_by_value(tf.round(frames + noise), 0.0, 255.0)


def _seconds(made: tf.data.Dataset, batches: int) -> tuple[float, float]:
    """Time for some batches of a pipeline that has been running for as many: by the clock, and of the processor."""
    # Started anew each time: a pipeline that waits would go on decoding while the others are measured.
    iterator = iter(made)
    for _ in range(batches):
        next(iterator)
    started, used = time.perf_counter(), time.process_time()
    for _ in range(batches):
        next(iterator)
    return time.perf_counter() - started, time.process_time() - used


def _decoded(frame: tf.Tensor) -> tf.Tensor:
    return tf.io.decode_jpeg(frame, channels=3)


def _decoded_bytes(clip: tf.Tensor) -> tf.Tensor:
    return tf.stack([tf.size(_decoded(frame)) for frame in tf.unstack(clip)])


def _map_only(elements: np.ndarray, function: Callable) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(elements).repeat().map(function, num_parallel_calls=tf.data.AUTOTUNE)


def _model_garden(records: list[bytes], dataset: VideoDataset, batch_size: int) -> tf.data.Dataset:
    """Its training pipeline for clips of the same size, as `official.vision` puts it together."""
    with gin.unlock_config():  # it registers settings of its own
        from official.vision.configs import video_classification
        from official.vision.dataloaders import video_input

    config = video_classification.DataConfig(
        feature_shape=(dataset.dense_frames, dataset.crop, dataset.crop, 3),
        temporal_stride=dataset.dense_stride,
        min_image_size=dataset.test_short_side,
        num_classes=len(CLASSES),
        one_hot=False,
    )
    decoder, parser = video_input.Decoder(), video_input.Parser(config)
    return (
        tf.data.Dataset.from_tensor_slices(records)
        .shuffle(len(records))
        .repeat()
        .map(decoder.decode, num_parallel_calls=tf.data.AUTOTUNE)
        .map(parser.parse_fn(is_training=True), num_parallel_calls=tf.data.AUTOTUNE)
        .batch(batch_size, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )
