"""Run folders whose names TensorFlow takes for patterns are refused before anything is saved or believed."""

import keras
import pytest
import tensorflow as tf

from tsnet_tf.errors import UserError
from tsnet_tf.layers.glore import GloRe
from tsnet_tf.training import checkpoints, run_folder

NAMES = ["[exp 1] lr=0.1", "run*", "run?", "run\\1"]


@pytest.fixture
def state():
    return tf.train.Checkpoint(step=tf.Variable(0, dtype=tf.int64), value=tf.Variable(1.0))


@pytest.mark.parametrize("name", NAMES)
def test_folder_with_a_pattern_is_refused(tmp_path, state, name):
    (tmp_path / name).mkdir()
    for refused in (
        lambda: checkpoints.manager(state, str(tmp_path / name), state.step, 1),
        lambda: checkpoints.restore_latest(state, str(tmp_path / name), "training"),
        lambda: run_folder.start(str(tmp_path / name), None, {}),
        lambda: run_folder.load_trained(str(tmp_path / name)),
    ):
        with pytest.raises(UserError, match="expected a path without .*; rename it"):
            refused()
    assert not list((tmp_path / name).iterdir())


def test_checkpoints_of_a_neighbour_are_left_alone(tmp_path, state):
    """TensorFlow's own manager in "run*" deletes what "run2" has of the same numbers."""
    neighbour = checkpoints.manager(state, str(tmp_path / "run2"), state.step, 1)
    checkpoints.save(neighbour, 1)
    with pytest.raises(UserError):
        other = checkpoints.manager(state, str(tmp_path / "run*"), state.step, 1)
        for number in range(1, 7):
            checkpoints.save(other, number)
    assert checkpoints.restore_latest(state, str(tmp_path / "run2"), "training") == str(tmp_path / "run2" / "ckpt-1")


def test_checkpoint_of_undivided_assignments_is_refused(tmp_path, state):
    """Of a training with GloRe begun before its assignments were divided; one without GloRe goes on."""
    checkpoints.save(checkpoints.manager(state, str(tmp_path), state.step, 1), 1)
    plain, attention = keras.Sequential([keras.layers.ReLU()]), keras.Sequential([GloRe(1, 2, 1)])
    assert checkpoints.marks(plain) == {}
    new = tf.train.Checkpoint(step=state.step, value=state.value, **checkpoints.marks(attention))
    with pytest.raises(UserError, match="search: expected a checkpoint of this model in '.*ckpt-1', found: "):
        checkpoints.restore_latest(new, str(tmp_path), "search")
    assert checkpoints.restore_latest(state, str(tmp_path), "search") == str(tmp_path / "ckpt-1")
