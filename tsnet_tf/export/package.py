"""Everything that is shipped of a trained model, in one folder."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

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
from tsnet_tf.space.two_stream import Space

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
    lite_models = {precision: _lite_model(folded, precision, dataset, train_split) for precision in precisions}
    tested = {precision: _test(content, space, dataset, test_split) for precision, content in lite_models.items()}
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
            "lite": tested,
        },
        extra={
            "model.keras": saved_model.keras_archive(model),
            **{f"{precision}.tflite": content for precision, content in lite_models.items()},
        },
    )
    if tested:
        _show(tested)
    console.say(f"SavedModel with {len(labels)} classes, {space.frames} frames of {dataset.crop} pixels: {output}")
    if accuracy is None:
        console.warn("the SavedModel does not say how good it is: run bin/evaluate.py before bin/export.py")


def _lite_model(folded: TwoStreamModel, precision: str, dataset: VideoDataset, split: str) -> bytes:
    """The content of a LiteRT model's file, calibrated with the split's training clips if the precision needs some."""
    frames = folded.space.frames
    clips = pipeline.train_clips(
        dataset,
        (split,),
        batch_size=1,
        frames=frames,
        frame_stride=dataset.span // frames,
        seed=0,
        soft_labels=True,
    )
    calibration = (clip[0].numpy() for clip, _ in clips.take(CALIBRATION_CLIPS))
    return lite.convert(folded, precision, frames=frames, crop=dataset.crop, calibration=calibration)


def _test(content: bytes, space: Space, dataset: VideoDataset, split: str) -> dict:
    """What ``metadata.json`` says of a LiteRT model: what it reaches on a split, and the size of its file."""
    score = _in_graph(lite.interpreter(content), space.classes)
    predicted = evaluate.predict_videos(score, space, dataset, split, LITE_VIEWS, batch_size=16)
    scores = evaluate.score_predictions(predicted, space, dataset, split, LITE_VIEWS)
    kept = ("split", "views", "videos", "top1", "top5")
    return {**{name: scores[name] for name in kept}, "bytes": len(content)}


def _in_graph(predict, classes: int) -> evaluate.Score:
    """``predict``, from NumPy to NumPy, as a TensorFlow operation."""

    def score(clips: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(predict, [clips], tf.float32), [None, classes])

    return score


def _show(tested: dict[str, dict]) -> None:
    console.table(
        f"LiteRT, {LITE_VIEWS}",
        ["precision", "megabytes", "top-1 %", "top-5 %"],
        [
            [precision, f"{row['bytes'] / 1e6:.2f}", f"{100 * row['top1']:.1f}", f"{100 * row['top5']:.1f}"]
            for precision, row in tested.items()
        ],
    )
