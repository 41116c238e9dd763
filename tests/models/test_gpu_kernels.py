"""Nothing of a step is left to the processor where there is a GPU, and nothing is waited for. No GPU is needed.

TensorFlow's wheels are built for CUDA: their registry of kernels says which operations a GPU has, for which types, and
which inputs and outputs such a kernel keeps in the processor's memory, whether there is a GPU or not.
"""

import dataclasses
import functools
from collections.abc import Iterator

import pytest
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.python.framework import kernels, op_def_registry

from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.search.joint_settings import JointSettings
from tsnet_tf.search.joint_step import SearchModel
from tsnet_tf.space.cost import smallest
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import pick, restrict, values_of
from tsnet_tf.training import fused_optimizers
from tsnet_tf.training.classifier import Classifier

FREE = ("dense/s1/g1/channels", "sparse/*/spatial_kernel", "sparse/*/temporal_kernel", "sparse/s2/g1/fusion")
FREE += ("sparse/s2/g1/attention", "sparse/s2/g1/channels", "sparse/s1/g1/expansion")
NUMBERS = {types_pb2.DT_FLOAT, types_pb2.DT_BFLOAT16, types_pb2.DT_HALF, types_pb2.DT_UINT8}
# Arguments and results of functions, and what calls them: they compute nothing.
CALLS = {"Placeholder", "PartitionedCall", "StatefulPartitionedCall", "While", "StatelessWhile", "If", "StatelessIf"}


@dataclasses.dataclass(frozen=True)
class Node:
    """An operation, with the types of its inputs and outputs, and the kernel that a GPU has for it, if any."""

    name: str
    op: str
    inputs: tuple[tuple[str, str, int], ...]  # producer, argument of the consumer, type
    outputs: dict[str, int]  # argument: type
    kernel: object
    on_host: bool


def nodes(graph_def) -> Iterator[dict[str, Node]]:
    """The nodes by name, of the graph and then of every function in it."""
    yield {node.name: _node(node) for node in graph_def.node}
    for function in graph_def.library.function:
        yield {node.name: _node(node) for node in function.node_def}


def without_kernel(graph_def) -> set[tuple[str, str]]:
    """Operations on numbers that a GPU leaves to the processor: (operation, type)."""
    return {
        (node.op, types_pb2.DataType.Name(kind))
        for body in nodes(graph_def)
        for node in body.values()
        for kind in {kind for _, _, kind in node.inputs} | set(node.outputs.values())
        if kind in NUMBERS and node.op not in CALLS and node.kernel is None
    }


def brought_back(graph_def) -> set[tuple[str, str]]:
    """Pairs of operations (producer, consumer) between which a tensor goes from the GPU's to the processor's memory."""
    found = set()
    for body in nodes(graph_def):
        for node in body.values():
            for producer, argument, _ in node.inputs:
                source = body.get(producer)
                if source is None or source.op in CALLS or node.op in CALLS:
                    continue
                if not _in_host_memory(source, None) and _in_host_memory(node, argument):
                    found.add((source.op, node.op))
    return found


def _in_host_memory(node: Node, argument: str | None) -> bool:
    if node.on_host or node.kernel is None:
        return True
    kept = set(node.kernel.host_memory_arg)
    return argument in kept if argument else bool(kept & set(node.outputs))


def _node(node) -> Node:
    definition = op_def_registry.get(node.op)
    if definition is None:  # a function by its name
        return Node(node.name, "PartitionedCall", (), {}, None, False)
    arguments = [(arg.name, kind) for arg in definition.input_arg for kind in _types(arg, node)]
    given = [name.removeprefix("^") for name in node.input if not name.startswith("^")]
    inputs = tuple(
        (producer.split(":")[0], name, kind) for producer, (name, kind) in zip(given, arguments, strict=True)
    )
    outputs = {arg.name: kind for arg in definition.output_arg for kind in _types(arg, node)}
    chosen = "CPU" in node.device
    return Node(node.name, node.op, inputs, outputs, None if chosen else _kernel(node), chosen)


def _types(argument, node) -> list[int]:
    if argument.type_list_attr:
        return list(node.attr[argument.type_list_attr].list.type)
    kind = argument.type or node.attr[argument.type_attr].type
    return [kind] * (node.attr[argument.number_attr].i if argument.number_attr else 1)


def _kernel(node):
    for kernel in _of_gpu(node.op):
        if all(node.attr[c.name].type in c.allowed_values.list.type for c in kernel.constraint if c.name in node.attr):
            return kernel
    return None


@functools.cache
def _of_gpu(op: str) -> list:
    found = kernels.get_registered_kernels_for_op(op).kernel
    return [kernel for kernel in found if kernel.device_type == "GPU"] + [
        k for k in found if k.device_type == "DEFAULT"
    ]


@pytest.fixture(scope="module")
def space():
    whole = table1(
        sparse_width=0.125,
        dense_width=0.25,
        depths=((1,), (1,)),
        resolution=32,
        sparse_frames=2,
        dense_frames=8,
        hidden=8,
        classes=4,
    )
    return restrict(whole, FREE, values_of(smallest(whole)))


def traced(name, space):
    shape = [2, space.frames, space.resolution, space.resolution, 3]
    batch = tf.TensorSpec(shape, tf.uint8), tf.TensorSpec([2], tf.int64)
    if name == "search":
        settings, alpha_optimizer = JointSettings(samples=2), fused_optimizers.Adam(0.025)
        model = SearchModel(TwoStreamModel(space), settings, target=1.0, alpha_optimizer=alpha_optimizer)
        step, given = model.train_step, (batch, batch)
    else:
        network = TwoStreamModel(pick(space, values_of(smallest(space))))
        model = Classifier(network, microbatches=2)
        step, given = model.train_step, batch
        if name == "evaluation":
            return tf.function(network, autograph=False).get_concrete_function(batch[0]).graph.as_graph_def()
    model.compile(fused_optimizers.SGD(0.1, momentum=0.9, nesterov=True))
    return tf.function(step, autograph=False).get_concrete_function(given).graph.as_graph_def()


@pytest.mark.parametrize("name", ["search", "training", "evaluation"])
def test_a_gpu_computes_everything_on_clips_features_and_weights(name, space, with_gpu):
    assert without_kernel(traced(name, space)) == set()


def test_an_evaluation_brings_nothing_back_from_the_gpu(space, with_gpu):
    """In a search step what is drawn within the budget does come back: sizes are read by the processor."""
    assert brought_back(traced("evaluation", space)) == set()
