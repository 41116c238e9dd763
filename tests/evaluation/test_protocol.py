"""Views and crops are the paper's."""

import pytest

from tsnet_tf.errors import UserError
from tsnet_tf.evaluation.protocol import named


@pytest.mark.parametrize("name, crop", [("10-center", 160), ("10-left_center_right", 182)])
def test_the_papers_crops(name, crop):
    assert named(name).crop(crop=160, short_side=182) == crop


def test_the_papers_numbers_of_views():
    assert named("10-center").views == 10
    assert named("10-left_center_right").views == 30


def test_unknown_protocol():
    with pytest.raises(UserError, match="views: expected one of .*10-center, 10-left_center_right; found '3-center'"):
        named("3-center")
