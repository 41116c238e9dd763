"""One short gin file goes with every binary, in any order; the data set's crop and frames are those of the models."""

import json

import gin
import pytest

from tsnet_tf import setting_mistakes, settings
from tsnet_tf.search import search_settings
from tsnet_tf.space.cost import complexity, smallest
from tsnet_tf.space.two_stream import only

MINE = "include 'gin/own.gin'\ndata_dir = '{}'\nprogressive.target_gmacs = 0.1\nbatch_size = 8\n"
KINETICS = "include 'gin/data/kinetics400.gin'\ndata_dir = '{}'\nbatch_size = 8\n"


@pytest.fixture(autouse=True)
def clean_gin():
    gin.clear_config()
    yield
    gin.clear_config()


@pytest.mark.parametrize("content", [MINE, KINETICS])
@pytest.mark.parametrize(
    "other, calls", [(None, []), ("gin/steps/sparse.gin", ["search"]), ("gin/train/scratch.gin", ["train"])]
)
def test_one_file_goes_with_every_binary_in_any_order(tmp_path, content, other, calls):
    """Binaries without a step are those that inspect, export and predict."""
    (tmp_path / "mine.gin").write_text(content.format("here"))
    mine = str(tmp_path / "mine.gin")
    for files in ([mine, other], [other, mine]) if other else ([mine],):
        found = settings.read(files)
        setting_mistakes.check(found, calls=calls)
        assert found.value("batch_size") == 8 and found.value("VideoDataset.directory") == "here"
        settings.apply(found)
        assert gin.query_parameter("%batch_size") == 8


def test_crop_and_frames_of_the_data_are_those_of_the_models(tmp_path, bright_and_dark, programs):
    """Also where the space says otherwise: what a search counts is what bin/complexity.py prints."""
    more = "VideoDataset.sparse_frames = 2\ntable1.resolution = 160\ntable1.sparse_frames = 8\ntable1.classes = 2\n"
    (tmp_path / "mine.gin").write_text(MINE.format(bright_and_dark) + more)
    settings.apply(settings.read(["gin/steps/dense_fusion.gin", str(tmp_path / "mine.gin")]))
    own = search_settings.settings_from_gin()
    space = search_settings.space_of_data(own, own.dataset.labels())
    assert (space.resolution, space.sparse.frames, space.dense.frames) == (64, 2, 16)
    printed = json.loads(
        programs.run("complexity.py", "--space=table1", f"--gin_file={tmp_path}/mine.gin", "--json").stdout
    )
    assert printed["gmacs"]["smallest"] == pytest.approx(complexity(smallest(space)).gmacs)
    [sparse] = [row for row in printed["steps"] if row["step"] == "sparse"]
    assert sparse["gmacs"]["least"] == pytest.approx(complexity(smallest(only(space, ["sparse"]))).gmacs)
