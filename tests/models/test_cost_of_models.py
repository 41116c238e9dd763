"""The cost function's numbers are those of the model that is built: Keras's parameters, TensorFlow's profiler."""

import math

import official.core.train_utils  # noqa: F401 (tells TensorFlow's profiler how many operations an einsum has)
import pytest
import tensorflow as tf

from tsnet_tf.layers import depthwise_conv3d
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.space import cost, genotype, two_stream
from tsnet_tf.space.table1 import table1


def test_parameters_of_one_stream_and_of_the_largest(space):
    for extreme in (cost.smallest(two_stream.only(space, ["sparse"])), cost.largest(space)):
        count = sum(math.prod(weight.shape) for weight in TwoStreamModel(extreme).trainable_weights)
        assert cost.complexity(extreme).total.params == count


def textbook_depthwise_conv3d(x, kernel, frames, stride, offset):
    """Every temporal tap over every frame, those before and after the clip (zeros) included, as they are counted."""
    assert offset is None  # that is what folding leaves, and these models are not folded
    taps, half = kernel.shape[0], kernel.shape[1] // 2
    batch = x.shape[0] // frames
    x = tf.pad(x, [[taps // 2 * batch] * 2, [half] * 2, [half] * 2, [0, 0]])
    shifted = [x[t * batch : (t + frames) * batch] for t in range(taps)]
    strides = [1, stride, stride, 1]
    return tf.add_n([tf.nn.depthwise_conv2d(s, kernel[t][..., None], strides, "VALID") for t, s in enumerate(shifted)])


def profiled_macs(model):
    """Half of the floating-point operations that the profiler finds in the convolutions and products of the graph."""
    space = model.space
    clips = tf.TensorSpec([1, space.frames, space.resolution, space.resolution, 3])
    graph = tf.function(lambda x: model(x)).get_concrete_function(clips).graph
    assert not [op.type for op in graph.get_operations() if "Call" in op.type or op.type in ("While", "If")]
    options = {
        **tf.compat.v1.profiler.ProfileOptionBuilder.float_operation(),
        "account_type_regexes": ["Conv2D", "DepthwiseConv2dNative", "MatMul", "Einsum"],
        "output": "none",
    }
    return tf.compat.v1.profiler.profile(graph, options=options).total_float_ops / 2


def assert_counts_agree(fixed, monkeypatch):
    monkeypatch.setattr(depthwise_conv3d, "depthwise_conv3d", textbook_depthwise_conv3d)
    model = TwoStreamModel(fixed)
    assert profiled_macs(model) == pytest.approx(cost.complexity(fixed).total.macs, rel=0.01)
    assert model.count_params() - sum(math.prod(w.shape) for w in model.non_trainable_weights) == (
        cost.complexity(fixed).total.params
    )


@pytest.mark.parametrize("seed", range(2))
def test_multiply_adds_and_parameters_equal_those_of_the_model(space, draw_architecture, monkeypatch, seed):
    assert_counts_agree(draw_architecture(space, seed)[1], monkeypatch)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(10))
def test_multiply_adds_of_the_papers_space_equal_the_profilers(draw_architecture, monkeypatch, seed):
    assert_counts_agree(draw_architecture(table1(), seed)[1], monkeypatch)


MARKS = {"auto_tsnet_s": (pytest.mark.slow,)}  # the paper's space with both streams, fusions and attention


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=MARKS.get(n, [pytest.mark.nightly])) for n in genotype.archived()]
)
def test_multiply_adds_of_published_models_equal_the_profilers(monkeypatch, name):
    assert_counts_agree(genotype.load(name), monkeypatch)
