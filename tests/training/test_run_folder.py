"""What a finished run leaves behind is what the next one picks up."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.errors import UserError
from tsnet_tf.models.inheritance import named_weights
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.space import genotype
from tsnet_tf.space.cost import largest
from tsnet_tf.space.table1 import table1
from tsnet_tf.training import run_folder

SPACE = largest(
    table1(
        sparse_width=0.125,
        dense_width=0.25,
        depths=((1,), (1,)),
        resolution=32,
        sparse_frames=2,
        dense_frames=4,
        hidden=8,
        classes=3,
        glore_ratio=0.5,
    )
)


def test_every_weight_comes_back(tmp_path):
    model = TwoStreamModel(SPACE)
    random = np.random.default_rng(0)
    for weight in named_weights(model).values():
        weight.assign(random.uniform(0.5, 1.5, weight.shape))
    (tmp_path / "labels.json").write_text(json.dumps(["a", "b", "c"]))
    run_folder.finish(str(tmp_path), model, {"step": "train"})

    loaded, space, labels = run_folder.load_trained(str(tmp_path))
    assert space == SPACE and labels == ["a", "b", "c"]
    written, read = named_weights(model), named_weights(loaded)
    assert written.keys() == read.keys()
    assert any("moving_variance" in name for name in read)
    for name, weight in written.items():
        np.testing.assert_array_equal(np.array(read[name]), np.array(weight), err_msg=name)
    clips = tf.random.stateless_uniform([2, 4, 32, 32, 3], [0, 0], 0, 255)
    np.testing.assert_array_equal(loaded(clips), model(clips))


def test_a_folder_without_a_finished_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="expected the folder of a finished run, found no summary.json in it"):
        run_folder.load_trained(str(tmp_path))


@pytest.fixture
def finished(tmp_path):
    (tmp_path / "labels.json").write_text(json.dumps(["a", "b", "c"]))
    run_folder.finish(str(tmp_path), TwoStreamModel(SPACE), {"step": "train"})
    return tmp_path


def test_labels_that_are_not_the_models_are_refused(finished):
    (finished / "labels.json").write_text(json.dumps(["a", "b"]))
    with pytest.raises(UserError, match="expected a label for each of the genotype's 3 classes in '.*', found 2"):
        run_folder.load_trained(str(finished))


def test_weights_of_another_genotype_are_refused(finished):
    with_more_classes = dataclasses.replace(SPACE, classes=4)
    (finished / "genotype.json").write_text(genotype.dumps(with_more_classes))
    (finished / "labels.json").write_text(json.dumps(["a", "b", "c", "d"]))
    with pytest.raises(UserError, match="expected weights of the genotype in '.*final', found: .*"):
        run_folder.load_trained(str(finished))


def test_a_checkpoint_that_is_not_there_is_refused(finished):
    for path in (finished / "checkpoints").iterdir():
        path.unlink()
    with pytest.raises(UserError, match="expected weights of the genotype in '.*final', found: "):
        run_folder.load_trained(str(finished))
