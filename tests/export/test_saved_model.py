"""The SavedModel answers as the model does, and without this package."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.data.demo_videos import write_video
from tsnet_tf.data.sampling import Sampling
from tsnet_tf.errors import UserError
from tsnet_tf.export.predict import predict, read_clips
from tsnet_tf.export.saved_model import export, preprocess

LABELS = ["green", "none", "red"]
SETTINGS = {"frames": 2, "frame_stride": 3, "short_side": 8, "crop": 6}


class Reddest(keras.Model):
    """Logits: mean green, 0, mean red of the clip; a model with one weight whose answer is plain to see."""

    def __init__(self):
        super().__init__()
        self.gain = self.add_weight(name="gain", shape=(), initializer="ones")

    def call(self, clips, training=False):
        mean = tf.reduce_mean(tf.cast(clips, tf.float32), axis=[1, 2, 3]) / 255.0
        return self.gain * tf.stack([mean[:, 1], tf.zeros_like(mean[:, 0]), mean[:, 0]], axis=1)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    output = str(tmp_path_factory.mktemp("export") / "saved_model")
    export(Reddest(), LABELS, output, **SETTINGS)
    return output


def frames_of(colour, batch=1, frames=2, height=12, width=16):
    return np.broadcast_to(np.array(colour, np.uint8), (batch, frames, height, width, 3)).copy()


def test_signature_gives_softmax_and_labels(saved):
    loaded = tf.saved_model.load(saved)
    answer = loaded.signatures["serving_default"](frames=tf.constant(frames_of([255, 0, 0], batch=3)))
    # Logits (0, 0, 1): softmax (1, 1, e) / (2 + e).
    np.testing.assert_allclose(answer["probabilities"][0], np.array([1, 1, np.e]) / (2 + np.e), rtol=1e-5)
    assert answer["probabilities"].shape == (3, 3)
    assert answer["top_k_labels"][0, 0].numpy() == b"red"
    np.testing.assert_allclose(answer["top_k_scores"][0, 0], np.e / (2 + np.e), rtol=1e-5)


@pytest.mark.parametrize("height, width", [(8, 8), (30, 20), (17, 41)])
def test_any_size_of_frame_is_taken(saved, height, width):
    loaded = tf.saved_model.load(saved)
    clip = frames_of([0, 255, 0], height=height, width=width)
    answer = loaded.signatures["serving_default"](frames=tf.constant(clip))
    assert answer["top_k_labels"][0, 0].numpy() == b"green"


def test_preprocess_takes_the_centre_of_the_longer_side():
    # 4 x 8 pixels, columns 0..7; the short side is 4 already, so the centre crop is rows 0..3, columns 2..5.
    clip = np.broadcast_to(np.arange(8, dtype=np.uint8)[None, None, None, :, None], (1, 2, 4, 8, 3))
    out = preprocess(tf.constant(clip), short_side=4, crop=4)
    assert out.shape == (1, 2, 4, 4, 3)
    assert out[0, 0, 0, :, 0].numpy().tolist() == [2, 3, 4, 5]


def test_much_larger_frames_are_smoothed_not_sampled():
    # Stripes one pixel wide, black and white, at 16 times the size: their mean, and no pattern.
    stripes = np.broadcast_to(np.array([0, 255], np.uint8)[np.arange(128) % 2, None], (1, 2, 128, 128, 3))
    out = preprocess(tf.constant(stripes), short_side=8, crop=8).numpy()
    assert np.abs(out[:, :, :, 1:-1].astype(int) - 127).max() <= 4


def test_assets_say_what_a_client_needs(saved):
    assert open(os.path.join(saved, "assets", "labels.txt")).read().split() == LABELS
    assert json.load(open(os.path.join(saved, "assets", "metadata.json"))) == {
        **SETTINGS,
        "labels": LABELS,
        "sampling": {"segments": None, "short_videos": "hold", "frame_rate": None},
    }


def test_loads_where_this_package_and_keras_cannot_be_imported(saved, tmp_path):
    program = f"""
import sys
sys.modules["tsnet_tf"] = None  # makes every import of it fail
sys.modules["keras"] = None
import numpy as np
import tensorflow as tf
answer = tf.saved_model.load({saved!r}).signatures["serving_default"](
    frames=tf.constant(np.full([1, 2, 9, 9, 3], [0, 255, 0], np.uint8)))
assert not any(name.startswith("tsnet_tf.") for name in sys.modules)
print(answer["top_k_labels"][0, 0].numpy().decode())
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "green", done.stderr[-2000:]


def test_earlier_saved_model_is_replaced_and_nothing_is_left_over(tmp_path):
    output = str(tmp_path / "model")
    export(Reddest(), LABELS, output, **SETTINGS)
    export(Reddest(), ["a", "b", "c"], output, **SETTINGS)
    assert os.listdir(tmp_path) == ["model"]
    assert json.load(open(os.path.join(output, "assets", "metadata.json")))["labels"] == ["a", "b", "c"]


def test_other_folder_is_never_overwritten(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("...")
    with pytest.raises(UserError, match="expected a new folder or an earlier SavedModel, found something else"):
        export(Reddest(), LABELS, str(tmp_path / "thesis"), **SETTINGS)
    assert os.listdir(tmp_path) == ["thesis"]


def test_clips_spread_over_the_video(tmp_path):
    # 24 frames whose brightness is 10 x their number; a clip of 2 frames at stride 3 spans 6 of them, so that the ten
    # starts go from 0 to 18 in steps of 2.
    video = str(tmp_path / "ramp.mp4")
    write_video(video, np.broadcast_to(np.arange(0, 240, 10, np.uint8)[:, None, None, None], (24, 32, 32, 3)))
    clips = read_clips(video, frames=2, frame_stride=3, short_side=16)
    assert [clip.shape for clip in clips] == [(2, 16, 16, 3)] * 10
    found = np.round([clip.mean(axis=(1, 2, 3)) / 10 for clip in clips])
    assert found.tolist() == [[start, start + 3] for start in range(0, 19, 2)]


def test_a_video_is_sampled_as_the_model_was_trained(tmp_path):
    # 20 frames in 2 segments of 10; ten views take the 1st to the 10th frame of each.
    video = str(tmp_path / "ramp.mp4")
    write_video(video, np.broadcast_to(np.arange(0, 200, 10, np.uint8)[:, None, None, None], (20, 32, 32, 3)))
    clips = read_clips(video, frames=2, frame_stride=3, short_side=16, sampling=Sampling(segments=2))
    found = np.round([clip.mean(axis=(1, 2, 3)) / 10 for clip in clips])
    assert found.tolist() == [[view, view + 10] for view in range(10)]


def test_predicts_a_video_file(saved, tmp_path):
    video = str(tmp_path / "red.mp4")
    write_video(video, frames_of([255, 0, 0], frames=12, height=32, width=48)[0])
    found = predict(saved, video)
    assert [label for label, _ in found][0] == "red"
    assert sum(p for _, p in found) == pytest.approx(1)


def test_missing_video_is_a_users_mistake(saved):
    with pytest.raises(UserError, match="--video: expected a video file, found nothing at 'no.mp4'"):
        predict(saved, "no.mp4")


def test_unreadable_video_is_a_users_mistake(saved, tmp_path):
    (tmp_path / "text.mp4").write_text("not a video")
    with pytest.raises(
        UserError, match="expected a video that can be decoded, found that .*text.mp4' cannot be opened"
    ):
        predict(saved, str(tmp_path / "text.mp4"))


def test_folder_without_saved_model_is_a_users_mistake(tmp_path):
    with pytest.raises(UserError, match="--saved_model: expected a folder written by bin/export.py, found none at"):
        predict(str(tmp_path), "any.mp4")
