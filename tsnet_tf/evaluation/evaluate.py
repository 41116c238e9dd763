"""Evaluates a model on all views of a split's videos."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence

import gin
import keras
import tensorflow as tf

from tsnet_tf import atomic, console
from tsnet_tf.console import counted
from tsnet_tf.data import pipeline
from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.errors import UserError
from tsnet_tf.evaluation import accuracy_table, metrics, predictions, protocol, samples, videos
from tsnet_tf.evaluation.predictions import Predictions
from tsnet_tf.evaluation.recalibration import recalibrate
from tsnet_tf.space.cost import complexity
from tsnet_tf.space.two_stream import Space

RESULT_FILE = "evaluation.json"
_NAMED_AT_MOST = 5

Score = Callable[[tf.Tensor], tf.Tensor]


@gin.configurable
def evaluation(
    model: keras.Model,
    labels: Sequence[str],
    dataset: VideoDataset,
    strategy: tf.distribute.Strategy,
    workdir: str,
    *,
    split: str = "test",
    views: str = "10-center",
    batch_size: int = 10,
    precise_bn_batches: int = 0,
    precise_bn_batch_size: int = 32,
    precise_bn_splits: tuple[str, ...] = ("train",),
) -> dict:
    """Evaluates a trained model, and leaves ``evaluation.json`` and ``predictions/`` in its run folder.

    Besides what was said of every video there are a few clips, for the report (`tsnet_tf.evaluation.samples`).

    Args:
      model: a fixed model, made under ``strategy``; ``model.space`` is its genotype.
      labels: names of its classes.
      dataset: where the videos are, and the sizes they are tested at.
      strategy: how the work is spread.
      workdir: run folder, or another one for all workers but the chief.
      split: name of the split.
      views: name of a protocol (`tsnet_tf.evaluation.protocol.named`).
      batch_size: views per replica and step; the result does not depend on it.
      precise_bn_batches: over how many batches of training clips BN statistics are measured anew before the test; 0
        takes those of the checkpoint.
      precise_bn_batch_size: clips in each of them, over all replicas.
      precise_bn_splits: splits they are taken from.

    Returns:
      What `score_predictions` returns, with ``precise_bn_batches``, ``missing`` and ``repeated`` (names of videos, see
      `tsnet_tf.evaluation.videos.Videos`) and ``seconds``.

    Raises:
      UserError: no such protocol or split, or the data set has other classes than the model.
    """
    started, views = time.monotonic(), protocol.named(views).name
    check_labels(labels, dataset)
    of_training = {"evaluation.precise_bn_splits": precise_bn_splits} if precise_bn_batches else {}
    dataset.check_splits({"--split": (split,), **of_training})
    found = videos.of_split(dataset, split)
    if precise_bn_batches:
        training_clips = pipeline.train_clips(
            dataset,
            precise_bn_splits,
            batch_size=precise_bn_batch_size,
            frames=model.space.frames,
            frame_stride=dataset.span // model.space.frames,
            seed=0,
            soft_labels=True,
        ).map(lambda clip, label: clip)
        with strategy.scope():  # every replica sees whole batches: the result does not depend on their number
            recalibrate(model, training_clips, precise_bn_batches)
    predicted = predict_videos(probabilities_of(model), model.space, dataset, split, views, batch_size, strategy, found)
    result = {
        **score_predictions(predicted, model.space, dataset, split, views),
        "precise_bn_batches": precise_bn_batches,
        "missing": found.missing,
        "repeated": found.repeated,
        "seconds": time.monotonic() - started,
    }
    accuracy_table.show(result)
    path = os.path.join(workdir, predictions.FOLDER, f"{split}_{views}")
    predictions.write(predicted, path)
    samples.write(samples.take(predicted, found.first_records(), model.space.frames, dataset, split), path)
    atomic.write_json(os.path.join(workdir, RESULT_FILE), result)  # last: it says that there is all of it
    return result


def evaluate(
    model: keras.Model,
    dataset: VideoDataset,
    split: str,
    views: str = "10-center",
    batch_size: int = 10,
    strategy: tf.distribute.Strategy | None = None,
) -> dict:
    """Predicts every view of every video, and writes nothing: what `score_predictions` returns.

    Args:
      model: a fixed model; ``model.space`` is its genotype.
      dataset, split, views, batch_size: as in `evaluation`.
      strategy: how the work is spread, the one that ``model`` was made under; None for one device.

    Raises:
      UserError: no such protocol or split, or the data set has other classes than the model.
    """
    predicted = predict_videos(probabilities_of(model), model.space, dataset, split, views, batch_size, strategy)
    return score_predictions(predicted, model.space, dataset, split, views)


def probabilities_of(model: keras.Model) -> Score:
    """What ``model`` says about clips: ``[batch, frames, height, width, 3]`` to probabilities ``[batch, classes]``."""
    return lambda clips: tf.nn.softmax(tf.cast(model(clips, training=False), tf.float32))


def predict_videos(
    score: Score,
    genotype: Space,
    dataset: VideoDataset,
    split: str,
    views: str,
    batch_size: int,
    strategy: tf.distribute.Strategy | None = None,
    found: videos.Videos | None = None,
) -> Predictions:
    """Predicts every view of every video and averages the views' probabilities.

    Args:
      score: TensorFlow operations from clips, uint8 ``[batch, frames, height, width, 3]``, to probabilities
        ``[batch, classes]``, such as `probabilities_of` a model made under ``strategy``.
      genotype: the clips' frames and the number of classes.
      dataset, split, views: as in `evaluation`.
      batch_size: views per replica and step.
      strategy: how the work is spread; None for one device.
      found: the split's videos, if they have been read already.

    Raises:
      UserError: no such protocol or split, or the data set has other classes than the model.
    """
    chosen, strategy = protocol.named(views), strategy or tf.distribute.get_strategy()
    labels = dataset.labels()
    if len(labels) != genotype.classes:
        raise UserError(
            f"expected a data set with the model's {genotype.classes} classes, found {len(labels)} in "
            f"'{dataset.directory}'"
        )
    found = found or videos.of_split(dataset, split)
    _tell(found, split)

    def clips(context: tf.distribute.InputContext) -> tf.data.Dataset:
        return pipeline.test_clips(
            dataset,
            split,
            batch_size=batch_size,
            frames=genotype.frames,
            frame_stride=dataset.span // genotype.frames,
            views=chosen.clips,
            crops=chosen.crops,
            crop=chosen.crop(dataset.crop, dataset.test_short_side),
            input_context=context,
        )

    step = tf.function(lambda clip: strategy.run(score, args=(clip,)), autograph=False)
    scores = metrics.VideoScores(chosen.views)
    with console.progress(f"evaluation: {split}, {views}", len(found.names) * chosen.views) as bar:
        for batch in strategy.distribute_datasets_from_function(clips):
            # Every worker gets what all have found, and so comes to the same result.
            probabilities = strategy.gather(step(batch["clip"]), axis=0).numpy()
            numbers = strategy.gather(batch["video"], axis=0).numpy()
            real = numbers != pipeline.NO_VIDEO
            scores.add(probabilities[real], numbers[real])
            bar.advance(int(real.sum()))
    kept = found.first_records()
    return Predictions([found.names[i] for i in kept], found.labels[kept], labels, scores.mean(len(found.names))[kept])


def score_predictions(predicted: Predictions, genotype: Space, dataset: VideoDataset, split: str, views: str) -> dict:
    """Compares predictions with the labels.

    Returns:
      ``split``, ``views``, ``videos`` (their number), ``views_per_video``, ``short_side`` and ``crop`` (pixels),
      ``gmacs_per_view`` and ``gmacs_per_video``, ``top1``, ``top5``, ``mean_class_accuracy`` and ``calibration_error``
      (0 to 1), ``top1_interval`` and ``top5_interval`` (`tsnet_tf.evaluation.metrics.interval`), ``per_class`` (see
      `tsnet_tf.evaluation.metrics.per_class`), ``confusion`` (number of videos, rows are true classes, columns
      predicted ones) and ``labels``.
    """
    chosen = protocol.named(views)
    crop = chosen.crop(dataset.crop, dataset.test_short_side)
    gmacs = complexity(genotype, crop).gmacs
    means, truth, classes = predicted.probabilities, predicted.labels, predicted.classes
    confusion = metrics.confusion_matrix(means.argmax(axis=1), truth, len(classes))
    top1, top5 = (metrics.top_k_accuracy(means, truth, k) for k in (1, 5))
    return {
        "split": split,
        "views": chosen.name,
        "videos": len(truth),
        "views_per_video": chosen.views,
        "short_side": dataset.test_short_side,
        "crop": crop,
        "gmacs_per_view": gmacs,
        "gmacs_per_video": gmacs * chosen.views,
        "top1": top1,
        "top1_interval": metrics.interval(top1, len(truth)),
        "top5": top5,
        "top5_interval": metrics.interval(top5, len(truth)),
        "mean_class_accuracy": metrics.mean_class_accuracy(confusion),
        "calibration_error": metrics.calibration_error(means, truth),
        "per_class": metrics.per_class(confusion, classes),
        "confusion": confusion.tolist(),
        "labels": classes,
    }


def recorded(workdir: str, labels: Sequence[str]) -> dict | None:
    """The accuracy that `evaluation` has left in a run folder; None if it has not been there.

    Raises:
      UserError: it is about other classes than ``labels``.
    """
    path = os.path.join(workdir, RESULT_FILE)
    if not tf.io.gfile.exists(path):
        return None
    with tf.io.gfile.GFile(path) as file:
        result = json.load(file)
    if result["labels"] != list(labels):
        raise UserError(f"expected the evaluation of the model's {len(labels)} classes, found other labels in '{path}'")
    names = ("split", "views", "videos", "top1", "top5", "mean_class_accuracy", "calibration_error")
    return {name: result.get(name) for name in names}


def check_labels(labels: Sequence[str], dataset: VideoDataset) -> None:
    """Compares the names of a model's classes with a data set's.

    Raises:
      UserError: they are not the same in the same order.
    """
    found = dataset.labels()
    if len(labels) != len(found):
        raise UserError(
            f"expected a data set with the model's {len(labels)} classes, found {len(found)} in '{dataset.directory}'"
        )
    for index, (label, other) in enumerate(zip(labels, found, strict=True)):
        if label != other:
            raise UserError(
                f"expected a data set with the model's classes, '{label}' as number {index}, found '{other}' in "
                f"'{dataset.directory}'"
            )


def _tell(found: videos.Videos, split: str) -> None:
    if not found.names:
        raise UserError(f"expected at least one video in the split '{split}', found none")
    for what, names in (("missing", found.missing), ("there more than once and counted once", found.repeated)):
        if names:
            shown = ", ".join(names[:_NAMED_AT_MOST]) + (", ..." if len(names) > _NAMED_AT_MOST else "")
            console.warn(f"{split}: {counted(len(names), 'video', 'are')} {what}: {shown}")
