"""Minutes of demo clips: what is shown when is found, and memory does not grow with the length.

The model is made for the purpose: it tells a clip's shape by its tint, so that the test needs no training. What the
demo's trained model finds in such a video stands in docs/performance.md.
"""

import resource

import av
import keras
import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.data import demo_scene, demo_videos
from tsnet_tf.export.predict import Predictor
from tsnet_tf.export.saved_model import export

pytestmark = pytest.mark.slow  # draws and encodes 6,000 frames

SEGMENTS = 75  # of 80 frames at 30 per second: 200 seconds
SHAPES = demo_scene.SHAPES


class Tint(keras.Model):
    """Logits of the shapes: how many pixels are colourful and nearest to the shape's hue."""

    def call(self, clips, training=False):
        hue, saturation, value = tf.unstack(tf.image.rgb_to_hsv(tf.cast(clips, tf.float32) / 255.0), axis=-1)
        colourful = tf.cast((saturation > 0.4) & (value > 0.5), tf.float32)
        nearest = tf.one_hot(tf.cast(tf.round(hue * len(SHAPES)), tf.int32) % len(SHAPES), len(SHAPES))
        counts = tf.reduce_sum(nearest * colourful[..., None], [1, 2, 3])
        return 10.0 * counts / (tf.reduce_sum(counts, -1, keepdims=True) + 1.0)


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("tint") / "saved_model")
    export(Tint(), SHAPES, folder, frames=4, frame_stride=8, short_side=32, crop=32)
    return Predictor(folder)


def write_film(path, segments):
    """Writes demo videos one after the other; the shape that each shows."""
    draw, shown = np.random.default_rng(0), []
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=demo_scene.FRAME_RATE, options={"preset": "veryfast"})
        stream.height, stream.width, stream.pix_fmt = demo_scene.HEIGHT, demo_scene.WIDTH, "yuv420p"
        for index in range(segments):
            label = demo_videos.CLASSES[draw.integers(len(demo_videos.CLASSES))]
            shape, motion = label.split("_", 1)
            for frame in demo_videos.draw_video(0, demo_videos.Video("test", shape, motion, index)):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            shown.append(shape)
        container.mux(stream.encode())
    return shown


def peak_megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_minutes(predictor, tmp_path):
    write_film(tmp_path / "short.mp4", 5)
    shown = write_film(tmp_path / "film.mp4", SEGMENTS)
    predictor.predict(str(tmp_path / "short.mp4"))
    before = peak_megabytes()
    result = predictor.predict(str(tmp_path / "film.mp4"))
    assert peak_megabytes() - before < 45  # its 6,000 frames are 92 MB
    assert result["seconds"] == pytest.approx(200)
    length = demo_scene.FRAMES / demo_scene.FRAME_RATE
    middles = [(index + 0.5) * length for index in range(SEGMENTS)]
    found = [next(row["label"] for row in result["timeline"] if row["start"] <= t < row["end"]) for t in middles]
    right = np.mean([label == shape for label, shape in zip(found, shown, strict=True)])
    print(f"{right:.1%} of the segments, {peak_megabytes() - before:.0f} MB more")
    assert right >= 0.9
    assert [row["start"] for row in result["timeline"][1:]] == [row["end"] for row in result["timeline"][:-1]]
