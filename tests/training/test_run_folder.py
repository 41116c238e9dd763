"""What a finished run leaves behind is what the next one picks up."""

import dataclasses
import errno
import json
import os
import signal
import time
from unittest import mock

import gin
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


@pytest.fixture
def settings():
    """A function that replaces all gin bindings."""

    def set_all(*bindings):
        gin.clear_config()
        gin.parse_config(bindings)

    yield set_all
    gin.clear_config()


def test_other_settings_are_refused_and_every_difference_is_listed(tmp_path, settings):
    settings("weight_optimizer.learning_rate = 0.1", "weight_optimizer.momentum = 0.9", "seed = 1")
    run_folder.check_settings(str(tmp_path), {"genotype": "x3d_s"})  # nothing there yet
    run_folder.start(str(tmp_path), None, {"genotype": "x3d_s"})
    run_folder.check_settings(str(tmp_path), {"genotype": "x3d_s"})
    settings("weight_optimizer.learning_rate = 0.2", "seed = 1", "weight_optimizer.kind = 'adam'")
    with pytest.raises(UserError) as error:
        run_folder.check_settings(str(tmp_path), {"genotype": "x3d_m"})
    assert str(error.value).splitlines()[0] == (
        f"expected the settings that '{tmp_path}' was made with, found --genotype = x3d_m (was x3d_s); "
        "weight_optimizer.kind = 'adam' (was not set); weight_optimizer.learning_rate = 0.2 (was 0.1); "
        "weight_optimizer.momentum = not set (was 0.9). Choose another --workdir, go on with these: "
        '--gin_bindings="check_settings.may_differ = True", or begin anew, which keeps what is there: '
        '--gin_bindings="check_settings.anew = True"'
    )


def test_other_settings_are_taken_if_told_so_and_are_the_ones_from_then_on(tmp_path, settings):
    settings("seed = 1")
    run_folder.start(str(tmp_path), None, {})
    settings("seed = 2", "check_settings.may_differ = True")
    run_folder.check_settings(str(tmp_path), {})
    run_folder.start(str(tmp_path), None, {})
    settings("seed = 2")
    run_folder.check_settings(str(tmp_path), {})


def test_what_a_run_has_nothing_to_do_with_may_change(tmp_path, settings):
    settings("seed = 1", "train.epochs = 2", "progressive.views = '1-center'")
    run_folder.start(str(tmp_path), None, {})
    settings("seed = 1", "train.epochs = 3", "progressive.views = '10-center'")
    run_folder.check_settings(str(tmp_path), {}, without=("train",))
    with pytest.raises(UserError, match=r"found train.epochs = 3 \(was 2\)\."):
        run_folder.check_settings(str(tmp_path), {})


def test_a_finished_run_is_not_said_to_go_on_but_can_be_begun_anew(tmp_path, settings, capsys):
    folder = tmp_path / "run"
    settings("seed = 1")
    run_folder.start(str(folder), None, {})
    os.close(run_folder._locked.pop(os.path.realpath(folder)))  # which the end of the process does
    (folder / "summary.json").write_text("{}")
    settings("seed = 2")
    with pytest.raises(UserError) as error:
        run_folder.check_settings(str(folder), {})
    assert "seed = 2 (was 1)" in str(error.value) and "may_differ" not in str(error.value)
    settings("seed = 2", "check_settings.may_differ = True")
    assert not run_folder.check_settings(str(folder), {})
    assert "is finished and stays as it is" in capsys.readouterr().err
    settings("seed = 2", "check_settings.anew = True")
    assert run_folder.check_settings(str(folder), {})
    assert not folder.exists() and (tmp_path / "earlier" / "run.1" / "summary.json").exists()
    assert not run_folder.check_settings(str(folder), {})  # the same command again goes on


def test_folder_without_recorded_settings_is_taken(tmp_path, settings):
    (tmp_path / "config.gin").write_text("seed = 1")
    settings("seed = 2")
    run_folder.check_settings(str(tmp_path), {})


HOLDER = """
import sys, time
from tsnet_tf.training import run_folder
run_folder.start(sys.argv[1], None, {})
print("ready", flush=True)
time.sleep(600)
"""


def test_second_process_is_refused_until_the_first_is_killed(programs, tmp_path):
    holder = programs.start(HOLDER, tmp_path)
    try:
        while holder.stdout != "ready\n":
            assert holder.poll() is None, holder.stderr
            time.sleep(0.05)
        with pytest.raises(
            UserError, match=f"expected a run folder that nobody works on, found process {holder.pid} on"
        ):
            run_folder.start(str(tmp_path), None, {})
    finally:
        holder.signal(signal.SIGKILL)
        holder.wait()
    assert run_folder.start(str(tmp_path), None, {}) == str(tmp_path)
    run_folder.start(str(tmp_path), None, {})  # its own it may open again


def test_a_file_system_without_locks_is_no_reason_not_to_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run_folder.fcntl, "flock", mock.Mock(side_effect=OSError(errno.ENOSYS, "not implemented")))
    assert run_folder.start(str(tmp_path), None, {}) == str(tmp_path)
    assert f"warning: '{tmp_path}' cannot be locked (not implemented)" in capsys.readouterr().err


def test_workers_but_the_chief_write_elsewhere(tmp_path):
    chief, other = (mock.Mock(extended=mock.Mock(should_checkpoint=is_chief)) for is_chief in (True, False))
    assert run_folder.start(str(tmp_path / "run"), chief, {}) == str(tmp_path / "run")
    elsewhere = run_folder.start(str(tmp_path / "other"), other, {})
    assert not (tmp_path / "other").exists() and tf.io.gfile.listdir(elsewhere) == []
