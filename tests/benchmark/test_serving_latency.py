"""The exported model is timed folded and unfolded; the figures themselves are no matter of a test."""

import pytest

from tsnet_tf.benchmark.serving_latency import measure
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.space.cost import smallest
from tsnet_tf.space.table1 import table1

pytestmark = pytest.mark.slow  # exports a model twice


def test_a_row_for_every_batch_size():
    space = table1(sparse_frames=2, dense_frames=4, sparse_width=0.25, depths=((1,),), resolution=16, hidden=8)
    rows = measure(TwoStreamModel(smallest(space)), [1, 3], repeats=2)
    assert [row["batch_size"] for row in rows] == [1, 3]
    for row in rows:
        assert set(row) == {"batch_size", "unfolded", "folded", "jpeg", "unfolded_to_folded", "clips_per_second"}
        assert row["clips_per_second"] == pytest.approx(1e3 * row["batch_size"] / row["folded"])
        assert all(value > 0 for value in row.values())
