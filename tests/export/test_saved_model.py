"""The SavedModel answers as the model does, and without this package."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import tsnet_tf
from tsnet_tf.errors import UserError
from tsnet_tf.export.preprocessing import from_pixels
from tsnet_tf.export.saved_model import export


def frames_of(colour, batch=1, frames=2, height=12, width=16):
    return np.broadcast_to(np.array(colour, np.uint8), (batch, frames, height, width, 3)).copy()


def jpegs_of(clips):
    return tf.constant([[tf.io.encode_jpeg(frame, quality=100).numpy() for frame in clip] for clip in clips])


def test_signature_gives_softmax_and_labels(saved):
    loaded = tf.saved_model.load(saved)
    answer = loaded.signatures["serving_default"](frames=tf.constant(frames_of([255, 0, 0], batch=3)))
    # Logits (0, 0, 1): softmax (1, 1, e) / (2 + e).
    np.testing.assert_allclose(answer["probabilities"][0], np.array([1, 1, np.e]) / (2 + np.e), rtol=1e-5)
    assert answer["probabilities"].shape == (3, 3)
    assert answer["top_k_labels"][0, 0].numpy() == b"red"
    np.testing.assert_allclose(answer["top_k_scores"][0, 0], np.e / (2 + np.e), rtol=1e-5)


@pytest.mark.parametrize("height, width", [(8, 8), (30, 20), (17, 41), (1, 1)])
def test_any_size_of_frame_is_taken(saved, height, width):
    loaded = tf.saved_model.load(saved)
    clip = frames_of([0, 255, 0], height=height, width=width)
    answer = loaded.signatures["serving_default"](frames=tf.constant(clip))
    assert answer["top_k_labels"][0, 0].numpy() == b"green"


def test_jpeg_signature_gives_the_same_answer(saved):
    signatures = tf.saved_model.load(saved).signatures
    encoded = jpegs_of(np.random.default_rng(0).integers(0, 256, (3, 2, 20, 30, 3), np.uint8))
    decoded = np.array([[tf.io.decode_jpeg(f, dct_method="INTEGER_ACCURATE") for f in clip] for clip in encoded])
    found, expected = signatures["jpeg"](encoded_frames=encoded), signatures["serving_default"](frames=decoded)
    for name in ("probabilities", "top_k_labels", "top_k_scores"):
        np.testing.assert_array_equal(found[name], expected[name])


def test_jpeg_frames_may_differ_in_size(saved):
    sizes = [(20, 30), (9, 8), (8, 8), (50, 64)]
    files = [tf.io.encode_jpeg(frames_of([255, 0, 0], height=h, width=w)[0, 0], quality=100).numpy() for h, w in sizes]
    answer = tf.saved_model.load(saved).signatures["jpeg"](encoded_frames=tf.constant([files[:2], files[2:]]))
    assert answer["top_k_labels"][:, 0].numpy().tolist() == [b"red", b"red"]


def test_preprocessing_takes_the_centre_of_the_longer_side():
    # 4 x 8 pixels, columns 0..7; the short side is 4 already, so the centre crop is rows 0..3, columns 2..5.
    clip = np.broadcast_to(np.arange(8, dtype=np.uint8)[None, None, None, :, None], (1, 2, 4, 8, 3))
    out = from_pixels(tf.constant(clip), clip_frames=2, short_side=4, crop=4)
    assert out.shape == (1, 2, 4, 4, 3)
    assert out[0, 0, 0, :, 0].numpy().tolist() == [2, 3, 4, 5]


def test_much_larger_frames_are_smoothed_not_sampled():
    # Stripes one pixel wide, black and white, at 16 times the size: their mean, and no pattern.
    stripes = np.broadcast_to(np.array([0, 255], np.uint8)[np.arange(128) % 2, None], (1, 2, 128, 128, 3))
    out = from_pixels(tf.constant(stripes), clip_frames=2, short_side=8, crop=8).numpy()
    assert np.abs(out[:, :, :, 1:-1].astype(int) - 127).max() <= 4


def test_assets_say_what_a_client_needs(saved, reddest):
    _, labels, settings = reddest
    assert open(os.path.join(saved, "assets", "labels.txt")).read().split() == labels
    metadata = json.load(open(os.path.join(saved, "assets", "metadata.json")))
    assert {**metadata, **settings, "labels": labels} == metadata
    assert metadata["versions"]["tensorflow"] == tf.__version__
    assert metadata["versions"]["tsnet_tf"] == tsnet_tf.__version__
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=os.path.dirname(__file__))
    in_repository = head.returncode == 0
    assert (metadata["git_revision"] or "").startswith(head.stdout.strip()) if in_repository else True


def test_files_beside_the_model(reddest, tmp_path):
    model, labels, settings = reddest
    output = str(tmp_path / "model")
    export(model, labels, output, **settings, about={"gmacs": 1.5}, extra={"a.bin": b"12", "b.bin": b""})
    assert json.load(open(os.path.join(output, "assets", "metadata.json")))["gmacs"] == 1.5
    assert open(os.path.join(output, "assets.extra", "a.bin"), "rb").read() == b"12"
    tf.saved_model.load(output)


def test_loads_where_this_package_and_keras_cannot_be_imported(saved, tmp_path):
    program = f"""
import sys
sys.modules["tsnet_tf"] = None  # makes every import of it fail
sys.modules["keras"] = None
import numpy as np
import tensorflow as tf
signatures = tf.saved_model.load({saved!r}).signatures
clip = np.full([1, 2, 9, 9, 3], [0, 255, 0], np.uint8)
answer = signatures["serving_default"](frames=tf.constant(clip))
files = [[tf.io.encode_jpeg(frame).numpy() for frame in clip[0]]]
assert not any(name.startswith("tsnet_tf.") for name in sys.modules)
print(answer["top_k_labels"][0, 0].numpy().decode())
print(signatures["jpeg"](encoded_frames=tf.constant(files))["top_k_labels"][0, 0].numpy().decode())
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["green", "green"], done.stderr[-2000:]


def test_the_command_line_of_tensorflow_runs_it(saved, tmp_path):
    np.save(tmp_path / "clip.npy", frames_of([255, 0, 0]))
    command = ["run", f"--dir={saved}", "--tag_set=serve", "--signature_def=serving_default"]
    done = subprocess.run(
        [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli", *command, "--inputs=frames=clip.npy"],
        cwd=tmp_path,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "b'red'" in done.stdout and "0.576" in done.stdout  # e / (2 + e)


def test_earlier_saved_model_is_replaced_and_nothing_is_left_over(reddest, tmp_path):
    model, labels, settings = reddest
    output = str(tmp_path / "model")
    export(model, labels, output, **settings)
    export(model, ["a", "b", "c"], output, **settings)
    assert os.listdir(tmp_path) == ["model"]
    assert json.load(open(os.path.join(output, "assets", "metadata.json")))["labels"] == ["a", "b", "c"]


def test_a_kill_while_an_earlier_saved_model_is_replaced_leaves_one_that_is_whole(reddest, tmp_path, monkeypatch):
    model, labels, settings = reddest
    output = str(tmp_path / "model")
    export(model, labels, output, **settings)

    def killed(folder):
        os.remove(os.path.join(folder, "saved_model.pb"))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(tf.io.gfile, "rmtree", killed)
        export(model, ["a", "b", "c"], output, **settings)
    tf.saved_model.load(output)
    export(model, ["a", "b", "c"], output, **settings)


def test_other_folder_is_never_overwritten(reddest, tmp_path):
    model, labels, settings = reddest
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("...")
    with pytest.raises(UserError, match="expected a new folder or an earlier SavedModel, found something else"):
        export(model, labels, str(tmp_path / "thesis"), **settings)
    assert os.listdir(tmp_path) == ["thesis"]


def test_more_labels_than_logits_are_refused(reddest, tmp_path):
    model, labels, settings = reddest
    with pytest.raises(UserError, match="expected a label for each of the model's 3 classes, found 4"):
        export(model, [*labels, "blue"], str(tmp_path / "model"), **settings)
    assert os.listdir(tmp_path) == []
