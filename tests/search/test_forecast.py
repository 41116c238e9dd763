"""What a part will take, from its settings."""

import pytest

from tsnet_tf.search import forecast
from tsnet_tf.space import memory
from tsnet_tf.space.cost import complexity, smallest
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import values_of

SPACE = table1(resolution=32, depths=((1,), (1,)), sparse_frames=2, dense_frames=4, hidden=16, classes=2)


def test_sizes_between_the_smallest_and_the_largest():
    """Of the channels 32, 40 and 48, the one in the middle; of the kernels 1, 3 and 5, that of 3."""
    assert values_of(forecast.between(SPACE, 0.0)) == values_of(smallest(SPACE))
    middle = values_of(forecast.between(SPACE, 0.5))
    assert (middle["sparse/s1/g1/channels"], middle["sparse/s1/g1/temporal_kernel"]) == (40, 3)
    assert middle["sparse/s1/g1/fusion"] == "none" and middle["sparse/s2/g1/attention"] is False


def test_memory_grows_with_the_cost_of_what_is_computed():
    typical = smallest(SPACE)
    twice = 2 * complexity(typical).gmacs
    found = forecast.Forecast("a", "", "", typical, twice, 1, 8, 1.0, "float32", "adam").gigabytes
    assert found == pytest.approx(2 * memory.of_training(typical, 8, optimizer="adam").gigabytes)


def test_a_forward_pass_takes_time():
    assert forecast.seconds_per_gmac(smallest(SPACE)) > 0
