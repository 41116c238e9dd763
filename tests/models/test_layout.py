"""TensorFlow's optimizer, run for a GPU that is only described, leaves features as they are."""

import dataclasses

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, device_properties_pb2, meta_graph_pb2
from tensorflow.python.eager import context
from tensorflow.python.grappler import cluster, tf_optimizer

from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.space import genotype

GPU = "/job:localhost/replica:0/task:0/device:GPU:0"
H100 = {"type": "GPU", "vendor": "NVIDIA", "frequency": 1755, "num_cores": 132, "memory_size": 80 << 30}


def optimised(graph: tf.Graph, fetched: list[str], config) -> list[str]:
    """Types of the operations that are left on an H100."""
    properties = device_properties_pb2.DeviceProperties(**H100, environment={"architecture": "9.0"})
    devices = [device_properties_pb2.NamedDevice(name=GPU, properties=properties)]
    meta = meta_graph_pb2.MetaGraphDef(graph_def=graph.as_graph_def(add_shapes=True))
    meta.collection_def["train_op"].node_list.value.extend(fetched)
    found = tf_optimizer.OptimizeGraph(config, meta, verbose=False, cluster=cluster.Cluster(devices=devices))
    return [node.op for node in found.node]


@pytest.fixture
def gradients(with_gpu):
    """Loss and gradients of X3D-S's first two stages, small, traced for a GPU."""
    space = genotype.load("x3d_s")
    (stream,) = space.streams
    space = dataclasses.replace(
        space, streams=(dataclasses.replace(stream, frames=2, groups=stream.groups[:2]),), resolution=32, hidden=8
    )
    model = TwoStreamModel(space)

    def step(clips):
        with tf.device(GPU), tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(clips, training=True))
        return [loss, *tape.gradient(loss, [v.value for v in model.trainable_variables])]

    shape = [2, space.frames, space.resolution, space.resolution, 3]
    return tf.function(step, autograph=False).get_concrete_function(tf.TensorSpec(shape, tf.uint8))


def test_features_are_not_turned(gradients):
    """The optimizer's own choice is shown beside it, or this would pass if it did nothing at all."""
    fetched = [tensor.op.name for tensor in gradients.outputs]
    before = sum(op.type == "Transpose" for op in gradients.graph.get_operations())
    left_alone = optimised(gradients.graph, fetched, config_pb2.ConfigProto()).count("Transpose")
    ours = optimised(gradients.graph, fetched, context.context().config).count("Transpose")
    assert left_alone > 10 * before
    assert ours <= before
