"""The overhead of records is measured on the same search, with and without them."""

import pytest

from tsnet_tf.benchmark import recording
from tsnet_tf.space.cost import smallest
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import only, restrict, values_of

pytestmark = pytest.mark.slow  # traces a supernet


def test_both_are_measured():
    space = only(
        table1(sparse_width=0.125, depths=((1,),), resolution=16, sparse_frames=2, hidden=8, classes=3), ["sparse"]
    )
    space = restrict(space, ("sparse/s1/g1/expansion",), values_of(smallest(space)))
    found = recording.overhead(space, batch_size=2, steps=4, report_every=2, repeats=2)
    assert set(found) == {"without", "with", "share", "processor_share", "inside"}
    # Four steps of a tiny network against pictures: what they cost must be seen.
    assert 0 < found["without"] < found["with"] and found["inside"] > 0
