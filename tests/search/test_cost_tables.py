"""MACs as TensorFlow look-ups: the same numbers as the cost of a genotype."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.search.cost_tables import CostTables
from tsnet_tf.search.distribution import ArchitectureDistribution
from tsnet_tf.space.cost import complexity, smallest
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import choices, only, pick, restrict, values_of


def genotype(space, architecture):
    return pick(space, {c.label: c.values[i] for c, i in zip(choices(space), architecture, strict=True)})


@pytest.fixture(scope="module")
def both_streams():
    return table1()


@pytest.fixture(scope="module")
def sparse_stream():
    return only(table1(depths=((1,), (1, 1), (1,), (1,))), ("sparse",))


@pytest.fixture(scope="module")
def few():
    """72 architectures whose parts overlap: channels of neighbouring groups, and a fusion between the streams."""
    space = table1(depths=((1,),) * 4)
    fixed = values_of(smallest(space))
    free = ("sparse/s1/g1/channels", "sparse/s1/g1/temporal_kernel", "dense/s1/g1/channels", "sparse/s1/g1/fusion")
    return restrict(space, free, fixed)


@pytest.mark.parametrize("name", ["both_streams", "sparse_stream", "few"])
def test_of_equals_the_cost_of_the_genotype(name, request):
    space = request.getfixturevalue(name)
    random = np.random.default_rng(0)
    drawn = np.stack([random.integers(len(c.values), size=8) for c in choices(space)], 1).astype(np.int32)
    found = CostTables(space).of(tf.constant(drawn))
    np.testing.assert_allclose(found, [complexity(genotype(space, a)).gmacs for a in drawn], rtol=1e-5)


def test_another_resolution(few):
    architecture = np.zeros([1, len(choices(few))], np.int32)
    found = CostTables(few, resolution=182).of(tf.constant(architecture))
    np.testing.assert_allclose(found, [complexity(genotype(few, architecture[0]), 182).gmacs], rtol=1e-5)


def test_expected_is_the_mean_over_all_architectures(few):
    distribution, macs = ArchitectureDistribution(few), CostTables(few)
    every = np.array(list(itertools.product(*(range(len(c.values)) for c in choices(few)))), np.int32)
    assert len(every) == 3 * 3 * 2 * 4
    logits = tf.random.stateless_normal(distribution.shape, [0, 1])
    probabilities = np.exp(distribution.log_prob(logits, every).numpy().astype(np.float64))
    mean = (probabilities * [complexity(genotype(few, a)).gmacs for a in every]).sum()
    assert float(macs.expected(distribution.probabilities(logits))) == pytest.approx(mean, rel=1e-5)


def test_expected_of_a_certain_choice_is_its_cost(both_streams):
    distribution, macs = ArchitectureDistribution(both_streams), CostTables(both_streams)
    architecture = np.array([len(c.values) - 1 for c in choices(both_streams)], np.int32)
    certain = tf.one_hot(architecture, distribution.shape[1])
    expected = complexity(genotype(both_streams, architecture)).gmacs
    assert float(macs.expected(certain)) == pytest.approx(expected, rel=1e-5)
