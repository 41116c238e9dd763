import glob
import os

import gin
import pytest

from tsnet_tf.data import video_dataset

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FILES = sorted(glob.glob(os.path.join(ROOT, "gin", "data", "*.gin")))


@pytest.fixture(autouse=True)
def clean_gin():
    gin.clear_config()
    yield
    gin.clear_config()


@pytest.mark.parametrize("path", FILES, ids=os.path.basename)
def test_every_data_set_file_builds_a_data_set(path):
    gin.parse_config_files_and_bindings([path], ["data_dir = 'elsewhere'"])
    dataset = video_dataset.VideoDataset()
    small = os.path.basename(path) in ("demo.gin", "graded.gin", "motion.gin")
    assert dataset.directory == "elsewhere" and (dataset.sparse_stride, dataset.dense_stride) == (16, 4 if small else 2)
    assert dataset.span == (32 if small else 64)


@pytest.mark.parametrize("path", FILES, ids=os.path.basename)
def test_every_data_set_file_says_what_it_is_and_what_to_bind(path):
    header = open(path).read().split("\n\n")[0]
    assert header.startswith("# ") and "# Must be bound:" in header and "# Commonly overridden:" in header


def test_something_something_is_never_mirrored():
    gin.parse_config_file(os.path.join(ROOT, "gin", "data", "ssv2.gin"))
    assert video_dataset.VideoDataset().flip is False
    assert video_dataset.VideoDataset().frame_sampling.segments == 32


def test_the_filmed_robot_is_never_mirrored():
    gin.parse_config_file(os.path.join(ROOT, "gin", "data", "motion.gin"))
    assert video_dataset.VideoDataset().flip is False
    assert video_dataset.VideoDataset().frame_sampling.segments == 8


def test_the_data_sets_have_their_files():
    names = {os.path.splitext(os.path.basename(path))[0] for path in FILES}
    assert names == {"demo", "graded", "kinetics400", "mini_kinetics100", "motion", "ssv2"}
