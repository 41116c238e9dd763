"""Evaluates a fixed model on all views of a split's videos."""

from __future__ import annotations

import os
import time

import keras
import tensorflow as tf

from tsnet_tf import atomic, console
from tsnet_tf.data import pipeline
from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.errors import UserError
from tsnet_tf.evaluation import metrics, protocol
from tsnet_tf.space.cost import complexity

RESULT_FILE = "evaluation.json"


def evaluate(
    model: keras.Model, dataset: VideoDataset, split: str, views: str = "10-center", batch_size: int = 10
) -> dict:
    """Predicts every view of every video, averages the views' probabilities, and compares with the labels.

    Args:
      model: a fixed model; ``model.space`` is its genotype.
      dataset: where the videos are, and the sizes they are tested at.
      split: name of the split.
      views: name of a protocol (`tsnet_tf.evaluation.protocol.PROTOCOLS`).
      batch_size: views per batch; the result does not depend on it.

    Returns:
      ``split``, ``views``, ``videos`` (their number), ``views_per_video``, ``short_side`` and ``crop`` (pixels),
      ``gmacs_per_view`` and ``gmacs_per_video``, ``top1``, ``top5`` and ``mean_class_accuracy`` (0 to 1),
      ``confusion`` (number of videos, rows are true classes, columns predicted ones), ``labels`` and ``seconds``.

    Raises:
      UserError: no such protocol or split, or the data set has other classes than the model.
    """
    chosen = protocol.named(views)
    labels = dataset.labels()
    genotype = model.space
    if len(labels) != genotype.classes:
        raise UserError(
            f"expected a data set with the model's {genotype.classes} classes, found {len(labels)} in "
            f"'{dataset.directory}'"
        )
    short_side, crop = dataset.test_short_side, chosen.crop(dataset.crop, dataset.test_short_side)
    clips = pipeline.test_clips(
        dataset,
        split,
        batch_size=batch_size,
        frames=genotype.frames,
        frame_stride=dataset.span // genotype.frames,
        views=chosen.clips,
        crops=chosen.crops,
        short_side=short_side,
        crop=crop,
    )
    predict = tf.function(
        lambda clip: model(clip, training=False),
        input_signature=[tf.TensorSpec([None, genotype.frames, crop, crop, 3], tf.uint8)],
    )
    started = time.monotonic()
    scores = metrics.VideoScores(chosen.views)
    total = dataset.num_videos([split]) * chosen.views
    with console.progress(f"evaluation: {split}, {views}", total) as bar:
        for batch in clips:
            scores.add(predict(batch["clip"]).numpy(), batch["label"].numpy(), batch["video"].numpy())
            bar.advance(len(batch["label"]))
    means, truth = scores.mean()
    confusion = metrics.confusion_matrix(means.argmax(axis=1), truth, len(labels))
    gmacs = complexity(genotype, crop).gmacs
    return {
        "split": split,
        "views": views,
        "videos": len(scores),
        "views_per_video": chosen.views,
        "short_side": short_side,
        "crop": crop,
        "gmacs_per_view": gmacs,
        "gmacs_per_video": gmacs * chosen.views,
        "top1": metrics.top_k_accuracy(means, truth, 1),
        "top5": metrics.top_k_accuracy(means, truth, 5),
        "mean_class_accuracy": metrics.mean_class_accuracy(confusion),
        "confusion": confusion.tolist(),
        "labels": labels,
        "seconds": time.monotonic() - started,
    }


def record(result: dict, workdir: str) -> None:
    """Shows what `evaluate` returned as a table and writes it to ``evaluation.json`` in the run folder."""
    console.table(
        f"{result['split']}: {result['videos']} videos x {result['views_per_video']} views of {result['crop']} pixels, "
        f"{result['seconds']:.0f} s",
        ["views", "top-1 %", "top-5 %", "mean class %", "GMACs/view", "GMACs/video"],
        [
            [
                result["views"],
                *(f"{100 * result[name]:.1f}" for name in ("top1", "top5", "mean_class_accuracy")),
                f"{result['gmacs_per_view']:.3g}",
                f"{result['gmacs_per_video']:.3g}",
            ]
        ],
    )
    atomic.write_json(os.path.join(workdir, RESULT_FILE), result)
