"""Every published architecture is a model: it runs at its own input size, and is what it was after saving."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.evaluation.recalibration import recalibrate
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.space import genotype
from tsnet_tf.training import run_folder

MARKS = {"x3d_xs": ()}  # all others are larger


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=MARKS.get(n, [pytest.mark.nightly])) for n in genotype.archived()]
)
def test_runs_and_survives_saving(tmp_path, draw_clips, perturbed, name):
    keras.utils.set_random_seed(0)
    space = genotype.load(name)
    model, clips = perturbed(TwoStreamModel(space)), draw_clips(space, 1)
    recalibrate(model, tf.data.Dataset.from_tensors(clips), batches=1)  # GloRe is cubic: no training, no measure
    expected = model(clips).numpy()
    assert expected.shape == (1, 400) and np.isfinite(expected).all() and np.ptp(expected) > 0
    (tmp_path / "labels.json").write_text(json.dumps([str(i) for i in range(400)]))
    run_folder.finish(str(tmp_path), model, {"step": "training"})
    again, same_space, labels = run_folder.load_trained(str(tmp_path))
    assert same_space == space and len(labels) == 400
    np.testing.assert_array_equal(again(clips), expected)
