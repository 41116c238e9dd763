"""What a SavedModel says about a video file. Needs the SavedModel only: no gin, no run folder."""

import json
import os

import numpy as np
import tensorflow as tf

from tsnet_tf import console
from tsnet_tf.data.decode import VideoError, open_video
from tsnet_tf.data.sampling import SPANS, Sampling
from tsnet_tf.errors import UserError
from tsnet_tf.export.saved_model import METADATA_FILE

CLIPS = 10  # uniformly spread over the video, as in the paper's test protocols


def predict(saved_model: str, video: str, k: int = 5) -> list[tuple[str, float]]:
    """Shows and returns the best ``k`` labels of a video file.

    Args:
      saved_model: folder that `tsnet_tf.export.saved_model.export` has written.
      video: path of a video file.
      k: number of labels.

    Returns:
      Labels with their probabilities, the mean over `CLIPS` clips, best first.

    Raises:
      UserError: no such SavedModel, no such file, or it is not a video that can be decoded.
    """
    metadata = _read_metadata(saved_model)
    if not os.path.isfile(video):
        raise UserError(f"--video: expected a video file, found nothing at '{video}'")
    try:
        sampling = Sampling(**metadata.get("sampling", {}))  # earlier models have spans
        views = read_clips(video, metadata["frames"], metadata["frame_stride"], metadata["short_side"], sampling)
    except VideoError as error:
        raise UserError(f"--video: expected a video that can be decoded, found that '{video}' {error}") from error
    loaded = tf.saved_model.load(saved_model)
    serve = loaded.signatures["serving_default"]
    total = 0.0
    with console.progress("prediction", len(views)) as bar:
        for clip in views:
            total += serve(frames=tf.constant(clip[None]))["probabilities"].numpy()[0].astype(np.float64)
            bar.advance()
    mean = total / len(views)
    best = np.argsort(-mean, kind="stable")[:k]
    found = [(metadata["labels"][index], float(mean[index])) for index in best]
    console.table(os.path.basename(video), ["label", "probability"], [(label, f"{p:.3f}") for label, p in found])
    return found


def read_clips(
    video: str, frames: int, frame_stride: int, short_side: int, sampling: Sampling = SPANS
) -> list[np.ndarray]:
    """Decodes the `CLIPS` test views of a video, each uint8 ``[frames, height, width, 3]``.

    Two passes: the first counts, the second keeps the frames that are needed, so a long video needs little memory.

    Raises:
      VideoError: it cannot be decoded.
    """
    with open_video(video, short_side=short_side) as opened:
        length = sum(1 for _ in opened)
        order, rate = opened.even_frames()
    chosen = sampling.test_frames(tf.constant(length), tf.constant(rate), frames, frame_stride, CLIPS)
    indices = np.array(order)[chosen.numpy()]
    wanted = set(indices.ravel().tolist())
    kept = {}
    with open_video(video, short_side=short_side) as opened:
        for index, picture in enumerate(opened):
            if index in wanted:
                kept[index] = picture
    return [np.stack([kept[index] for index in clip]) for clip in indices.tolist()]


def _read_metadata(saved_model: str) -> dict:
    path = os.path.join(saved_model, "assets", METADATA_FILE)
    if not tf.saved_model.contains_saved_model(saved_model) or not tf.io.gfile.exists(path):
        raise UserError(f"--saved_model: expected a folder written by bin/export.py, found none at '{saved_model}'")
    with tf.io.gfile.GFile(path) as file:
        return json.load(file)
