"""The few clips that are shown: mistakes among them, every class before any comes again, the right videos."""

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.errors import UserError
from tsnet_tf.evaluation import samples
from tsnet_tf.evaluation.evaluate import evaluation
from tsnet_tf.evaluation.predictions import Predictions


def predicted(labels, said):
    probabilities = np.full((len(labels), 3), 0.1)
    probabilities[np.arange(len(labels)), said] = 0.8
    names = [f"{row}.mp4" for row in range(len(labels))]
    return Predictions(names, np.array(labels), ["a", "b", "c"], probabilities)


def test_half_are_wrong_and_classes_take_turns(monkeypatch):
    monkeypatch.setattr(samples, "TAKEN", 4)
    # rows:                    0  1  2  3  4  5  6  7
    found = predicted(labels=[0, 0, 0, 1, 2, 0, 0, 1], said=[0, 0, 0, 1, 2, 1, 1, 0])
    # Wrong are 5, 6 (class a) and 7 (class b): one of each class first. Right are 0, 1, 2 (a), 3 (b), 4 (c).
    assert samples.choose(found, list(range(8))) == [0, 3, 5, 7]
    assert samples.choose(found, [0, 1, 2, 3, 4]) == [0, 1, 3, 4]
    assert samples.choose(found, [6]) == [6]
    # One right: three wrong beside it, and all four where none is.
    assert samples.choose(found, [0, 5, 6, 7]) == [0, 5, 6, 7]
    none_right = predicted(labels=[0, 0, 0, 1, 2], said=[1, 1, 1, 0, 0])
    assert samples.choose(none_right, [0, 1, 2, 3, 4]) == [0, 1, 3, 4]


def test_evaluation_leaves_clips_of_the_videos_it_names(dataset, brightness, tmp_path):
    one_device = tf.distribute.OneDeviceStrategy("CPU:0")
    evaluation(brightness, ["dark", "light"], dataset, one_device, str(tmp_path), views="3-center")
    found = samples.parse((tmp_path / "predictions" / "test_3-center_samples.npz").read_bytes())
    assert found.videos == ["a.mp4", "b.mp4", "c.mp4"]
    assert found.labels == ["dark", "light", "dark"] and found.predicted == ["dark", "light", "light"]
    np.testing.assert_allclose(found.probabilities, 1 / (1 + np.exp(-10)), rtol=1e-5)
    assert found.clips.shape == (3, 8, 24, 24, 3)
    np.testing.assert_allclose(found.clips.mean(axis=(1, 2, 3, 4)), [0, 255, 255], atol=2)


def test_other_contents_are_refused():
    with pytest.raises(UserError, match="expected the samples of bin/evaluate.py, found: "):
        samples.parse(b"something else")
