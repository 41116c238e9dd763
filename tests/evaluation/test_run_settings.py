"""A run's settings come back, and what is given now wins."""

import gin
import pytest

from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.errors import UserError
from tsnet_tf.evaluation.run_settings import restore


@pytest.fixture(autouse=True)
def without_settings():
    yield
    gin.clear_config()


def test_what_is_given_now_wins(tmp_path):
    (tmp_path / "config.gin").write_text(
        "VideoDataset.directory = 'run'\nVideoDataset.crop = 64\nVideoDataset.test_short_side = 72\n"
        "VideoDataset.train_jitter = (64, 80)\nnot_loaded_here.rate = 1\n"
    )
    restore(str(tmp_path), [], ["VideoDataset.directory = 'now'"])
    dataset = VideoDataset()
    assert (dataset.directory, dataset.crop, dataset.test_short_side) == ("now", 64, 72)


def test_folder_that_is_no_run_is_a_users_mistake(tmp_path):
    with pytest.raises(UserError, match="--workdir: expected a finished run, found no config.gin in"):
        restore(str(tmp_path), [], [])
