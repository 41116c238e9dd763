"""The data benchmark runs, and what it compares makes the same clips."""

import pathlib

import gin
import pytest

from tsnet_tf.benchmark import data_pipeline

ROOT = pathlib.Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow  # makes four pipelines


@pytest.fixture(autouse=True)
def settings_of_others():
    """Leaves gin as it was found."""
    before = gin.config_str()
    yield
    gin.clear_config()
    gin.parse_config(before, skip_unknown=True)


def test_reading_measures_all_four(tmp_path):
    pytest.importorskip("official.vision.dataloaders.video_input")
    found = data_pipeline.reading(
        str(tmp_path), str(ROOT / "gin/data/demo.gin"), (32, 40), videos=3, batch_size=2, batches=2, repeats=1
    )
    others = ["model_garden", "decode_jpeg", "decode_only"]
    ratios = [f"ours / {name}" for name in others]
    assert list(found) == ["kilobytes", "ours", *others, *ratios, *(f"{ratio}, processor" for ratio in ratios)]
    assert all(value > 0 for value in found.values())
    for name in others:  # of one measurement, the ratio of the two
        assert found[f"ours / {name}"] == pytest.approx(found["ours"] / found[name])


def test_preparation_measures_both(tmp_path):
    found = data_pipeline.preparation(str(tmp_path), videos=1, repeats=1, height=24, width=32)
    assert list(found) == ["ours", "pyav", "ours_to_pyav"] and all(value > 0 for value in found.values())
