"""Minutes of one clip after another: what is shown when is found, and memory does not grow with the length.

The model is made for the purpose: it tells clips by their tint, so that the test needs no training.
"""

import colorsys
import resource

import av
import keras
import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.export.predict import Predictor
from tsnet_tf.export.saved_model import export

pytestmark = pytest.mark.slow  # draws and encodes 6,000 frames

SEGMENTS = 75  # of 80 frames at 30 per second: 200 seconds
LENGTH, RATE, HEIGHT, WIDTH = 80, 30, 48, 60  # frames of a segment, frames per second, pixels
TINTS = ("red", "lime", "cyan", "violet")  # at equal distances of hue


class Tint(keras.Model):
    """Logits of the tints: how many pixels are colourful and nearest to its hue."""

    def call(self, clips, training=False):
        hue, saturation, value = tf.unstack(tf.image.rgb_to_hsv(tf.cast(clips, tf.float32) / 255.0), axis=-1)
        colourful = tf.cast((saturation > 0.4) & (value > 0.5), tf.float32)
        nearest = tf.one_hot(tf.cast(tf.round(hue * len(TINTS)), tf.int32) % len(TINTS), len(TINTS))
        counts = tf.reduce_sum(nearest * colourful[..., None], [1, 2, 3])
        return 10.0 * counts / (tf.reduce_sum(counts, -1, keepdims=True) + 1.0)


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("tint") / "saved_model")
    export(Tint(), TINTS, folder, frames=4, frame_stride=8, short_side=32, crop=32)
    return Predictor(folder)


def write_film(path, segments):
    """Writes segments of grey noise with a square of one tint that wanders; the tint of each."""
    draw, shown = np.random.default_rng(0), []
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        for _ in range(segments):
            tint = draw.integers(len(TINTS))
            color = 255 * np.array(colorsys.hsv_to_rgb(tint / len(TINTS), 0.8, 1.0))
            for number in range(LENGTH):
                frame = np.repeat(draw.integers(60, 100, (HEIGHT, WIDTH, 1), np.uint8), 3, axis=2)
                place = 4 + number // 4
                frame[place : place + 20, place + 8 : place + 28] = color
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            shown.append(TINTS[tint])
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
    length = LENGTH / RATE
    middles = [(index + 0.5) * length for index in range(SEGMENTS)]
    found = [next(row["label"] for row in result["timeline"] if row["start"] <= t < row["end"]) for t in middles]
    right = np.mean([label == tint for label, tint in zip(found, shown, strict=True)])
    print(f"{right:.1%} of the segments, {peak_megabytes() - before:.0f} MB more")
    assert right >= 0.9
    assert [row["start"] for row in result["timeline"][1:]] == [row["end"] for row in result["timeline"][:-1]]
