"""Views and crops are the paper's."""

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.data import clips
from tsnet_tf.errors import UserError
from tsnet_tf.evaluation.protocol import named


@pytest.mark.parametrize("name, crop", [("10-center", 160), ("10-left_center_right", 182)])
def test_the_papers_crops(name, crop):
    assert named(name).crop(crop=160, short_side=182) == crop


@pytest.mark.parametrize(
    "name, views", [("10-center", 10), ("10-left_center_right", 30), ("1-center", 1), ("4-left_center_right", 12)]
)
def test_number_of_views(name, views):
    assert (named(name).views, named(name).name) == (views, name)


@pytest.mark.parametrize(
    "written, name",
    [
        ("10-Center", "10-center"),
        ("10-LeftCenterRight", "10-left_center_right"),
        ("10-leftcenterright", "10-left_center_right"),
        ("10-Left_Center_Right", "10-left_center_right"),
    ],
)
def test_papers_spelling_means_the_same(written, name):
    assert named(written) == named(name) and named(written).name == name


@pytest.mark.parametrize("name", ["3-middle", "0-center", "-1-center", "center", "ten-center", "", "²-center"])
def test_unknown_protocol(name):
    said = f"views: expected CLIPS-center or CLIPS-left_center_right, such as 10-center; found '{name}'"
    with pytest.raises(UserError, match=said):
        named(name)


@pytest.mark.parametrize("height, width", [(182, 324), (324, 182), (182, 182), (182, 243), (367, 183)])
@pytest.mark.parametrize("name", ["10-center", "10-left_center_right"])
def test_geometry_of_the_crops(name, height, width):
    """Of a picture whose every pixel holds its own place, so that a crop says where it was taken."""
    protocol = named(name)
    side = protocol.crop(crop=160, short_side=min(height, width))
    places = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), -1)
    picture = tf.constant(np.concatenate([places, np.zeros((height, width, 1))], -1)[None], tf.int32)
    crops = clips.test_crops(picture, side, protocol.crops).numpy()[:, 0, :, :, :2]
    assert crops.shape == (protocol.views // 10, side, side, 2)
    for crop in crops:  # an upright square of neighbouring pixels
        np.testing.assert_array_equal(crop - crop[0, 0], places[:side, :side])
    first, last = crops[:, 0, 0], crops[:, -1, -1]
    centre = len(crops) // 2
    # Centred to the pixel: as many before as after, or one more after.
    after = np.array([height, width]) - 1 - last[centre]
    assert np.isin(after - first[centre], [0, 1]).all()
    if len(crops) == 3:
        longer = int(width >= height)
        assert first[0][longer] == 0 and last[2][longer] == max(height, width) - 1
        columns = {int(x) for crop in crops for x in crop[..., longer].ravel()}
        assert columns == set(range(max(height, width)))  # nothing of the longer side is left out
