"""The hand-made models cost what the paper says (Tables 4, 6 and 8), and the archive holds what the rule gives."""

import dataclasses

import pytest

from tsnet_tf.space import genotype
from tsnet_tf.space.cost import complexity
from tsnet_tf.space.manual_tsnet import WIDTHS, manual_tsnet

MODELS = [(85, 5), (70, 5), (55, 5), (70, 0), (70, 10)]


def sparse_stream_alone(space):
    """The sparse stream with its own head and without what the dense stream tells it."""
    groups = tuple(dataclasses.replace(group, fusion=("none",)) for group in space.sparse.groups)
    return complexity(dataclasses.replace(space, streams=(dataclasses.replace(space.sparse, groups=groups),)))


@pytest.mark.parametrize("percent, fusions", MODELS)
def test_archive_holds_what_the_rule_gives(percent, fusions):
    model = manual_tsnet(percent, fusions)
    assert genotype.load(model.name) == model
    assert sum(group.fusion == ("time_strided_conv",) for group in model.sparse.groups) == fusions


@pytest.mark.parametrize("percent", WIDTHS)
def test_total_and_share(percent):
    model = manual_tsnet(percent)
    total = complexity(model).gmacs
    assert total == pytest.approx(2.03, rel=0.02)
    assert 100 * sparse_stream_alone(model).gmacs / total == pytest.approx(percent, abs=1.5)


def test_70_percent_as_published():
    model = manual_tsnet(70)
    assert complexity(model).params_m == pytest.approx(7.71, rel=0.04)
    assert sparse_stream_alone(model).gmacs == pytest.approx(1.40, rel=0.03)


def test_fusions_per_stage_of_table_7():
    def per_stage(fusions):
        groups = manual_tsnet(70, fusions).sparse.groups
        return [sum(g.stage == stage and g.fusion != ("none",) for g in groups) for stage in (1, 2, 3, 4)]

    assert [per_stage(n) for n in (0, 5, 10)] == [[0, 0, 0, 0], [1, 1, 2, 1], [2, 2, 4, 2]]
