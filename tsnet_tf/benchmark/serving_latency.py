"""What an exported model takes to answer: latency and throughput, with batch normalisation folded and not."""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tsnet_tf.benchmark.machine import interleaved_seconds, median_ratio
from tsnet_tf.export import saved_model
from tsnet_tf.models.folding import fold
from tsnet_tf.models.two_stream import TwoStreamModel


def measure(model: TwoStreamModel, batch_sizes: Sequence[int], repeats: int) -> list[dict]:
    """Exports a model twice and asks both, in turn, about random frames.

    The frames are 16 : 9 with the short side of the test, 8 : 7 of the crop, as those of prepared records:
    preprocessing is a crop, and for JPEG frames decoding.

    Args:
      model: a fixed model.
      batch_sizes: clips per request.
      repeats: requests of each kind, interleaved.

    Returns:
      For each batch size: ``batch_size``; median milliseconds of a request ``unfolded``, ``folded`` and, folded with
      JPEG frames, ``jpeg``; ``unfolded_to_folded``, the median of paired ratios; ``clips_per_second`` of the folded
      model.
    """
    space = model.space
    short_side = round(space.resolution * 8 / 7)
    with tempfile.TemporaryDirectory() as folder:
        loaded = {}
        for name, one in (("unfolded", model), ("folded", fold(model))):
            saved_model.export(
                one,
                [f"class {index}" for index in range(space.classes)],
                os.path.join(folder, name),
                frames=space.frames,
                frame_stride=1,
                short_side=short_side,
                crop=space.resolution,
            )
            loaded[name] = tf.saved_model.load(os.path.join(folder, name))
        return [_row(loaded, space.frames, short_side, batch_size, repeats) for batch_size in batch_sizes]


def _row(loaded: dict, frames: int, short_side: int, batch_size: int, repeats: int) -> dict:
    shape = (batch_size, frames, short_side, round(short_side * 16 / 9), 3)
    clips = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    pixels = tf.constant(clips)
    jpegs = tf.constant([[tf.io.encode_jpeg(frame, quality=95).numpy() for frame in clip] for clip in clips])

    def ask(name: str, signature: str, **inputs: tf.Tensor) -> np.ndarray:
        return loaded[name].signatures[signature](**inputs)["probabilities"].numpy()

    seconds = interleaved_seconds(
        {
            "unfolded": lambda: ask("unfolded", "serving_default", frames=pixels),
            "folded": lambda: ask("folded", "serving_default", frames=pixels),
            "jpeg": lambda: ask("folded", "jpeg", encoded_frames=jpegs),
        },
        repeats,
    )
    return {
        "batch_size": batch_size,
        **{name: 1e3 * statistics.median(found) for name, found in seconds.items()},
        "unfolded_to_folded": median_ratio(seconds["unfolded"], seconds["folded"]),
        "clips_per_second": batch_size / statistics.median(seconds["folded"]),
    }
