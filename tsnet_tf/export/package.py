"""Everything that is shipped of a trained model, in one folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from tsnet_tf import console
from tsnet_tf.data import pipeline
from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.errors import UserError
from tsnet_tf.evaluation import evaluate
from tsnet_tf.export import lite, saved_model
from tsnet_tf.models.folding import fold
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.space import genotype
from tsnet_tf.space.cost import complexity

CALIBRATION_CLIPS = 128
LITE_VIEWS = "1-center"


def package(
    model: TwoStreamModel,
    labels: Sequence[str],
    dataset: VideoDataset,
    output: str,
    *,
    accuracy: dict | None,
    precisions: Sequence[str] = (),
    train_split: str = "train",
    test_split: str = "test",
) -> None:
    """Folds batch normalisation, and writes a SavedModel with the model in other formats beside it.

    Args:
      model: a fixed model.
      labels: names of its classes.
      dataset: the sizes and frames the model was trained and tested at; if it is there, its labels must be the
        model's; its records are read only if there are ``precisions``.
      output: folder of the SavedModel (`tsnet_tf.export.saved_model.export`).
      accuracy: what is known about it, for ``metadata.json``.
      precisions: of LiteRT models to be made and tested (`tsnet_tf.export.formats.PRECISIONS`).
      train_split: split that the clips for the calibration of "int8" are taken from.
      test_split: split that the LiteRT models are tested on.

    Raises:
      UserError: model, labels and data set do not fit together, or ``output`` holds something else.
    """
    space, folded = model.space, fold(model)
    stride, left_over = divmod(dataset.span, space.frames)
    if left_over:
        raise UserError(
            f"expected a data set whose span the model's {space.frames} frames divide, found "
            f"{dataset.dense_frames} x {dataset.dense_stride} source frames"
        )
    if precisions or tf.io.gfile.exists(dataset.directory):
        evaluate.check_labels(labels, dataset)
    if precisions:
        dataset.check_splits({"--lite": (train_split, test_split)})
    lite_files, lite_accuracy = {}, {}
    for precision in precisions:
        clips = _calibration_clips(dataset, train_split, space.frames, stride)
        content = lite.convert(folded, precision, frames=space.frames, crop=dataset.crop, calibration=clips)
        lite_files[f"{precision}.tflite"] = content
        score = _in_graph(lite.interpreter(content), len(labels))
        predicted = evaluate.predict_videos(score, space, dataset, test_split, LITE_VIEWS, batch_size=16)
        scores = evaluate.score_predictions(predicted, space, dataset, test_split, LITE_VIEWS)
        lite_accuracy[precision] = {
            **{name: scores[name] for name in ("split", "views", "videos", "top1", "top5")},
            "bytes": len(content),
        }
    cost = complexity(space, dataset.crop)
    saved_model.export(
        folded,
        labels,
        output,
        frames=space.frames,
        frame_stride=stride,
        short_side=dataset.test_short_side,
        crop=dataset.crop,
        sampling=dataset.frame_sampling,
        about={
            "genotype": json.loads(genotype.dumps(space)),
            "gmacs": cost.gmacs,
            "params_m": cost.params_m,
            "data_set": os.path.basename(os.path.normpath(dataset.directory)),
            "accuracy": accuracy,
            "lite": lite_accuracy,
        },
        extra={"model.keras": saved_model.keras_archive(model), **lite_files},
    )
    if lite_accuracy:
        console.table(
            f"LiteRT, {LITE_VIEWS}",
            ["precision", "megabytes", "top-1 %", "top-5 %"],
            [
                [precision, f"{row['bytes'] / 1e6:.2f}", f"{100 * row['top1']:.1f}", f"{100 * row['top5']:.1f}"]
                for precision, row in lite_accuracy.items()
            ],
        )
    console.say(f"SavedModel with {len(labels)} classes, {space.frames} frames of {dataset.crop} pixels: {output}")
    if accuracy is None:
        console.warn("the SavedModel does not say how good it is: run bin/evaluate.py before bin/export.py")


def _calibration_clips(dataset: VideoDataset, split: str, frames: int, stride: int) -> Iterator[np.ndarray]:
    """Training clips, uint8 ``[frames, crop, crop, 3]`` each."""
    clips = pipeline.train_clips(
        dataset, (split,), batch_size=1, frames=frames, frame_stride=stride, seed=0, soft_labels=True
    )
    return (clip[0].numpy() for clip, _ in clips.take(CALIBRATION_CLIPS))


def _in_graph(predict, classes: int) -> evaluate.Score:
    """``predict``, from NumPy to NumPy, as a TensorFlow operation."""

    def score(clips: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(predict, [clips], tf.float32), [None, classes])

    return score
