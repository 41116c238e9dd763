"""The reconstructions of the searched models cost what the paper says (Tables 3 and 5) and obey its text (5.10)."""

import pytest

from tsnet_tf.space import genotype
from tsnet_tf.space.auto_tsnet import auto_tsnet
from tsnet_tf.space.cost import complexity
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import pick, values_of


@pytest.mark.parametrize("attention", [True, False])
@pytest.mark.parametrize("model", "sml")
def test_archive_holds_what_the_search_finds(model, attention):
    found = auto_tsnet(model, attention)
    assert genotype.load(found.name) == found
    assert found.notes[0].startswith("Reconstruction")


@pytest.mark.parametrize(
    "name, crop, gmacs, params, tolerance",
    [
        ("auto_tsnet_s_dagger", 160, 2.05, 7.7, 0.03),
        ("auto_tsnet_s_dagger", 182, 2.8, 7.7, 0.03),
        ("auto_tsnet_m_dagger", 256, 5.2, 7.7, 0.03),
        ("auto_tsnet_l_dagger", 356, 18.1, 12.2, 0.05),
        ("auto_tsnet_s", 160, 2.46, 8.6, 0.03),
        ("auto_tsnet_s", 182, 3.4, 8.6, 0.03),
        ("auto_tsnet_m", 256, 6.1, 8.6, 0.03),
        ("auto_tsnet_l", 356, 19.9, 13.2, 0.05),
    ],
)
def test_published_sizes(name, crop, gmacs, params, tolerance):
    found = complexity(genotype.load(name), crop)
    assert found.gmacs == pytest.approx(gmacs, rel=tolerance)
    assert found.params_m == pytest.approx(params, rel=tolerance)


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
