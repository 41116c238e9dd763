"""The cost function's numbers are those of the model that is built: parameters, and operations in its graph."""

import math

import pytest
import tensorflow as tf

from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.space import cost, two_stream


@pytest.mark.parametrize("seed", range(3))
def test_parameters_equal_keras_count(space, draw_architecture, seed):
    genotype = draw_architecture(space, seed)[1]
    model = TwoStreamModel(genotype)
    count = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    assert cost.complexity(genotype).total.params == count


def test_parameters_of_one_stream_and_of_the_largest(space):
    for genotype in (cost.smallest(two_stream.only(space, ["sparse"])), cost.largest(space)):
        count = sum(math.prod(weight.shape) for weight in TwoStreamModel(genotype).trainable_weights)
        assert cost.complexity(genotype).total.params == count


def multiply_adds(operation) -> int:
    """What an operation of a graph multiplies, from its shapes alone."""
    inputs = [tuple(x.shape) for x in operation.inputs]
    outputs = math.prod(operation.outputs[0].shape) if operation.type in COUNTED else 0
    if operation.type == "Conv2D":
        return outputs * math.prod(inputs[1][:3])
    if operation.type == "DepthwiseConv2dNative":
        return outputs * math.prod(inputs[1][:2])
    if operation.type == "MatMul":
        return outputs * inputs[0][1]
    if operation.type == "Einsum":
        terms = operation.get_attr("equation").decode().split("->")[0].split(",")
        axes = {
            axis: size
            for term, shape in zip(terms, inputs, strict=True)
            for axis, size in zip(term, shape, strict=True)
        }
        return math.prod(axes.values()) if len(terms) > 1 else 0
    return 0


COUNTED = {"Conv2D", "DepthwiseConv2dNative", "MatMul", "Einsum"}


def beyond_the_clip(genotype) -> int:
    """Multiplications with the zero frames before and after a clip: they are counted, but nobody does them."""
    total = 0
    for part in cost.parts(genotype):
        if part.name == "stem":
            stream = next(s for s in genotype.streams if s.name == part.stream)
            side = genotype.resolution // 2
            total += 2 * side * side * stream.stem_channels  # 3 taps: one frame is missing at either end
    return total


@pytest.mark.parametrize("seed", [0])
def test_multiply_adds_equal_those_in_the_graph(space, draw_architecture, seed):
    # One temporal tap in the blocks, so that the stem is the only place where a kernel reaches beyond the clip.
    genotype = draw_architecture(
        two_stream.pick(space, {c.label: 1 for c in two_stream.choices(space) if c.kind == "temporal_kernel"}), seed
    )[1]
    assert any(v is True for v in two_stream.values_of(genotype).values())
    model = TwoStreamModel(genotype)
    clips = tf.TensorSpec([1, genotype.frames, genotype.resolution, genotype.resolution, 3])
    graph = tf.function(lambda x: model(x)).get_concrete_function(clips).graph
    assert not [op.type for op in graph.get_operations() if "Call" in op.type or op.type in ("While", "If")]
    count = sum(multiply_adds(operation) for operation in graph.get_operations())
    assert count + beyond_the_clip(genotype) == cost.complexity(genotype).total.macs
