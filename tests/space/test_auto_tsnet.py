"""The reconstructions of the searched models obey the paper's text (5.10); their sizes are in test_published.py."""

import pytest

from tsnet_tf.space import genotype
from tsnet_tf.space.auto_tsnet import auto_tsnet
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import pick, values_of


@pytest.mark.parametrize("attention", [True, False])
@pytest.mark.parametrize("model", "sml")
def test_archive_holds_what_the_search_finds(model, attention):
    found = auto_tsnet(model, attention)
    assert genotype.load(found.name) == found
    assert found.notes[0].startswith("Reconstruction")


def test_s_is_an_architecture_of_table_1_with_the_kernels_the_text_describes():
    small = genotype.load("auto_tsnet_s")
    values = values_of(small)
    pick(table1(), values)  # every value is a candidate
    for stream in small.streams:
        kernels = [(group.temporal_kernel[0], group.spatial_kernel[0]) for group in stream.groups]
        assert sum(t == 1 for t, _ in kernels) > len(kernels) / 2 < sum(k == 5 for _, k in kernels)
        assert len({group.expansion for group in stream.groups}) >= 3 and len({t for t, _ in kernels}) > 1
    attention = [label for label, value in values.items() if value is True]
    assert len(attention) == 2 and all(label.startswith("sparse/s3/") for label in attention)


def test_m_differs_in_resolution_alone_and_l_in_depth():
    small, medium, large = (genotype.load(f"auto_tsnet_{size}") for size in "sml")
    assert (small.streams, small.resolution, medium.resolution) == (medium.streams, 160, 224)
    assert values_of(large) == values_of(small)
    for one, twice in zip(small.streams, large.streams, strict=True):
        assert [2 * group.depth for group in one.groups] == [group.depth for group in twice.groups]
