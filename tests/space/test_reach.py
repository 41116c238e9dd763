"""What the steps of a progressive search can reach, and how one budget is divided over them."""

import pytest

from tsnet_tf.errors import UserError
from tsnet_tf.space import reach
from tsnet_tf.space.reach import Range, Step
from tsnet_tf.space.table1 import table1

BLOCKS = ("temporal_kernel", "spatial_kernel", "channels", "expansion")
STEPS = (
    Step("sparse", ("sparse",), tuple(f"sparse/*/{kind}" for kind in BLOCKS), 0.56),
    Step("dense_fusion", ("sparse", "dense"), (*(f"dense/*/{kind}" for kind in BLOCKS), "sparse/*/fusion"), 0.8),
    Step("attention", ("sparse", "dense"), ("*/attention",), 1.0),
)


@pytest.mark.parametrize(
    "target, expected",
    [
        (2.5, [1.4, 2.0, 2.5]),  # the paper's own
        (1.0, [0.56, 0.8, 1.0]),
        (
            0.6,
            [0.4, 0.6, 0.6],
        ),  # a cheapest dense stream of 0.2 has to fit on top of the sparse one, which has 0.4 at least
        (0.7, [0.4, 0.6, 0.7]),  # 0.56 x 0.7 is less than the cheapest sparse stream
        (6.0, [3.0, 4.8, 6.0]),  # 0.56 x 6.0 is more than the dearest one
    ],
)
def test_shares_within_what_each_step_can_reach(target, expected):
    reached = [Range(0.4, 3.0), Range(0.6, 5.0), Range(0.6, 7.0)]
    assert reach.divided(target, STEPS, reached, "GMACs") == pytest.approx(expected)


def test_later_steps_have_room_for_their_cheapest_additions():
    """Of a budget of 1.0 the second step has 0.8; the cheapest dense stream takes 0.3 of it, and leaves 0.5."""
    assert reach.divided(1.0, STEPS, [Range(0.1, 3), Range(0.4, 5), Range(0.4, 7)], "GMACs") == pytest.approx(
        [0.5, 0.8, 1]
    )


@pytest.mark.parametrize("target", [0.5, 7.5])
def test_what_cannot_be_reached_is_refused(target):
    with pytest.raises(UserError, match=f"expected a budget of 0.6 to 7 M, .* 'attention'; found {target}"):
        reach.divided(target, STEPS, [Range(0.4, 3.0), Range(0.6, 5.0), Range(0.6, 7.0)], "M")


def test_ends_are_rounded_to_the_inside():
    assert str(Range(0.123412, 0.567891)) == "0.1235 to 0.5678"


def test_parameters_of_a_space_of_one_choice_by_hand():
    """Of a cost that counts channels, 8 or 16 sparse ones are 8 to 16, and with 8 dense ones 16 to 24."""
    space = table1(
        depths=((1,),),
        sparse_channels=((8, 16, 8),),
        dense_channels=((8, 8, 8),),
        attention_places=0,
        fusions=("none",),
    )

    def cost(genotype):
        return sum(group.channels[0] for stream in genotype.streams for group in stream.groups)

    assert reach.ranges([space] * 2, STEPS[:2], cost) == [Range(8, 16), Range(16, 24)]
